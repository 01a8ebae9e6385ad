"""A conda image is pulled for other platforms too: real channels, real solves, the program as a user runs it."""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from envsync.lock.conda.platforms import packages_for
from envsync.lock.store import edited_files, read_lock
from tests.cli.archives import write_archive
from tests.end_to_end.program import Result, envsync
from tests.imagekit.demo import prefix
from tests.imagekit.layer import File
from tests.solve.channel import add, index, served

VERSION = platform.python_version()
OWN = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}[platform.machine()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    main = tmp_path / "site" / "main"
    for subdir in ("osx-arm64", "osx-64"):
        add(main, "python", VERSION, subdir, depends=["zlib"])
        add(main, "zlib", "1.2.13", subdir)
    add(main, "six", "1.16.0", "noarch", "pyh_0", noarch="python", depends=["python"])
    index(main)
    with served(tmp_path / "site") as url:
        yield url


def write_image(folder: Path, channel: str, *, zlib: str = "1.2.13", extra: tuple[str, ...] = ()) -> None:
    """An image whose interpreter's prefix has conda's records."""
    records = [
        record(channel, "python", VERSION, depends=["zlib", "libgcc-ng"]),
        record(channel, "zlib", zlib),
        record(channel, "libgcc-ng", "11.2.0"),
        record(channel, "six", "1.16.0", "noarch", depends=["python"]),
        *(record(channel, name, "1.0") for name in extra),
    ]
    meta = f"{prefix().strip('/')}/conda-meta"
    files = [
        File(path=f"{meta}/{one['name']}-{one['version']}-{one['build']}.json", data=json.dumps(one).encode())
        for one in records
    ]
    history = File(path=f"{meta}/history", data=b"# update specs: ['python', 'six']\n")
    write_archive(folder / "image.tar", [*files, history])


def record(channel: str, name: str, version: str, subdir: str = OWN, **fields: object) -> dict[str, object]:
    build = "pyh_0" if subdir == "noarch" else "linux_0"
    return {
        **{"name": name, "version": version, "build": build, "build_number": 0, "subdir": subdir, "files": []},
        **{"channel": f"{channel}/{subdir}", "url": f"{channel}/{subdir}/{name}-{version}-{build}.conda"},
        **{"md5": "0" * 32, "depends": [], **fields},
    }


def pull(folder: Path, *words: str) -> Result:
    home = {"HOME": str(folder), "CONDARC": "", "CONDA_ROOT": "", "CONDA_PREFIX": ""}
    cache = {"RATTLER_CACHE_DIR": str(folder / "rattler"), "ENVSYNC_CACHE_DIR": str(folder / "cache")}
    return envsync("pull", "docker-archive:image.tar", *words, cwd=folder, **home, **cache)


def contents(lock: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in lock.iterdir()}


def test_a_lock_for_the_image_and_for_two_kinds_of_mac(site: str, tmp_path: Path) -> None:
    write_image(tmp_path, f"{site}/main")
    result = pull(tmp_path, "--platform", "osx-arm64", "--platform", OWN, "--platform", "osx-64", "--name", "twin")
    assert result.status == 0, result.said
    assert "  3 conda packages for osx-64: solved by rattler 0." in result.err
    assert "  3 conda packages for osx-arm64: solved by rattler 0." in result.err
    lock = tmp_path / "lockfiles" / "acme" / "job" / "1"
    found = read_lock(lock).snapshot
    assert edited_files(lock, found) == ()

    explicit = (lock / "explicit.osx-arm64.txt").read_text()
    assert "# Solved for osx-arm64 by rattler 0." in explicit
    urls = [line.partition("#")[0] for line in explicit.splitlines() if line.startswith("http")]
    assert urls == [
        f"{site}/main/osx-arm64/zlib-1.2.13-h0_0.tar.bz2",
        f"{site}/main/osx-arm64/python-{VERSION}-h0_0.tar.bz2",
        f"{site}/main/noarch/six-1.16.0-pyh_0.tar.bz2",
    ]
    for url in urls:
        package = tmp_path / "site" / url.removeprefix(f"{site}/")
        assert f"{url}#{hashlib.md5(package.read_bytes()).hexdigest()}" in explicit

    text = (lock / "conda-lock.yml").read_text()
    assert f"# {OWN}: extracted, nothing solved: these are the packages of the image." in text
    assert "# osx-64: SOLVED by rattler 0." in text
    assert (
        ", NOT EXTRACTED; asked for: the versions of the image.\n#   only on Linux:\n#     libgcc-ng 11.2.0\n" in text
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conda_lock.lockfile import parse_conda_lock_file

        locked = parse_conda_lock_file(lock / "conda-lock.yml")
    assert locked.metadata.platforms == [OWN, "osx-64", "osx-arm64"]
    assert locked.metadata.content_hash["osx-arm64"] == hashlib.sha256(explicit.encode()).hexdigest()
    macs = {(p.name, p.url) for p in locked.package if p.platform == "osx-arm64"}
    assert {url for _, url in macs} == set(urls)
    assert len([p for p in locked.package if p.platform == OWN]) == 4
    assert yaml.safe_load((lock / "environment.yml").read_text())["name"] == "twin"

    for subdir, solved in ((OWN, False), ("osx-arm64", True)):
        chosen = packages_for(found, subdir)
        assert chosen is not None
        assert (chosen.solved is not None) is solved
    assert packages_for(found, "win-64") is None


def test_a_later_pull_keeps_what_was_chosen_and_changes_no_byte(site: str, tmp_path: Path) -> None:
    write_image(tmp_path, f"{site}/main")
    assert pull(tmp_path, "--platform", "osx-arm64", "--name", "twin").status == 0
    lock = tmp_path / "lockfiles" / "acme" / "job" / "1"
    before = contents(lock)
    for words in ((), ("--platform", "osx-arm64"), ("--no-cache", "--platform", "osx-arm64")):
        again = pull(tmp_path, *words)
        assert again.status == 0, again.said
        assert "lock unchanged: " in again.err
        assert contents(lock) == before
    assert pull(tmp_path, "--platform", "osx-64").status == 0
    assert {"explicit.osx-64.txt", "explicit.osx-arm64.txt"} < contents(lock).keys()
    assert pull(tmp_path, "--name", "other").status == 0
    assert yaml.safe_load((lock / "environment.yml").read_text())["name"] == "other"


def test_a_solve_that_fails_leaves_what_was_solved_before(site: str, tmp_path: Path) -> None:
    write_image(tmp_path, f"{site}/main")
    assert pull(tmp_path, "--platform", "osx-arm64").status == 0
    lock = tmp_path / "lockfiles" / "acme" / "job" / "1"
    before = contents(lock)
    (tmp_path / ".condarc").write_text(f"custom_multichannels: {{}}\nmirrored_channels:\n  {site}/main: {NOWHERE}\n")
    failed = pull(tmp_path, "--no-cache", "--platform", "osx-arm64")
    assert failed.status == 2, failed.said
    assert "Connection refused" in failed.err
    assert contents(lock) == before


NOWHERE = "['http://127.0.0.1:1/main']"


def test_what_was_solved_for_another_image_is_dropped_and_said(site: str, tmp_path: Path) -> None:
    write_image(tmp_path, f"{site}/main")
    assert pull(tmp_path, "--platform", "osx-arm64", "--platform", "osx-64", "--name", "twin").status == 0
    write_image(tmp_path, f"{site}/main", zlib="1.3.1", extra=("mkl",))
    result = pull(tmp_path, "--platform", "osx-arm64")
    assert result.status == 1, result.said
    assert "no longer in the lock: what was solved for osx-64; again: --platform osx-64" in result.err
    assert (
        "not extracted\n    1 of another version, without 1 that the image has (named in snapshot.json)" in result.err
    )
    lock = tmp_path / "lockfiles" / "acme" / "job" / "1"
    assert not (lock / "explicit.osx-64.txt").exists()
    text = (lock / "conda-lock.yml").read_text()
    assert "#   in another version than in the image:\n#     zlib 1.3.1 -> 1.2.13\n" in text
    assert "#   in no channel for this platform, so left out:\n#     mkl 1.0\n" in text
    assert yaml.safe_load((lock / "environment.yml").read_text())["name"] == "twin"


def test_a_channel_that_is_gone_costs_only_the_platform(tmp_path: Path) -> None:
    write_image(tmp_path, "http://127.0.0.1:1/main")
    result = pull(tmp_path, "--platform", "osx-arm64")
    assert result.status == 2
    assert "http://127.0.0.1:1/main: cannot be read for osx-arm64: Request failed after 3 retries" in result.err
    assert "The lock of the image itself is written: lockfiles/acme/job/1" in result.err
    assert "explicit.txt" in contents(tmp_path / "lockfiles" / "acme" / "job" / "1")


def test_platforms_that_no_package_is_for_do_not_cost_the_others(site: str, tmp_path: Path) -> None:
    write_image(tmp_path, f"{site}/main")
    result = pull(tmp_path, "--platform", "win-64", "--platform", "osx-arm64", "--platform", "win-arm64")
    assert result.status == 2, result.said
    for subdir in ("win-64", "win-arm64"):
        assert f"{subdir}: no solution: Cannot solve the request because of: " in result.err
    lock = tmp_path / "lockfiles" / "acme" / "job" / "1"
    assert [one.subdir for one in read_lock(lock).snapshot.conda[0].solved] == ["osx-arm64"]


def test_terms_of_service_are_never_accepted_for_anybody(tmp_path: Path) -> None:
    write_image(tmp_path, "https://repo.anaconda.com/pkgs/main")
    result = pull(tmp_path, "--platform", "osx-arm64")
    assert result.status == 2
    assert "https://repo.anaconda.com/pkgs/main: the terms of service of Anaconda are not accepted" in result.err
    assert "Or take the packages from a mirror: default_channels in ~/.condarc" in result.err
    assert "The lock of the image itself is written: lockfiles/acme/job/1" in result.err


def test_mirrors_of_a_condarc_are_asked(site: str, tmp_path: Path) -> None:
    write_image(tmp_path, "https://repo.anaconda.com/pkgs/main")
    (tmp_path / ".condarc").write_text(f"default_channels: [{site}/main]\n")
    result = pull(tmp_path, "--platform", "osx-arm64")
    assert result.status == 0, result.said
    explicit = (tmp_path / "lockfiles" / "acme" / "job" / "1" / "explicit.osx-arm64.txt").read_text()
    assert f"https://repo.anaconda.com/pkgs/main/osx-arm64/python-{VERSION}-h0_0.tar.bz2#" in explicit
    assert "127.0.0.1" not in explicit


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--platform", "osx-arm64"), "--platform osx-arm64: its Python is of no conda environment"),
        (("--name", "twin"), "--name: its Python is of no conda environment"),
        (("--name", "base"), "--name: 'base' (expected letters"),
        (("--platform", "osx-arm"), "--platform: 'osx-arm' (expected OS/ARCH, or a platform of conda's)"),
        (("--platform", "noarch"), "platform 'noarch': expected os/architecture[/variant]"),
        (("--platform", "linux/amd64", "--platform", "linux/arm64"), "(expected one OS/ARCH)"),
    ],
)
def test_wishes_that_cannot_be_meant(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    write_archive(tmp_path / "image.tar")
    result = pull(tmp_path, *words)
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "lockfiles").exists()


def test_all_images_are_not_solved(tmp_path: Path) -> None:
    result = envsync("pull", "--all", "--platform", "osx-arm64", cwd=tmp_path)
    assert (result.status, result.out) == (2, "")
    assert "--all: not with --name, and with no --platform of conda's (expected one IMAGE)" in result.err
