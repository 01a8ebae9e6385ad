"""Commands on PATH, where PATH and shims are not what they should be."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from envsync.catalog.commands import DEFAULT_PATH, follow_shim, on_path, path_folders
from tests.catalog.trees import root_tree, write

ROOT_LINE = 'export PYENV_ROOT="/pyenv"\n'
SHIM = f'#!/usr/bin/env bash\n{ROOT_LINE}exec "/pyenv/libexec/pyenv" exec "$program" "$@"\n'


def test_folders_of_path_are_absolute_and_each_is_once() -> None:
    assert path_folders({"PATH": "/b:a::/a:/b:."}) == ("/b", "/a")
    assert path_folders({}) == tuple(DEFAULT_PATH.split(":"))


def test_a_path_longer_than_any_honest_one_is_cut() -> None:
    assert len(path_folders({"PATH": ":".join(f"/{number}" for number in range(10_000))})) == 200
    assert path_folders({"PATH": "/a:/" + "b" * 5000}) == ("/a",)


def test_the_first_folder_comes_first(tmp_path: Path) -> None:
    for folder in "ab":
        write(tmp_path, f"{folder}/python", b"", 0o755)
    found = on_path(root_tree(tmp_path), "python", {"PATH": "/b:/c:/a"})
    assert [str(path) for path in found] == ["/b/python", "/a/python"]


def follow(root: Path, workdir: str | None = None) -> PurePosixPath | None:
    place = PurePosixPath(workdir) if workdir else None
    return follow_shim(root_tree(root), PurePosixPath("/shims/python"), {}, place)


def test_a_shim_leads_to_its_version(tmp_path: Path) -> None:
    write(tmp_path, "shims/python", SHIM)
    write(tmp_path, "pyenv/version", "3.9.1\n")
    python = write(tmp_path, "pyenv/versions/3.9.1/bin/python", b"", 0o755)
    assert str(follow(tmp_path)) == "/" + str(python.relative_to(tmp_path))
    write(tmp_path, "shims/python", SHIM.replace("exec ", "echo "))
    assert follow(tmp_path) is None


def test_a_shim_with_thousands_of_roots_takes_linear_time(tmp_path: Path) -> None:
    write(tmp_path, "shims/python", ROOT_LINE * 2_300)
    assert follow(tmp_path) is None


def test_a_working_folder_deeper_than_any_path_is_not_climbed(tmp_path: Path) -> None:
    write(tmp_path, "shims/python", SHIM)
    assert follow(tmp_path, "/a" * 200_000) is None
