from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import UnsafeValueError, UsageError
from envsync.lock.conda.conda_lock import render_conda_lock
from envsync.lock.conda.environment_yml import environment_name, render_environment, render_nobuild
from envsync.lock.conda.explicit import render_explicit
from envsync.lock.store import render_lock, same_facts, write_lock
from envsync.model import ArchiveOrigin, DirectoryOrigin, LocalSource, Snapshot
from envsync.reference import Digest, Platform
from tests.factory import LAYER, distribution, snapshot, source
from tests.lock.conda.environments import MAIN, conda_snapshot, environment, package

OTHER_LAYER = Digest("sha256:" + "2" * 64)
FORGE = "https://conda.anaconda.org/conda-forge"
PACKAGES = (
    package("python", "3.7.3", "h0371630_0", depends=("libgcc-ng >=7.3.0", "openssl >=1.1.1b,<1.1.2a", "zlib")),
    package("openssl", "1.1.1b", "h7b6447c_1", depends=("ca-certificates",)),
    package("zlib", "1.2.11", "0", sha256="A" * 64),
    package("libgcc-ng", "8.2.0", "hdf63c60_1"),
    package("ca-certificates", "2019.1.23", "0"),
    package("blas", "1.0", "mkl", depends=("mkl 2019.* *_3",)),
    package("on", "1e3", "1", channel=FORGE, subdir="noarch", noarch="generic"),
)
WHEEL = "https://example.org/wheels/lib-2.0-py3-none-any.whl"
FROM_CONDA = distribution(
    "certifi", "2019.3.9", conda="certifi", origin=ArchiveOrigin(url="file:///tmp/build/80754af9/certifi_1/work")
)
BY_PIP = (
    distribution("td-client", "1.0"),
    distribution("lib", "2.0", origin=ArchiveOrigin(url=WHEEL, hashes=("sha256=" + "d" * 64,))),
    distribution("nohash", "2.0", origin=ArchiveOrigin(url="https://example.org/nohash-2.0.zip")),
    distribution("inside", "3.0", origin=ArchiveOrigin(url="file:///tmp/inside-3.0.whl")),
    distribution("folder", "4.0", origin=DirectoryOrigin(url="file:///src/folder")),
)


def whole(**fields: object) -> Snapshot:
    return conda_snapshot(
        *PACKAGES, distributions=(FROM_CONDA, *BY_PIP), channels=("defaults", "conda-forge"), **fields
    )


def parsed_lock(text: str, folder: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conda_lock.lockfile import parse_conda_lock_file

        (folder / "conda-lock.yml").write_text(text, encoding="utf-8")
        return parse_conda_lock_file(folder / "conda-lock.yml")


def test_rattler_reads_the_explicit_spec(tmp_path: Path):
    from rattler.explicit_environment import ExplicitEnvironmentSpec

    text = render_explicit(whole().conda[0])
    (tmp_path / "explicit.txt").write_text(text, encoding="utf-8")
    spec = ExplicitEnvironmentSpec.from_path(tmp_path / "explicit.txt")
    assert str(spec.platform) == "linux-64"
    assert {entry.url for entry in spec.packages} == {f"{p.url}#{p.md5}" for p in PACKAGES}
    assert text.splitlines()[-7:][:2] == [
        f"{MAIN}/linux-64/blas-1.0-mkl.conda#00000000000000000000000000000004",
        f"{MAIN}/linux-64/ca-certificates-2019.1.23-0.conda#0000000000000000000000000000000f",
    ]


def test_another_hash_where_there_is_no_md5():
    lines = render_explicit(environment(package("a", md5=None, sha256="b" * 64), package("c", md5=None))).splitlines()
    assert lines[-2:] == [
        f"{MAIN}/linux-64/a-1.0-h0_0.conda#sha256:{'b' * 64}",
        f"{MAIN}/linux-64/c-1.0-h0_0.conda",
    ]


def test_credentials_reach_no_file():
    secret = package("a", url="https://user:hunter2@example.org/t/tk-123/acme/linux-64/a-1.0-h0_0.conda")
    files = render_lock(conda_snapshot(secret))
    del files["snapshot.json"]
    assert b"https://example.org/acme/linux-64/a-1.0-h0_0.conda#" in files["explicit.txt"]
    assert not any(word in data for data in files.values() for word in (b"hunter2", b"tk-123", b"user:"))


def test_environment_yml():
    read = yaml.safe_load(render_environment(whole()))
    assert read == {
        "name": "app-1",
        "channels": ["defaults", "conda-forge"],
        "dependencies": [
            "blas=1.0=mkl",
            "ca-certificates=2019.1.23=0",
            "libgcc-ng=8.2.0=hdf63c60_1",
            "on=1e3=1",
            "openssl=1.1.1b=h7b6447c_1",
            "python=3.7.3=h0371630_0",
            "zlib=1.2.11=0",
            {
                "pip": [
                    "inside==3.0",
                    f"lib @ {WHEEL}#sha256={'d' * 64}",
                    "nohash @ https://example.org/nohash-2.0.zip",
                    "td-client==1.0",
                ]
            },
        ],
    }
    assert "      # - folder==4.0  # folder was installed in the image from file:///src/folder\n" in render_environment(
        whole()
    )


def test_rattler_reads_every_line_of_environment_yml():
    from rattler import MatchSpec

    by_name = {p.name: p for p in PACKAGES}
    for line in yaml.safe_load(render_environment(whole()))["dependencies"][:-1]:
        spec = MatchSpec(line)
        assert spec.name is not None
        found = by_name[spec.name.normalized]
        assert (spec.version, spec.build) == (f"=={found.version}", found.build)


def test_nobuild_leaves_out_what_only_linux_has():
    text = render_nobuild(whole())
    assert "\n  # - libgcc-ng=8.2.0  # only on Linux\n" in text
    assert yaml.safe_load(text)["dependencies"][:3] == ["blas=1.0", "ca-certificates=2019.1.23", "on=1e3"]
    none = render_nobuild(conda_snapshot(package("kernel-headers_linux-64")))
    assert yaml.safe_load(none)["dependencies"] == []


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("digdag/digdag-anaconda3:2019.03", "digdag-anaconda3-2019.03"),
        ("registry.example.org:5000/acme/app:1", "app-1"),
        (f"acme/app@sha256:{'12' * 32}", "app-121212121212"),
        ("base", "image-base"),
        ("Root", "image-Root"),
        ("a/..", "image"),
        ("2019.03", "2019.03"),
    ],
)
def test_name_of_the_environment(reference: str, name: str):
    at = conda_snapshot(source=source(reference))
    assert environment_name(at) == name
    assert yaml.safe_load(render_environment(at))["name"] == name


def test_name_of_a_local_environment():
    assert environment_name(conda_snapshot(source=LocalSource(path=Path("/opt/my env")))) == "my-env"


def test_a_name_of_ones_own():
    assert yaml.safe_load(render_environment(whole(), "mine"))["name"] == "mine"
    for wrong in ("base", "a b", "a\n- x", "", "../x"):
        with pytest.raises(UsageError, match=r"^--name: "):
            render_environment(whole(), wrong)


def test_conda_lock_reads_its_file(tmp_path: Path):
    text = render_conda_lock(whole())
    assert text is not None
    lock = parsed_lock(text, tmp_path)
    read = {p.name: p for p in lock.package if p.manager == "conda"}
    assert {name: (p.version, p.build, p.url, p.hash.md5) for name, p in read.items()} == {
        p.name: (p.version, p.build, p.url, p.md5) for p in PACKAGES
    }
    assert read["zlib"].hash.sha256 == "a" * 64
    assert read["python"].dependencies == {"libgcc-ng": ">=7.3.0", "openssl": ">=1.1.1b,<1.1.2a", "zlib": ""}
    assert read["blas"].dependencies == {"mkl": "2019.* *_3"}
    assert {(p.platform, *p.categories) for p in lock.package} == {("linux-64", "main")}
    (by_pip,) = [p for p in lock.package if p.manager == "pip"]
    assert (by_pip.name, by_pip.version, by_pip.url, by_pip.hash.sha256) == ("lib", "2.0", WHEEL, "d" * 64)
    assert [c.url for c in lock.metadata.channels] == ["defaults", "conda-forge"]
    assert (lock.metadata.platforms, lock.metadata.sources) == (["linux-64"], ["environment.yml"])
    explicit = render_lock(whole())["explicit.txt"]
    assert lock.metadata.content_hash == {"linux-64": hashlib.sha256(explicit).hexdigest()}


def test_no_conda_lock_where_it_could_not_tell():
    assert render_conda_lock(conda_snapshot(package("a", md5=None, sha256="b" * 64))) is None
    assert render_conda_lock(snapshot()) is None
    only_noarch = conda_snapshot(package("a", subdir="noarch"), platform=None)
    assert render_conda_lock(only_noarch) is None
    assert "# platform" not in render_explicit(only_noarch.conda[0])


def test_platform_of_an_image_whose_packages_fit_everywhere(tmp_path: Path):
    arm = conda_snapshot(package("a", subdir="noarch"), platform=Platform(os="linux", architecture="arm64"))
    assert parsed_lock(render_conda_lock(arm) or "", tmp_path).metadata.platforms == ["linux-aarch64"]


def test_two_specs_of_one_dependency(tmp_path: Path):
    twice = package(
        "a", depends=("b >=1", "b <2", "c 1.*", " c 1.* *_cpython", "[md5=0]", "", "d[url=https://u:p@h/d.conda]")
    )
    lock = parsed_lock(render_conda_lock(conda_snapshot(twice)) or "", tmp_path)
    assert lock.package[0].dependencies == {"b": ">=1,<2", "c": "1.* *_cpython", "d": ""}


def test_what_conda_installed_is_never_commented_out():
    files = render_lock(conda_snapshot(package("certifi", "2019.3.9", "py37_0"), distributions=(FROM_CONDA,)))
    for name in ("requirements.txt", "constraints.txt"):
        assert files[name].decode().splitlines()[-2:] == [
            "# of the conda package certifi=2019.3.9=py37_0",
            "certifi==2019.3.9",
        ]
        assert b"# A conda environment: its conda packages are in environment.yml" in files[name]
    folder = msgspec.structs.replace(
        FROM_CONDA, origin=DirectoryOrigin(url="file:///tmp/build/80754af9/certifi_1/work")
    )
    assert render_lock(conda_snapshot(distributions=(folder,)))["requirements.txt"].decode().splitlines()[-2:] == [
        "# of the conda package certifi",
        "certifi==2019.3.9",
    ]


def test_files_of_a_lock(tmp_path: Path):
    conda = {"environment.yml", "environment.nobuild.yml", "explicit.txt", "conda-lock.yml"}
    assert conda <= render_lock(whole()).keys()
    assert not conda & render_lock(snapshot()).keys()
    assert render_lock(whole()) == render_lock(whole())
    write_lock(tmp_path / "lock", whole())
    assert {path.name for path in (tmp_path / "lock").iterdir()} == render_lock(whole()).keys()
    assert write_lock(tmp_path / "lock", whole()).status == "unchanged"


def test_files_do_not_depend_on_the_order_of_records():
    files, others = (
        render_lock(whole()),
        render_lock(
            conda_snapshot(
                *PACKAGES[::-1], distributions=(*BY_PIP[::-1], FROM_CONDA), channels=("defaults", "conda-forge")
            )
        ),
    )
    for name in ("environment.yml", "environment.nobuild.yml", "explicit.txt", "conda-lock.yml"):
        assert files[name] == others[name]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a\n- b"}, r"conda package 'a\\n- b': unsafe name 'a\\n- b'"),
        ({"version": "1 --x"}, "conda package 'a': unsafe version '1 --x'"),
        ({"build": "0'"}, "conda package 'a': unsafe build \"0'\""),
        ({"md5": "0" * 31}, f"conda package 'a': unsafe md5 '{'0' * 31}'"),
        ({"sha256": "x" * 64}, f"conda package 'a': unsafe sha256 '{'x' * 64}'"),
        (
            {"url": "https://h/c/linux-64/a$HOME.conda"},
            "conda package 'a': unsafe URL 'https://h/c/linux-64/a$HOME.conda'",
        ),
        ({"url": "https://h/../c/noarch/a.conda"}, "conda package 'a': unsafe URL 'https://h/../c/noarch/a.conda'"),
        ({"depends": ("b\nc",)}, r"conda package 'a': unsafe dependency 'b\\nc'"),
    ],
)
def test_what_is_refused(fields: dict[str, object], message: str):
    hostile = msgspec.structs.replace(package("a"), **fields)
    with pytest.raises(UnsafeValueError) as caught:
        render_lock(conda_snapshot(hostile))
    assert caught.value.message == message


def test_a_hostile_channel():
    for channel in ("x\n  - y", "https://h/t/tk-1/c", "https://u:p@h/c", "$HOME", "a/../b", ""):
        with pytest.raises(UnsafeValueError, match="unsafe channel") as caught:
            render_environment(conda_snapshot(package("a"), channels=(channel,)))
        assert "tk-1" not in caught.value.message
        assert "u:p" not in caught.value.message


TEXT = st.text(max_size=12) | st.sampled_from(["1e3", "yes", "0x1F", "~", "null", "- a", "a: b", "1.0", "py37_0"])


@given(TEXT, TEXT, TEXT, st.lists(TEXT, max_size=2), TEXT, st.text(alphabet="01e.", min_size=1, max_size=4))
def test_hostile_records_raise_only_ones_own_error(
    name: str, version: str, build: str, depends: list[str], channel: str, tail: str
):
    hostile = msgspec.structs.replace(
        package("a"),
        name=name,
        version=version,
        build=build,
        depends=tuple(depends),
        url=f"{MAIN}/linux-64/{tail}.conda",
    )
    try:
        files = render_lock(conda_snapshot(hostile, channels=(channel,)))
    except UnsafeValueError:
        return
    read = yaml.safe_load(files["environment.yml"])
    assert (read["channels"], read["dependencies"]) == ([channel], [f"{name}={version}={build}"])
    (locked,) = yaml.safe_load(files["conda-lock.yml"])["package"]
    assert (locked["name"], locked["version"], locked["build"]) == (name, version, build)
    assert all(isinstance(spec, str) for spec in locked["dependencies"].values())
    assert len(files["explicit.txt"].split(b"@EXPLICIT\n")[1].splitlines()) == 1


def test_the_layer_of_a_package_is_no_fact_of_a_run_image():
    read = conda_snapshot(package("a", layer=LAYER))
    ran = conda_snapshot(package("a"))
    assert same_facts(ran, read)
    assert same_facts(read, ran)
    assert not same_facts(read, conda_snapshot(package("a", layer=OTHER_LAYER)))
    assert not same_facts(ran, conda_snapshot(package("a", build="h1_1")))


def test_a_channel_that_only_its_packages_name():
    forge = package("b", channel=FORGE)
    read = yaml.safe_load(render_environment(conda_snapshot(package("a"), forge, channels=())))
    assert read["channels"] == ["defaults", "conda-forge"]
    assert yaml.safe_load(render_environment(conda_snapshot(channels=())))["channels"] == []


def test_hostile_distributions_are_refused_in_the_pip_section():
    for name, version in (("a\n  - b", "1"), ("a", "1 --index-url=x"), ("-r", "1")):
        with pytest.raises(UnsafeValueError, match="unsafe requirement"):
            render_environment(conda_snapshot(package("a"), distributions=(distribution(name, version),)))


def test_an_origin_with_control_characters_stays_on_its_line():
    hostile = distribution("lib", origin=DirectoryOrigin(url="file:///x\n  - evil=1=0"))
    text = render_environment(conda_snapshot(package("a"), distributions=(hostile,)))
    assert yaml.safe_load(text)["dependencies"] == ["a=1.0=h0_0"]
    assert "file:///x\\n  - evil=1=0" in text


def test_a_url_with_credentials_is_not_in_the_conda_lock():
    private = ArchiveOrigin(url="https://${USER}:${TOKEN}@example.org/a-1.0.zip", hashes=("sha256=" + "d" * 64,))
    text = render_conda_lock(conda_snapshot(package("a"), distributions=(distribution("lib", origin=private),)))
    assert text is not None
    assert "TOKEN" not in text
