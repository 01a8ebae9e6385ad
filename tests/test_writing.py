from __future__ import annotations

import os
from pathlib import Path

import pytest

from envsync.writing import WriteError, replace_folder, staged_folder, write_file, write_folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_folder_holds_exactly_the_files(tmp_path: Path) -> None:
    write_folder(tmp_path / "t", {"a": b"1", "b": b"2"})
    write_folder(tmp_path / "t", {"a": b"3"})
    assert tree(tmp_path) == {"t/a": b"3"}


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path / "t", {"a": b"1"})
    with pytest.raises(WriteError, match=r"cannot be written: Is a directory|No such file"):
        write_folder(tmp_path / "t", {"x/y": b"2"})
    assert tree(tmp_path) == {"t/a": b"1"}
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_an_interruption_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path / "t", {"a": b"1"})
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "t") as staging:
        (staging / "half").write_bytes(b"")
        raise KeyboardInterrupt
    assert tree(tmp_path) == {"t/a": b"1"}


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    dead = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(dead, 0)
    (tmp_path / f".envsync-t.{dead}-00000000").mkdir()
    write_folder(tmp_path / "t", {"a": b"1"})
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_what_another_run_is_making_is_left_alone(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "t") as mine, staged_folder(tmp_path / "t"):
        assert mine.is_dir()


def test_the_leftovers_of_a_neighbour_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / ".envsync-3.7.old").mkdir()
    with staged_folder(tmp_path / "3"):
        assert (tmp_path / ".envsync-3.7.old").is_dir()


def test_a_folder_moved_aside_is_put_back(tmp_path: Path) -> None:
    (tmp_path / ".envsync-t.old").mkdir()
    (tmp_path / ".envsync-t.old" / "a").write_bytes(b"1")
    with staged_folder(tmp_path / "t"):
        assert tree(tmp_path / "t") == {"a": b"1"}


def test_replacing_keeps_nothing_of_the_old_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "t", {"old": b"1"})
    with staged_folder(tmp_path / "t") as staging:
        (staging / "new").write_bytes(b"2")
        replace_folder(staging, tmp_path / "t")
    assert tree(tmp_path) == {"t/new": b"2"}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "f", b"1")
    write_file(tmp_path / "f", b"2")
    assert tree(tmp_path) == {"f": b"2"}
    with pytest.raises(WriteError, match="cannot be written: No such file or directory"):
        write_file(tmp_path / "no" / "f", b"1")
