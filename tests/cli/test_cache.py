from __future__ import annotations

import json
from pathlib import Path

import pytest

from envsync.cache import Cache
from envsync.cache_folders import note_use
from tests.end_to_end.program import Result, envsync


def run(*words: str, folder: Path) -> Result:
    return envsync("cache", *words, cwd=folder.parent, ENVSYNC_CACHE_DIR=str(folder))


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    cache = Cache(tmp_path / "cache")
    for number in range(12):
        cache.put("layer-1", f"{number}", bytes(200_000))
    cache.put("blob", "a", b"{}")
    return cache.folder


def test_info_is_a_small_table(filled: Path) -> None:
    result = run("info", folder=filled)
    assert (result.status, result.err) == (0, "")
    assert result.out == (
        f"{filled}\n"
        "at most 512.0 MiB\n"
        "  KIND     ENTRIES     SIZE\n"
        "  blob           1     50 B\n"
        "  layer-1       12  2.3 MiB\n"
        "  all           13  2.3 MiB\n"
    )


def test_info_as_json(filled: Path) -> None:
    result = run("info", "--json", folder=filled)
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out) == {
        "schema": 1,
        "folder": str(filled),
        "limit": 512 << 20,
        "entries": 13,
        "bytes": 12 * 200_048 + 50,
        "kinds": [
            {"kind": "blob", "entries": 1, "bytes": 50},
            {"kind": "layer-1", "entries": 12, "bytes": 12 * 200_048},
        ],
        "problem": None,
        "hint": None,
    }


def test_a_cache_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert run("info", folder=tmp_path / "none").out == f"{tmp_path}/none\nat most 512.0 MiB\nempty\n"
    cleared = run("clear", folder=tmp_path / "none")
    assert (cleared.status, cleared.out, cleared.err) == (0, "", f"{tmp_path}/none: nothing to remove\n")
    assert list(tmp_path.iterdir()) == []


def test_clear(filled: Path) -> None:
    (filled / "thesis.txt").touch()
    result = run("clear", folder=filled)
    assert (result.status, result.out, result.err) == (0, "", f"{filled}: 2.3 MiB freed\n")
    assert sorted(path.name for path in filled.iterdir()) == ["CACHEDIR.TAG", "thesis.txt"]


def test_clear_leaves_interpreters_that_environments_are_on(filled: Path) -> None:
    place = filled / "pythons" / "image-1"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python3").write_bytes(bytes(5 << 20))
    environments = [filled.parent / f"env{number}" for number in range(7)]
    for environment in environments:
        environment.mkdir()
        (environment / "pyvenv.cfg").write_text(f"home = {place / 'bin'}\n")
        note_use(filled, place / "bin" / "python3", environment)
    result = run("clear", folder=filled)
    users = ", ".join(map(str, environments[:5]))
    assert (result.status, result.out, result.err) == (
        0,
        "",
        f"{filled}: 2.3 MiB freed\n"
        f"kept, 5.0 MiB: {place}, the interpreter of {users}, 2 more\n"
        "envsync cache clear --all removes interpreters that are used, too\n",
    )
    result = run("clear", "--all", folder=filled)
    assert (result.status, result.out, result.err) == (0, "", f"{filled}: 5.0 MiB freed\n")


def test_a_folder_that_others_may_write_to(filled: Path) -> None:
    filled.chmod(0o777)
    shown = run("info", folder=filled)
    problem = f"{filled}: others may write to it (expected only its owner): not used as a cache"
    hint = f"Close it, if you know what it holds: chmod go-w {filled}"
    assert (shown.status, shown.out) == (1, f"{filled}\nat most 512.0 MiB\n{problem}\n{hint}\n")
    refused = run("clear", folder=filled)
    assert (refused.status, refused.out, refused.err) == (2, "", f"error: {problem}\n  {hint}\n")
    assert len(list(filled.iterdir())) == 14


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("mine")
    assert run("info", folder=tmp_path / "cache").status == 1
    refused = run("clear", folder=tmp_path / "cache")
    assert (refused.status, refused.err) == (2, f"error: {tmp_path}/cache: cannot be cleared: Not a directory\n")


def test_without_a_command_the_help_is_shown(tmp_path: Path) -> None:
    result = envsync("cache", cwd=tmp_path)
    assert result.status == 2
    assert "Show where the cache is and what it holds." in result.said
