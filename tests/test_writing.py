from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envsync.writing import WriteError, placed, replace_folder, staged_folder, write_file, write_folder


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


def test_an_interruption_leaves_no_folder_above_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "mine" / "a" / "b" / "t"):
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.rglob("*")] == ["mine"]


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("maker", ["dead", "of the same ID"])
def test_what_a_killed_run_left_is_removed_by_the_next(maker: str, tmp_path: Path) -> None:
    process = dead_process() if maker == "dead" else os.getpid()
    for name in ("t", "gone"):
        (tmp_path / f".envsync-{name}.{process}-00000000" / "in").mkdir(parents=True)
    (tmp_path / f".envsync-t.{process}-00000001").write_bytes(b"")
    (tmp_path / f".envsync-gone.{process}-00000001").symlink_to(tmp_path)
    write_folder(tmp_path / "t", {"a": b"1"})
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_what_a_killed_run_left_of_a_file_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / f".envsync-f.{dead_process()}-00000000").write_bytes(b"half")
    write_file(tmp_path / "f", b"1")
    assert tree(tmp_path) == {"f": b"1"}


def test_what_another_run_is_making_is_left_alone(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "t") as mine, staged_folder(tmp_path / "t"):
        assert mine.is_dir()


def test_the_leftovers_of_a_neighbour_are_not_touched(tmp_path: Path) -> None:
    names = {".envsync-3.7.old", ".envsync-gone.old", f".envsync-3.7.{dead_process()}-00000000"}
    for name in names:
        (tmp_path / name).mkdir()
    with staged_folder(tmp_path / "3") as staging:
        assert {p.name for p in tmp_path.iterdir()} == {*names, staging.name}


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


def test_what_was_placed_is_told_from_what_was_about_to_be(tmp_path: Path) -> None:
    write_folder(tmp_path / "new", {"a": b"1"})
    with (
        pytest.raises(WriteError, match="cannot be written: Not a directory"),
        staged_folder(tmp_path / "t") as staging,
    ):
        (tmp_path / "t").touch()  # in its way
        replace_folder(staging, tmp_path / "t" / "t")
    assert [path for path in placed() if path.is_relative_to(tmp_path)] == [tmp_path / "new"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "f", b"1")
    write_file(tmp_path / "f", b"2")
    assert tree(tmp_path) == {"f": b"2"}
    with pytest.raises(WriteError, match="cannot be written: No such file or directory"):
        write_file(tmp_path / "no" / "f", b"1")


KILLED = """
import os, signal, sys
from pathlib import Path
from envsync.writing import write_folder
target, moment, old_libc = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
steps = 0
def count(event, arguments):
    global steps
    if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "open", "os.scandir", "ctypes.dlsym"):
        steps += 1
        if steps == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        if old_libc and event == "ctypes.dlsym":
            raise AttributeError("no such function")
sys.addaudithook(count)
write_folder(target, {"a": b"2", "b": b"2"})
print(steps)
"""


def write_until(moment: int, target: Path, *, old_libc: bool) -> subprocess.CompletedProcess[str]:
    """Write a folder in a process that is killed before the file system's step ``moment``, if it has so many."""
    words = [sys.executable, "-c", KILLED, str(target), str(moment), str(old_libc)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("old_libc", [False, True], ids=["exchanged", "renamed"])
@pytest.mark.parametrize("before", [{"t/a": b"1", "t/c": b"1"}, {}], ids=["replaced", "new"])
def test_killed_before_each_step(before: dict[str, bytes], old_libc: bool, tmp_path: Path) -> None:
    new = {"t/a": b"2", "t/b": b"2"}
    seen = []
    for moment in range(1, 100):
        place = tmp_path / str(moment)
        place.mkdir()
        if before:
            write_folder(place / "t", {"a": b"1", "c": b"1"})
        done = write_until(moment, place / "t", old_libc=old_libc)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        if old_libc and (place / ".envsync-t.old").exists() and not (place / "t").exists():
            with staged_folder(place / "t"):  # whatever runs next puts it back first
                pass
        now = {name: data for name, data in tree(place).items() if name.startswith("t/")}
        assert now in (before, new)
        seen.append(now)
        write_folder(place / "t", {"a": b"3"})
        assert tree(place) == {"t/a": b"3"}
        assert [p.name for p in place.iterdir()] == ["t"]
    assert int(done.stdout) == len(seen) >= 5
    assert before in seen
    assert new in seen or not before  # the old one is being removed
