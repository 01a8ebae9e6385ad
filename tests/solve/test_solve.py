"""Solving by rattler against a channel on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envsync.channels import PACKAGE_NAME
from envsync.conda_config.network import Network
from envsync.errors import SolveError, UnsatisfiableError, UsageError
from envsync.model import CondaEnvironment, CondaPackage, SolvedEnvironment
from envsync.solve import ChannelAccess, solve
from tests.lock.conda.environments import environment, package
from tests.solve.channel import add, index, served


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("channels")
    main, extra = root / "main", root / "extra"
    for version in ("3.11.7", "3.11.9", "3.12.0"):
        add(main, "python", version, depends=["openssl >=3", "__osx >=11.0"])
    for version in ("3.0.1", "3.0.8", "3.1.0"):
        add(main, "openssl", version)
    add(main, "six", "1.16.0", "noarch", "pyh_0", noarch="python", depends=["python"])
    add(main, "six", "1.16.0", "noarch", "pyh_1", noarch="python", depends=["python"], build_number=1)
    add(main, "numpy", "1.21.5", depends=["python >=3.11"])
    add(main, "numpy", "1.26.0", depends=["python >=3.11"])
    add(main, "torn", "1.0", depends=["numpy >=1.26"])
    add(main, "torn", "1.2", depends=["numpy >=1.26"])
    add(main, "old", "1.0", depends=["numpy <1.22"])
    add(main, "never", "1.0", depends=["nowhere"])
    add(extra, "six", "9.0", "noarch", "pyh_0", noarch="python", depends=["python"])
    add(extra, "rare", "2.0", "noarch", "0", noarch="generic", depends=["openssl"])
    index(main)
    index(extra)
    (root / "bad" / "noarch").mkdir(parents=True)
    (root / "bad" / "noarch" / "repodata.json").write_text("{")
    with served(root) as url:
        yield url


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A channel of builds for several Pythons, and one inside of another."""
    root = tmp_path_factory.mktemp("others")
    for version in ("3.8.18", "3.9.18"):
        add(root / "main", "python", version)
    for lib in ("2.0.0", "2.0.3", "2.0.9"):
        for python, following in (("3.8", "3.9"), ("3.9", "3.10")):
            build = f"py{python.replace('.', '')}_0"
            add(root / "main", "lib", lib, build=build, depends=[f"python >={python},<{following}.0a0"])
    add(root / "main", "a", "1.0.0", depends=["b <1.0.5"])
    for version in ("1.0.2", "1.0.9"):
        add(root / "main", "b", version)
    add(root / "main" / "label" / "dev", "x", "1.0")
    index(root / "main")
    index(root / "main" / "label" / "dev")
    with served(root) as url:
        yield url


def test_the_versions_of_the_image_where_each_python_has_a_build(others: str, tmp_path: Path) -> None:
    python = package("python", "3.8.13", depends=())
    lib = package("lib", "2.0.3", depends=("python >=3.8,<3.9.0a0",))
    at_odds = package("a", "1.0.0", depends=()), package("b", "1.0.9", depends=())
    found = solved(of(f"{others}/main", python, lib, *at_odds), tmp_path)
    assert found.level == "minor"
    assert versions(found) == {"a": "1.0.0", "b": "1.0.2", "lib": "2.0.3", "python": "3.8.18"}


def test_a_channel_inside_of_another_is_named_itself(others: str, tmp_path: Path) -> None:
    label = f"{others}/main/label/dev"
    python = msgspec.structs.replace(package("python", "3.8.18", depends=()), channel=f"{others}/main")
    x = msgspec.structs.replace(package("x", "1.0", depends=()), channel=label)
    found = solved(environment(python, x, channels=(f"{others}/main", label)), tmp_path)
    assert {(one.name, one.channel, one.url.rpartition("/")[0]) for one in found.packages} == {
        ("python", f"{others}/main", f"{others}/main/osx-arm64"),
        ("x", label, f"{label}/osx-arm64"),
    }


def test_of_two_channels_with_one_mirror_the_first_is_named(site: str, tmp_path: Path) -> None:
    one, two = "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"
    python = msgspec.structs.replace(PYTHON, channel=one)
    openssl = msgspec.structs.replace(OPENSSL, channel=two)
    mirrored = environment(python, openssl, channels=(one, two))
    found = solved(mirrored, tmp_path, places=lambda _channel: (f"{site}/main",))
    assert {package.channel for package in found.packages} == {one}


def image(site: str, *packages: CondaPackage, requested: tuple[str, ...] = ()) -> CondaEnvironment:
    """Of packages that came from the first of two channels."""
    packages = tuple(msgspec.structs.replace(one, channel=f"{site}/main") for one in packages)
    found = environment(*packages, channels=(f"{site}/main", f"{site}/extra"))
    return msgspec.structs.replace(found, requested=requested)


def of(channel: str, *packages: CondaPackage) -> CondaEnvironment:
    """Of packages that came from one channel."""
    packages = tuple(msgspec.structs.replace(one, channel=channel) for one in packages)
    return environment(*packages, channels=(channel,))


def solved(environment: CondaEnvironment, folder: Path, **access: object) -> SolvedEnvironment:
    return solve(environment, "osx-arm64", ChannelAccess(cache=folder / "cache", **access))


def versions(found: SolvedEnvironment) -> dict[str, str]:
    return {one.name: one.version for one in found.packages}


PYTHON = package("python", "3.11.7", depends=("openssl >=3", "libgcc-ng"))
OPENSSL = package("openssl", "3.0.1", depends=("libgcc-ng",))
LIBGCC = package("libgcc-ng", "8.2.0")
SIX = package("six", "1.16.0", "pyh_0", subdir="noarch", noarch="python", depends=("python",))


def test_the_versions_of_the_image_even_of_what_only_comes_along(site: str, tmp_path: Path) -> None:
    found = solved(image(site, PYTHON, OPENSSL, LIBGCC, SIX), tmp_path)
    assert versions(found) == {"openssl": "3.0.1", "python": "3.11.7", "six": "1.16.0"}
    assert (found.subdir, found.level, found.specs) == ("osx-arm64", "exact", ("python==3.11.7", "six==1.16.0"))
    assert found.solver.startswith("rattler 0.")
    assert [(one.name, one.reason) for one in found.deviations] == [("libgcc-ng", "linux only")]
    six = found.packages[2]
    assert (six.build, six.subdir, six.noarch, six.channel) == ("pyh_0", "noarch", "python", f"{site}/main")
    assert six.url == f"{site}/main/noarch/six-1.16.0-pyh_0.tar.bz2"
    assert six.md5
    assert len(six.md5) == 32
    assert six.sha256
    assert six.depends == ("python",)


def test_what_the_platform_has_not_is_told(site: str, tmp_path: Path) -> None:
    packages = (
        PYTHON,
        package("openssl", "3.0.5"),  # no such version: what is nearest comes along
        package("numpy", "1.21.2", depends=("python", "libblas")),
        package("mkl", "2019.1"),
        package("libblas", "1.0"),
    )
    found = solved(image(site, *packages), tmp_path)
    assert versions(found) == {"numpy": "1.21.5", "openssl": "3.1.0", "python": "3.11.7"}
    assert found.specs == ("python==3.11.7", "numpy=1.21")
    assert [(one.name, one.version, one.solved, one.reason) for one in found.deviations] == [
        ("libblas", "1.0", None, "absent"),
        ("mkl", "2019.1", None, "absent"),
        ("numpy", "1.21.2", "1.21.5", "version"),
        ("openssl", "3.0.5", "3.1.0", "version"),
    ]


def test_what_cannot_be_had_together_is_relaxed_and_no_more_than_needed(site: str, tmp_path: Path) -> None:
    packages = (PYTHON, OPENSSL, package("numpy", "1.21.5", depends=("python",)), package("torn", "1.0"))
    found = solved(image(site, *packages), tmp_path)
    assert (found.level, found.specs) == ("any", ("python=3.11", "numpy", "torn"))
    assert versions(found) == {"numpy": "1.26.0", "openssl": "3.0.1", "python": "3.11.7", "torn": "1.0"}
    assert [(one.name, one.solved, one.reason) for one in found.deviations] == [("numpy", "1.26.0", "version")]


def test_of_packages_that_exclude_each_other_what_was_asked_for_is_taken(site: str, tmp_path: Path) -> None:
    packages = (PYTHON, OPENSSL, package("old", "1.0"), package("torn", "1.0"))
    found = solved(image(site, *packages, requested=("python=3.11", "torn")), tmp_path)
    assert (found.level, found.specs) == ("requested", ("python=3.11", "torn"))
    assert versions(found) == {"numpy": "1.26.0", "openssl": "3.0.1", "python": "3.11.7", "torn": "1.0"}
    assert [(one.name, one.solved, one.reason) for one in found.deviations] == [("old", None, "not asked for")]


def test_a_package_that_is_only_in_a_later_channel_in_the_images_version(site: str, tmp_path: Path) -> None:
    nine = package("six", "9.0", "pyh_0", subdir="noarch", depends=("python",))
    rare = package("rare", "2.0", "0", subdir="noarch")
    found = solved(image(site, PYTHON, OPENSSL, nine, rare), tmp_path)
    channels = {one.name: one.channel.rpartition("/")[2] for one in found.packages}
    assert versions(found)["six"] == "9.0"
    assert channels == {"openssl": "main", "python": "main", "rare": "extra", "six": "extra"}


def test_no_solution_is_explained(site: str, tmp_path: Path) -> None:
    with pytest.raises(UnsatisfiableError) as caught:
        solved(image(site, package("never", "1.0"), requested=("never",)), tmp_path)
    assert caught.value.message.startswith("osx-arm64: no solution: Cannot solve the request because of: ")
    assert "nowhere" in caught.value.message
    assert caught.value.hint == "No set of packages of the channels fits osx-arm64. Pull without this --platform."


def test_nothing_for_the_platform(site: str, tmp_path: Path) -> None:
    with pytest.raises(SolveError, match=r"^osx-arm64: no channel has any of the image's packages for it$"):
        solved(image(site, LIBGCC), tmp_path)


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("gone", "cannot be read for osx-arm64: could not find subdir 'noarch' in channel"),
        ("bad", "cannot be read for osx-arm64: failed to parse repodata.json"),
    ],
)
def test_a_channel_that_cannot_be_read_is_named(site: str, tmp_path: Path, channel: str, reason: str) -> None:
    with pytest.raises(SolveError) as caught:
        solved(of(f"{site}/{channel}", PYTHON), tmp_path)
    assert caught.value.message.startswith(f"{site}/{channel}: {reason}")
    assert "Is this machine online" in (caught.value.hint or "")


def test_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(
        SolveError, match=r"^http://127.0.0.1:1/main: cannot be read for osx-arm64: Request failed after 3 retries"
    ):
        solved(of("http://127.0.0.1:1/main", PYTHON), tmp_path)


def test_mirrors_are_asked_and_not_written_down(site: str, tmp_path: Path) -> None:
    def places(channel: str) -> tuple[str, ...]:
        return (f"{site}/t/tk-secret/{channel[-4:]}", channel.replace("https://channel.example", f"{site}/"))

    at = of("https://channel.example/main", PYTHON, OPENSSL)
    found = solved(at, tmp_path, places=places)
    assert {one.channel for one in found.packages} == {"https://channel.example/main"}
    assert {one.url.rpartition("/")[0] for one in found.packages} == {"https://channel.example/main/osx-arm64"}
    with pytest.raises(SolveError) as caught:
        solved(at, tmp_path, places=lambda _channel: (f"{site}/t/tk-secret/main",))
    assert caught.value.message.startswith("https://channel.example/main: cannot be read for osx-arm64: ")
    assert "secret" not in caught.value.message


def test_user_and_password_of_a_place_are_sent_and_not_written_down(tmp_path: Path) -> None:
    add(tmp_path / "ch", "python", "3.11.7")
    index(tmp_path / "ch")
    with served(tmp_path, login="me:s3cret") as url:
        private = url.replace("http://", "http://me:s3cret@")
        found = solved(of(f"{url}/ch", PYTHON), tmp_path, places=lambda _channel: (f"{private}/ch",))
        assert [one.url for one in found.packages] == [f"{url}/ch/osx-arm64/python-3.11.7-h0_0.tar.bz2"]
        wrong = url.replace("http://", "http://me:wr0ng@")
        with pytest.raises(SolveError) as caught:
            solved(of(f"{url}/ch", PYTHON), tmp_path / "2", places=lambda _channel: (f"{wrong}/ch",))
    assert "401" in caught.value.message
    assert "wr0ng" not in caught.value.message
    assert "me:" not in caught.value.message


def test_offline_only_what_is_in_the_cache(tmp_path: Path) -> None:
    add(tmp_path / "ch", "python", "3.11.7")
    index(tmp_path / "ch")
    with served(tmp_path) as url:
        solved(of(f"{url}/ch", PYTHON), tmp_path)
    assert versions(solved(of(f"{url}/ch", PYTHON), tmp_path, network=Network(offline=True))) == {"python": "3.11.7"}
    with pytest.raises(SolveError, match=f"^{url}/other: cannot be read for osx-arm64: "):
        solved(of(f"{url}/other", PYTHON), tmp_path, network=Network(offline=True))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.from_regex(PACKAGE_NAME, fullmatch=True), max_size=4, unique=True),
    version=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+!]{0,6}", fullmatch=True),
    requested=st.lists(st.text(max_size=12), max_size=3),
)
def test_no_image_makes_it_fail_in_another_way(
    site: str, tmp_path: Path, names: list[str], version: str, requested: list[str]
) -> None:
    packages = [package(name, version) for name in (*names, "Python", "x.conda", "python.tar.bz2")]
    try:
        found = solved(image(site, PYTHON, OPENSSL, *packages, requested=tuple(requested)), tmp_path)
    except SolveError:
        return
    assert "python" in versions(found)


def test_whoever_may_not_use_a_channel_is_told_before_it_is_asked(tmp_path: Path) -> None:
    def refuse(channels: Iterable[str]) -> None:
        raise UsageError(f"terms: {' '.join(channels)}")

    with pytest.raises(UsageError, match=r"^terms: http://127.0.0.1:1/main$"):
        solved(of("http://127.0.0.1:1/main", PYTHON), tmp_path, check=refuse)


def test_folders_of_the_image_are_no_channels_here(tmp_path: Path) -> None:
    at = environment(package("mine", channel="file:///opt/conda/conda-bld"), channels=("file:///opt/conda/conda-bld",))
    with pytest.raises(SolveError, match=r"^osx-arm64: the image names no channel that can be reached"):
        solved(at, tmp_path)


def write_channel(folder: Path, record: dict[str, object], **info: str) -> None:
    """A channel of one package, as its repodata has it."""
    whole = {"name": "python", "version": "3.11.7", "build": "0", "build_number": 0, "subdir": "osx-arm64"}
    packages = {"python-3.11.7-0.tar.bz2": {**whole, "depends": [], "md5": "0" * 32, **record}}
    for subdir, content in (("osx-arm64", {"info": info, "packages": packages}), ("noarch", {"packages": {}})):
        (folder / subdir).mkdir(parents=True)
        (folder / subdir / "repodata.json").write_text(json.dumps(content))


def test_a_channel_whose_files_are_elsewhere(tmp_path: Path) -> None:
    write_channel(tmp_path / "ch", {}, base_url="https://files.example/osx-arm64/")
    with served(tmp_path) as url:
        (python,) = solved(of(f"{url}/ch", PYTHON), tmp_path).packages
        assert (python.url, python.channel) == ("https://files.example/osx-arm64/python-3.11.7-0.tar.bz2", f"{url}/ch")


def test_no_channel_leads_to_files_of_this_machine(tmp_path: Path) -> None:
    write_channel(tmp_path / "ch", {}, base_url="file:///srv/osx-arm64/")
    with served(tmp_path) as url, pytest.raises(SolveError, match=r"ch: package 'python': URL 'file:///srv/osx-arm64"):
        solved(of(f"{url}/ch", PYTHON), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"depends": ["\u001b[2J"]}, "\\x1b[2J"),
        ({"build": "0\u001b[2J"}, "package 'python': build '0\\\\x1b[2J'"),
        ({"version": "3.11.7\u001b"}, "3.11.7\\x1b"),
    ],
)
def test_what_a_hostile_channel_says_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    write_channel(tmp_path / "ch", change)
    with served(tmp_path) as url, pytest.raises(SolveError) as caught:
        solved(of(f"{url}/ch", PYTHON), tmp_path)
    assert said in caught.value.message
    assert "\x1b" not in caught.value.message
