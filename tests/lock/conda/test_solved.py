"""Solved platforms and chosen names in the files of a lock."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
import yaml

from envsync.errors import UnsafeValueError
from envsync.lock.conda.environment_yml import render_environment, render_nobuild
from envsync.lock.conda.platforms import ForPlatform, packages_for, platforms
from envsync.lock.store import Written, read_lock, render_lock, same_facts, write_lock
from envsync.model import Deviation, Snapshot, SolvedEnvironment
from envsync.report.pulled import missed, render_pulled
from tests.factory import snapshot
from tests.lock.conda.environments import conda_snapshot, package
from tests.lock.conda.test_files import FORGE, PACKAGES, parsed_lock, whole

ARM = SolvedEnvironment(
    subdir="osx-arm64",
    solver="rattler 0.28.0",
    level="minor",
    specs=("python=3.7", "on=1e3"),
    packages=(
        package("on", "1e3", "1", channel=FORGE, subdir="noarch", noarch="generic"),
        package("python", "3.8.20", "h9_0", subdir="osx-arm64", depends=("zlib",)),
        package("zlib", "1.2.11", "h9_0", subdir="osx-arm64"),
    ),
    deviations=(
        Deviation(name="blas", version="1.0", reason="absent"),
        Deviation(name="libgcc-ng", version="8.2.0", reason="linux only"),
        Deviation(name="openssl", version="1.1.1b", reason="not needed"),
        Deviation(name="python", version="3.7.3", solved="3.8.20", reason="version"),
    ),
)


def with_solved(*solved: SolvedEnvironment, name: str | None = None) -> Snapshot:
    found = whole()
    (first,) = found.conda
    return msgspec.structs.replace(found, conda=(msgspec.structs.replace(first, name=name, solved=solved),))


def test_a_solved_platform_in_the_files(tmp_path: Path) -> None:
    files = render_lock(with_solved(ARM))
    assert files["explicit.txt"] == render_lock(whole())["explicit.txt"]
    explicit = files["explicit.osx-arm64.txt"].decode()
    assert [line.rpartition("/")[2] for line in explicit.splitlines() if line.startswith("https:")] == [
        f"on-1e3-1.conda#{2:032x}",
        f"zlib-1.2.11-h9_0.conda#{4:032x}",
        f"python-3.8.20-h9_0.conda#{6:032x}",
    ]
    assert "# Solved for osx-arm64 by rattler 0.28.0, not extracted:" in explicit
    assert "\n# platform: osx-arm64\n@EXPLICIT\n" in explicit
    text = files["conda-lock.yml"].decode()
    assert (
        "# linux-64: extracted, nothing solved: these are the packages of the image.\n"
        "# osx-arm64: SOLVED by rattler 0.28.0, NOT EXTRACTED; asked for: the major and minor versions of the image.\n"
        "#   in another version than in the image:\n"
        "#     python 3.7.3 -> 3.8.20\n"
        "#   in no channel for this platform, so left out:\n"
        "#     blas 1.0\n"
        "#   only on Linux:\n"
        "#     libgcc-ng 8.2.0\n"
        "#   needed by nothing on this platform:\n"
        "#     openssl 1.1.1b\n"
    ) in text
    lock = parsed_lock(text, tmp_path)
    assert lock.metadata.platforms == ["linux-64", "osx-arm64"]
    assert lock.metadata.content_hash["osx-arm64"] == hashlib.sha256(explicit.encode()).hexdigest()
    arm = [(p.manager, p.name, p.version) for p in lock.package if p.platform == "osx-arm64"]
    wheel_for_all = ("pip", "lib", "2.0")
    assert sorted(arm) == sorted([*(("conda", p.name, p.version) for p in ARM.packages), wheel_for_all])


def test_a_solved_platform_that_conda_lock_cannot_tell() -> None:
    (first, *others) = ARM.packages
    unhashed = msgspec.structs.replace(ARM, packages=(msgspec.structs.replace(first, md5=None), *others))
    files = render_lock(with_solved(unhashed))
    told = (
        files["conda-lock.yml"]
        .decode()
        .replace(
            "# linux-64: extracted, nothing solved: these are the packages of the image.\n"
            "# osx-arm64 is left out: a package that was solved for it has no MD5.\n",
            "# Nothing was solved: these are the packages of the image, for its platform alone.\n",
        )
    )
    assert told.encode() == render_lock(whole())["conda-lock.yml"]
    assert "explicit.osx-arm64.txt" in files


@pytest.mark.parametrize("subdir", ["../../etc/x", "osx-arm64\nx", "nowhere"])
def test_a_solved_platform_of_an_edited_lock_names_no_other_file(subdir: str) -> None:
    with pytest.raises(UnsafeValueError, match="unsafe subdir"):
        render_lock(with_solved(msgspec.structs.replace(ARM, subdir=subdir)))


def test_a_name_that_its_user_chose() -> None:
    assert yaml.safe_load(render_environment(with_solved(name="mine")))["name"] == "mine"
    assert yaml.safe_load(render_environment(with_solved(name="mine"), "other"))["name"] == "other"
    assert yaml.safe_load(render_nobuild(with_solved(name="mine")))["name"] == "mine"


def test_choices_are_no_facts_but_are_written(tmp_path: Path) -> None:
    assert same_facts(whole(), with_solved(ARM, name="mine"))
    assert write_lock(tmp_path / "l", whole()).status == "new"
    assert write_lock(tmp_path / "l", with_solved(ARM)).status == "replaced"
    assert (tmp_path / "l" / "explicit.osx-arm64.txt").is_file()
    assert write_lock(tmp_path / "l", with_solved(ARM)).status == "unchanged"
    assert read_lock(tmp_path / "l").snapshot == with_solved(ARM)
    assert write_lock(tmp_path / "l", with_solved(name="mine")).status == "replaced"
    assert not (tmp_path / "l" / "explicit.osx-arm64.txt").exists()


def test_a_lock_without_choices_says_nothing_of_them() -> None:
    text = render_lock(whole())["snapshot.json"].decode()
    assert '"solved"' not in text
    assert "osx" not in text


def test_what_a_lock_has_for_a_platform() -> None:
    found = with_solved(ARM)
    assert platforms(found) == ("linux-64", "osx-arm64")
    assert packages_for(found, "linux-64") == ForPlatform(subdir="linux-64", packages=PACKAGES)
    assert packages_for(found, "osx-arm64") == ForPlatform(subdir="osx-arm64", packages=ARM.packages, solved=ARM)
    assert packages_for(found, "win-64") is None
    assert packages_for(snapshot(), "linux-64") is None
    assert platforms(snapshot()) == ()
    everywhere = conda_snapshot(package("a", subdir="noarch"), platform=None)
    assert packages_for(everywhere, "win-64") == ForPlatform(subdir="win-64", packages=everywhere.conda[0].packages)


def test_what_a_pull_says_of_a_solved_platform(tmp_path: Path) -> None:
    text = render_pulled(with_solved(ARM), Written(path=tmp_path, status="new"), ("osx-64",))
    assert (
        "  3 conda packages for osx-arm64: solved by rattler 0.28.0, not extracted\n    Python 3.8.20 for 3.7.3, "
        "without 1 that the image has (named in snapshot.json)\n"
    ) in text
    assert "no longer in the lock: what was solved for osx-64; again: --platform osx-64\n" in text
    assert missed(ARM) == 2
