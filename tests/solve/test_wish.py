"""What is asked of a solver, and what of its answer is told."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rattler import MatchSpec

from envsync.solve.platforms import virtual_packages
from envsync.solve.wish import LEVELS, Level, channel_urls, deviations, specs, wanted
from tests.lock.conda.environments import MAIN, environment, package

FREE = "https://repo.anaconda.com/pkgs/free"


def asked(*requested: str, versions: dict[str, frozenset[str]] | None = None) -> tuple[str, ...]:
    """What is asked for at the last level."""
    found = msgspec.structs.replace(environment(package("python", "3.7.3"), package("zlib")), requested=requested)
    known = {"numpy": frozenset({"1.16.2"}), "python": frozenset({"3.7.4"}), "zlib": frozenset({"1.0"})}
    return specs(found, wanted(found), known if versions is None else versions, "requested").specs


@pytest.mark.parametrize(
    ("request_", "spec"),
    [
        ("numpy", "numpy"),
        ("numpy=1.16", "numpy=1.16"),
        ("numpy=1.16.2=py37h7e9f1db_0", "numpy=1.16.2"),
        ("numpy==1.16.2=py37h7e9f1db_0", "numpy==1.16.2"),
        ("defaults/linux-64::numpy==1.16.2=py37h7e9f1db_0", "numpy==1.16.2"),
        ("conda-forge::numpy", "numpy"),
        ("numpy >=1.16,<2", "numpy>=1.16,<2"),
        ("numpy 1.16.*", "numpy=1.16"),
        ("numpy==1.16.*", "numpy=1.16"),
        ("numpy *", "numpy"),
        ("numpy=*=py37_0", "numpy"),
        ("numpy 1.16.2 py37_0", "numpy=1.16.2"),
        ("numpy[version='>=1.16']", "numpy>=1.16"),
        ("numpy[build=py37_0]", "numpy"),
        ("NumPy!=1.15", "numpy!=1.15"),
        ("numpy=1.16|1.17", "numpy"),
        ("numpy >= 1.16 , < 2", "numpy>=1.16,<2"),
    ],
)
def test_what_somebody_asked_for_without_what_only_its_platform_has(request_: str, spec: str) -> None:
    assert asked(request_) == (spec, "python=3.7")
    MatchSpec(spec, strict=True)


def test_python_keeps_its_minor_version_unless_one_was_asked_for() -> None:
    assert asked("python=3", "zlib") == ("python=3", "zlib")
    assert asked("python", "zlib") == ("python=3.7", "zlib")
    assert asked("python=2", "zlib") == ("python=3.7", "zlib")
    assert asked() == ("python=3.7", "zlib")
    assert asked("gone=1") == ("python=3.7",)
    assert asked("gone=1", versions={}) == ()


def test_what_is_wanted_for_itself() -> None:
    found = environment(
        package("python", "3.7.3", depends=("openssl", "libgcc-ng", "pip")),
        package("pip", depends=("python >=3.7",)),
        package("openssl", depends=("libgcc-ng",)),
        package("libgcc-ng"),
        package("six", depends=("python",)),
        package("pandas", depends=("python", "six", "blas 1.0 mkl")),
        package("blas"),
        package("cmake", depends=("openssl",)),
    )
    assert wanted(found) == {"python", "pip", "six", "pandas", "cmake"}
    assert wanted(msgspec.structs.replace(found, requested=("openssl=1.1",))) - wanted(found) == {"openssl"}


def test_versions_are_relaxed_no_more_than_needed() -> None:
    found = environment(package("a", "1.2.3"), package("b", "1.1.1b"), package("c", "2019"), package("d", "7.1"))
    known = {"a": frozenset({"1.2.3", "1.3"}), "b": frozenset({"1.1.1c", "1.10"}), "c": frozenset({"2020"})}
    assert specs(found, wanted(found), known, "exact").specs == ("a==1.2.3", "b=1.1", "c")
    assert specs(found, wanted(found), known, "minor").specs == ("a=1.2", "b=1.1", "c")
    assert specs(found, wanted(found), known, "any").specs == ("a", "b", "c")
    assert asked("numpy=1.15", "zlib<1") == ("numpy", "python=3.7", "zlib=1.0")


@pytest.mark.parametrize(
    ("image", "there", "spec"),
    [
        ("3.7.3", ("3.13.1", "3.8.20", "3.9.1"), "python=3.8"),
        ("3.14.0", ("3.9.1", "3.13.1"), "python=3.13"),
        ("2.7.18", ("3.8.1",), "python"),
        ("3.7.3", ("3.7.9", "3.8.1"), "python=3.7"),
    ],
)
def test_the_nearest_python(image: str, there: tuple[str, ...], spec: str) -> None:
    found = environment(package("python", image))
    assert specs(found, wanted(found), {"python": frozenset(there)}, "any").specs == (spec,)


def test_channels_by_url_in_their_order() -> None:
    old = package("old", channel=FREE)
    mine = package("mine", channel="file:///opt/conda/conda-bld")
    extra = package("extra", channel="https://channel.example/extra")
    found = environment(old, mine, extra, channels=("conda-forge", "defaults", "file:///opt/conda/conda-bld"))
    assert channel_urls(found, "osx-arm64") == (
        "https://conda.anaconda.org/conda-forge",
        MAIN,
        FREE,
        "https://channel.example/extra",
    )
    assert "https://repo.anaconda.com/pkgs/msys2" in channel_urls(found, "win-64")


def test_deviations_say_why() -> None:
    found = environment(
        package("python", "3.7.3", depends=("libgcc-ng", "readline", "tk", "zlib")),
        *(package(name) for name in ("libgcc-ng", "readline", "tk", "zlib")),
        package("mkl"),
        package("numpy"),
    )
    known = {name: frozenset({"1.0"}) for name in ("python", "readline", "tk", "zlib", "numpy")}
    solved = (package("python", "3.7.4"), package("readline"), package("tk", "1.1"))
    assert [(one.name, one.solved, one.reason) for one in deviations(found, solved, known)] == [
        ("libgcc-ng", None, "linux only"),
        ("mkl", None, "absent"),
        ("numpy", None, "not asked for"),
        ("python", "3.7.4", "version"),
        ("tk", "1.1", "version"),
        ("zlib", None, "not needed"),
    ]


def test_what_is_taken_for_a_machine() -> None:
    assert virtual_packages("osx-arm64") == {"__unix": "0", "__osx": "11.0", "__archspec": "1 arm64"}
    assert virtual_packages("linux-64") == {
        "__unix": "0",
        "__linux": "5.10",
        "__glibc": "2.28",
        "__archspec": "1 x86_64",
    }
    assert virtual_packages("win-64") == {"__win": "0", "__archspec": "1 x86_64"}


@given(st.text(alphabet="0129.*=<>!~,|_[]' versionbuild:-+a", max_size=20) | st.text(max_size=40))
def test_any_request_gives_specs_that_a_solver_reads(text: str) -> None:
    for spec in (*asked(text), *asked(f"numpy{text}"), *asked(f"numpy {text}")):
        assert spec.isascii()
        MatchSpec(spec, strict=True)


@given(st.sampled_from(["a", "1.0", "1!2.0.1", "2019a", "3_1", "v1.2", "1.2.3.4"]), st.sampled_from(LEVELS))
def test_any_version_gives_specs_that_a_solver_reads(version: str, level: Level) -> None:
    found = environment(package("p", version))
    for known in (frozenset({version}), frozenset({f"{version}.1"}), frozenset({"99"})):
        for spec in specs(found, wanted(found), {"p": known}, level).specs:
            MatchSpec(spec, strict=True)
