"""Making a conda environment, killed or interrupted at any moment, by several at once, and on a full disk."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsync.lock.store import write_lock
from tests.build.conda.making import install_original, lock_of, tree
from tests.end_to_end.program import environment, envsync
from tests.end_to_end.test_interruption import Case, State, check_interrupted, kill_at
from tests.imagekit.conda_channel import Served, serve

pytestmark = pytest.mark.network

PACKAGES = ("python", "openssl", "ca-certificates", "tzdata", "demo-lib", "demo-tool", "pip", "setuptools", "wheel")
OLD = (*PACKAGES, "six")
NEW = (*PACKAGES, "tabulate")


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lock directories ``old`` and ``new``."""
    folder = tmp_path_factory.mktemp("locks")
    with serve() as served:
        for name, packages in (("old", OLD), ("new", NEW)):
            install_original(folder / "prefix", served, *packages)
            write_lock(folder / name, lock_of(folder / "prefix"))
            shutil.rmtree(folder / "prefix")
    return folder


@pytest.fixture
def served() -> Iterator[Served]:
    with serve() as running:
        yield running


def look(folder: Path) -> State:
    """Files of packages, and which packages they are."""
    return {**tree(folder), **{path.name: b"" for path in folder.glob("conda-meta/*.json")}}


def words(served: Served, target: Path, lock: Path) -> tuple[str, ...]:
    return ("create", str(target), "--image", str(lock), "--channel", f"{served.url}/main")


def caches(folder: Path) -> dict[str, str]:
    (folder / "home").mkdir(exist_ok=True)
    return {"HOME": str(folder / "home"), "RATTLER_CACHE_DIR": str(folder / "cache" / "rattler")}


@pytest.fixture
def creating(locks: Path, served: Served, tmp_path: Path) -> Case:
    target = tmp_path / "project" / ".conda"
    made = envsync(*words(served, target, locks / "old"), cwd=tmp_path, **caches(tmp_path))
    assert made.status in (0, 1), made.said
    shutil.copytree(target, tmp_path / "before", symlinks=True)
    return Case(words(served, target, locks / "new"), target, look, tmp_path / "before", tmp_path, caches(tmp_path))


def test_killed_at_any_moment(creating: Case) -> None:
    """What a killed run left half unpacked in rattler's cache does not harm the next one."""
    creating.set_up(fresh=False)
    before = look(creating.target)
    duration = creating.run()
    new = look(creating.target)
    assert before != new
    chosen = random.Random(20240101)
    for number in range(14):
        fresh = bool(number & 1)
        creating.set_up(fresh=fresh)
        kill_at(creating, chosen.uniform(0.2, 1) * duration, whole_group=True)
        assert look(creating.target) in ({} if fresh else before, new), number
        creating.run()
        assert look(creating.target) == new
        assert creating.leftovers() == []


def test_interrupted(creating: Case) -> None:
    check_interrupted(creating)


def test_several_at_once(locks: Path, served: Served, tmp_path: Path) -> None:
    """Of one target, one after the other; of different targets, with one cache."""
    target = tmp_path / "project" / "twin"
    other = tmp_path / "elsewhere" / "twin"
    target.parent.mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "envsync", *words(served, place, locks / lock)],
            cwd=tmp_path,
            env=environment(**caches(tmp_path)),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for place, lock in ((target, "new"), (target, "old"), (other, "new"))
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode in (0, 1), said
    for place in (target, other):
        found = {path.name.rsplit("-", 2)[0] for path in place.glob("conda-meta/*.json")}
        assert found in (({*OLD}, {*NEW}) if place == target else ({*NEW},))
    assert list(tmp_path.rglob(".envsync-*")) == []


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root on Linux may mount a small disk")
@pytest.mark.parametrize("which", ["project", "cache"])
def test_a_full_disk(locks: Path, served: Served, tmp_path: Path, which: str) -> None:
    small = tmp_path / which
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"nothing may be mounted here: {mounted.stderr.strip()}")
    try:
        (tmp_path / "project").mkdir(exist_ok=True)
        target = tmp_path / "project" / "twin"
        result = envsync(*words(served, target, locks / "new"), cwd=tmp_path, **caches(tmp_path))
        assert result.status == 2, result.said
        assert "No space left on device" in result.err
        assert "Free some space there, then try again." in result.err
        assert list((tmp_path / "project").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
