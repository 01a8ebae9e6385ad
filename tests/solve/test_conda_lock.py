"""Solving by conda-lock, with a stand-in for a conda client: see client.py."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsync.errors import SolveError, UnsatisfiableError
from envsync.solve import ChannelAccess, Telling, solve
from envsync.solve.conda_lock import command, find_client, solve_with
from envsync.solve.wish import Wish
from tests.lock.conda.environments import environment, package
from tests.solve import client
from tests.solve.channel import add, index, served

ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    main = tmp_path / "site" / "main"
    add(main, "python", "3.11.7", depends=["openssl >=3"])
    add(main, "python", "3.12.0", depends=["openssl >=3"])
    add(main, "openssl", "3.0.1", "noarch", noarch="generic")
    add(main, "openssl", "3.1.0", "noarch", noarch="generic")
    index(main)
    with served(tmp_path / "site") as url:
        yield url


def stand_in(folder: Path, name: str = "conda", **variables: str) -> Path:
    """A program of this name that does what client.py does."""
    lines = [f"export STAND_IN_LOG={folder / 'log'} RATTLER_CACHE_DIR={folder / 'cache'}"]
    lines += [f"export {variable}={value}" for variable, value in variables.items()]
    lines += [f'PYTHONPATH={ROOT} exec {sys.executable} {client.__file__} "$@"']
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def calls(folder: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    return [call for call in found if call["words"][0] == "create"]


def test_the_command_line() -> None:
    assert command(Path("/opt/bin/micromamba"), "osx-arm64")[1:] == [
        *("-m", "conda_lock", "lock", "--kind", "lock", "--platform", "osx-arm64", "--file", "environment.yml"),
        *("--lockfile", "conda-lock.yml", "--virtual-package-spec", "virtual-packages.yml"),
        *("--conda", "/opt/bin/micromamba"),
    ]


def test_conda_lock_understands_what_is_written_for_it(site: str, tmp_path: Path) -> None:
    conda = stand_in(tmp_path)
    wish = Wish(specs=("python==3.11.7",), preferred=("openssl=3.0",))
    found = solve_with(conda, wish, "osx-arm64", {f"{site}/main": (f"{site}/main",)})
    assert [(one.name, one.version, one.build, one.subdir) for one in found] == [
        ("openssl", "3.0.1", "h0_0", "noarch"),
        ("python", "3.11.7", "h0_0", "osx-arm64"),
    ]
    python = found[1]
    assert python.channel == f"{site}/main"
    assert python.url == f"{site}/main/osx-arm64/python-3.11.7-h0_0.tar.bz2"
    assert python.depends == ("openssl >=3",)
    assert python.md5
    (call,) = calls(tmp_path)
    assert call["subdir"] == "osx-arm64"
    assert "--override-channels" in call["words"]


def test_a_client_solves_the_whole(site: str, tmp_path: Path) -> None:
    at = environment(
        package("python", "3.11.7", channel="https://channel.example/main", depends=("openssl",)),
        package("openssl", "3.0.1", channel="https://channel.example/main"),
        channels=("https://channel.example/main",),
    )
    access = ChannelAccess(conda=stand_in(tmp_path), cache=tmp_path / "cache", places=lambda _url: (f"{site}/main",))
    found = solve(at, "osx-arm64", access)
    assert found.solver.startswith("conda-lock ")
    assert found.solver.endswith(" with conda")
    assert [one.url for one in found.packages] == [
        "https://channel.example/main/noarch/openssl-3.0.1-h0_0.tar.bz2",
        "https://channel.example/main/osx-arm64/python-3.11.7-h0_0.tar.bz2",
    ]
    assert found.deviations == ()


def test_what_a_client_cannot_rattler_tries(site: str, tmp_path: Path) -> None:
    conda = stand_in(tmp_path, STAND_IN_FAILS="1")
    with pytest.raises(UnsatisfiableError) as caught:
        solve_with(conda, Wish(specs=("python==3.11.7",)), "osx-arm64", {f"{site}/main": (f"{site}/main",)})
    assert caught.value.message.startswith("osx-arm64: ")
    assert "conda-lock with conda failed:\n" in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "nothing fits" in caught.value.message
    assert caught.value.hint == "Run it without conda on PATH, and rattler solves; or pull without this --platform."
    notes: list[str] = []
    at = environment(package("python", "3.11.7", channel=f"{site}/main"), channels=(f"{site}/main",))
    access = ChannelAccess(conda=conda, cache=tmp_path / "cache")
    assert solve(at, "osx-arm64", access, Telling(note=notes.append)).solver.startswith("rattler ")
    (note,) = notes
    assert note == "conda-lock with conda failed: PackagesNotFoundError: nothing fits; rattler tries instead"


def test_no_lock_of_conda_lock(site: str, tmp_path: Path) -> None:
    conda = stand_in(tmp_path, STAND_IN_URL="https://evil.example/x.tar.gz")
    with pytest.raises(SolveError, match=r"^osx-arm64: conda-lock wrote no lock that can be read: not the URL of a"):
        solve_with(conda, Wish(specs=("python==3.11.7",)), "osx-arm64", {f"{site}/main": (f"{site}/main",)})


def test_the_client_on_path(tmp_path: Path) -> None:
    stand_in(tmp_path, "conda")
    micromamba = stand_in(tmp_path, "micromamba")
    assert find_client(f"{tmp_path / 'bin'}{os.pathsep}/nowhere") == micromamba
    assert find_client("/nowhere") is None
