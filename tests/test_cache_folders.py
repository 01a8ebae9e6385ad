"""Interpreters of the cache that environments are on stay when it is cleared."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.cache import Cache
from envsync.cache_folders import Cleared, Kept, environments_of, note_use
from tests.build.making import BASE_PYTHON


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """With two interpreters, and a wheel."""
    cache = Cache(tmp_path / "cache")
    cache.put("blob", "a", b"")
    for name in ("pythons/image-1/bin/python3", "pythons/image-2/bin/python3", "wheels/0/a-1.whl"):
        path = cache.folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(100))
    return cache


def interpreter(cache: Cache, number: int = 1) -> Path:
    return cache.folder / "pythons" / f"image-{number}" / "bin" / "python3"


def environment(place: Path, python: Path) -> Path:
    """A virtual environment, whose ``pyvenv.cfg`` names an interpreter."""
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", place], check=True)
    config = place / "pyvenv.cfg"
    lines = config.read_text().splitlines(keepends=True)
    assert lines[0].startswith("home = ")
    config.write_text("".join([f"home = {python.parent}\n", *lines[1:]]))
    return place


def left(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.folder / "pythons").iterdir())


def test_an_interpreter_that_environments_are_on_stays(cache: Cache, tmp_path: Path) -> None:
    names = ("one", "näïve two\n")
    envs = [environment(tmp_path / name, interpreter(cache)) for name in names]
    for env in [*envs, *envs]:
        note_use(cache.folder, interpreter(cache), env)
    cleared = cache.clear()
    kept = Kept(path=cache.folder / "pythons" / "image-1", bytes=100, environments=tuple(sorted(envs)))
    assert cleared == Cleared(freed=48 + 100 + 100, kept=(kept,))
    assert left(cache) == [".used", "image-1"]
    assert {kind.kind: kind.entries for kind in cache.info().kinds} == {"pythons": 1}
    assert cache.clear(used=True) == Cleared(freed=100)
    assert left(cache) == []


def test_environments_that_are_gone_or_are_on_another_do_not_count(cache: Cache, tmp_path: Path) -> None:
    gone, moved = (environment(tmp_path / name, interpreter(cache)) for name in ("gone", "moved"))
    for env in (gone, moved, tmp_path / "never made"):
        note_use(cache.folder, interpreter(cache), env)
    (gone / "pyvenv.cfg").unlink()
    environment(moved, interpreter(cache, 2))
    assert cache.clear() == Cleared(freed=48 + 3 * 100)
    assert left(cache) == []


def test_only_interpreters_of_the_cache_are_noted(cache: Cache, tmp_path: Path) -> None:
    note_use(cache.folder, Path(BASE_PYTHON), tmp_path / "env")
    note_use(cache.folder, cache.folder / "pythons" / ".." / ".." / "python3", tmp_path / "env")
    note_use(tmp_path / "nowhere", Path(BASE_PYTHON), tmp_path / "env")
    assert left(cache) == ["image-1", "image-2"]
    assert not (tmp_path / "nowhere").exists()


def test_a_cache_that_cannot_be_written_notes_nothing(cache: Cache, tmp_path: Path) -> None:
    (cache.folder / "pythons" / ".used").write_text("")
    note_use(cache.folder, interpreter(cache), tmp_path / "env")
    assert environments_of(cache.folder / "pythons" / "image-1") == ()
    assert cache.clear().kept == ()


@given(note=st.binary(max_size=40), config=st.binary(max_size=60))
def test_damaged_notes_and_configurations_are_none(
    tmp_path_factory: pytest.TempPathFactory, note: bytes, config: bytes
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    place = folder / "pythons" / "image-1"
    place.mkdir(parents=True)
    env = folder / "env"
    env.mkdir()
    (env / "pyvenv.cfg").write_bytes(config)
    note_use(folder, place / "bin" / "python3", env)
    (folder / "pythons" / ".used" / "image-1" / ("0" * 16)).write_bytes(note)
    (folder / "pythons" / ".used" / "image-1" / "notes.txt").write_bytes(os.fsencode(env))
    assert environments_of(place) == ()
