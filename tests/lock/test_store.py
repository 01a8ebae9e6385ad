from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from envsync.errors import LockError, UnsafeValueError
from envsync.lock.store import changes, choose_lock, find_locks, lock_path, read_lock, same_facts, write_lock
from envsync.reference import ImageName
from envsync.writing import WriteError
from tests.factory import LAYER, distribution, snapshot, source


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("digdag/digdag-python:3.7", "digdag/digdag-python/3.7"),
        ("python:3.12", "python/3.12"),
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app/1"),
        ("localhost:5000/app", "localhost_5000/app/latest"),
        ("app@sha256:" + "a" * 64, "app/sha256-" + "a" * 64),
    ],
)
def test_where_a_lock_is(name: str, path: str) -> None:
    assert lock_path(Path("locks"), ImageName.parse(name)) == Path("locks") / path


def test_write_and_read_back(tmp_path: Path) -> None:
    target = tmp_path / "acme/app/1"
    written = write_lock(target, snapshot(distribution("six")))
    assert written.status == "new"
    assert sorted(contents(target)) == [
        "constraints.txt",
        "os-packages.txt",
        "requirements.txt",
        "snapshot.json",
    ]
    assert read_lock(target).snapshot == snapshot(distribution("six"))
    assert [p.name for p in target.parent.iterdir()] == ["1"]


def test_the_same_facts_later_and_by_another_method_change_no_byte(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot(distribution("six")))
    before = contents(tmp_path / "l")
    again = snapshot(distribution("six"), source=source(method="read", pulled_at="2030-01-01T00:00:00Z"))
    assert write_lock(tmp_path / "l", again).status == "unchanged"
    assert contents(tmp_path / "l") == before


def test_layers_are_added_once_known_and_then_kept(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot(distribution("six")))
    read = snapshot(distribution("six", layer=LAYER), source=source(method="read"))
    assert write_lock(tmp_path / "l", read).status == "replaced"
    assert write_lock(tmp_path / "l", snapshot(distribution("six"))).status == "unchanged"
    assert read_lock(tmp_path / "l").snapshot == read


def test_the_sizes_of_layers_are_added_and_make_no_other_facts(tmp_path: Path) -> None:
    old = snapshot(distribution("six", layer=LAYER), source=source(method="read"))
    new = snapshot(distribution("six", layer=LAYER), source=source(method="read", layer_sizes=(512,)))
    assert same_facts(old, new)
    write_lock(tmp_path / "l", old)
    assert write_lock(tmp_path / "l", new).status == "replaced"
    assert write_lock(tmp_path / "l", old).status == "unchanged"
    assert read_lock(tmp_path / "l").snapshot == new


def test_an_edited_or_missing_file_is_put_right(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot(distribution("six")))
    (tmp_path / "l" / "constraints.txt").write_text("six==2\n")
    assert write_lock(tmp_path / "l", snapshot(distribution("six"))).status == "replaced"
    assert "six==1.0" in (tmp_path / "l" / "constraints.txt").read_text()


def test_other_facts_replace_the_lock_and_a_damaged_one_too(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot(distribution("six")))
    written = write_lock(tmp_path / "l", snapshot(distribution("six", "2.0")))
    assert written.status == "replaced"
    assert written.previous == snapshot(distribution("six"))
    (tmp_path / "l" / "snapshot.json").write_text("{")
    assert write_lock(tmp_path / "l", snapshot()).status == "new"


def test_what_a_killed_pull_left_is_no_lock_and_goes_with_the_next_pull(tmp_path: Path) -> None:
    write_lock(tmp_path / "a" / "1", snapshot())
    dead = subprocess.Popen(["true"])
    dead.wait()
    shutil.copytree(tmp_path / "a" / "1", tmp_path / "a" / f".envsync-1.{dead.pid}-00000000")
    assert find_locks(tmp_path) == (tmp_path / "a" / "1",)
    assert write_lock(tmp_path / "a" / "1", snapshot()).status == "unchanged"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1"]
    (tmp_path / "a" / "1").rename(tmp_path / "a" / ".envsync-1.old")
    assert write_lock(tmp_path / "a" / "1", snapshot()).status == "unchanged"


def test_a_folder_that_is_no_lock_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(LockError, match="is there already and is no lock of envsync's"):
        write_lock(tmp_path / "mine", snapshot())
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_nothing_is_written_when_a_name_is_unsafe(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot(distribution("six")))
    before = contents(tmp_path / "l")
    with pytest.raises(UnsafeValueError):
        write_lock(tmp_path / "l", snapshot(distribution("evil name")))
    assert contents(tmp_path / "l") == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"cannot be written: "):
        write_lock(tmp_path / "file" / "lock", snapshot())


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"no lock here \(expected snapshot.json\)"):
        read_lock(tmp_path)


def test_the_only_lock_is_chosen(tmp_path: Path) -> None:
    write_lock(tmp_path / "a" / "1", snapshot())
    assert choose_lock(tmp_path).path == tmp_path / "a" / "1"


def test_of_several_the_last_one_pulled_is_chosen(tmp_path: Path) -> None:
    write_lock(tmp_path / "a" / "1", snapshot(source=source("a:1", pulled_at="2024-01-02T00:00:00Z")))
    write_lock(tmp_path / "a" / "2", snapshot(source=source("a:2", pulled_at="2024-01-01T00:00:00Z")))
    assert choose_lock(tmp_path).reference == "a:1"
    assert find_locks(tmp_path) == (tmp_path / "a" / "1", tmp_path / "a" / "2")


def test_ambiguity_lists_the_choices(tmp_path: Path) -> None:
    write_lock(tmp_path / "a" / "1", snapshot(source=source("a:1")))
    write_lock(tmp_path / "a" / "2", snapshot(source=source("a:2")))
    with pytest.raises(LockError, match="2 locks, and none was pulled last") as caught:
        choose_lock(tmp_path)
    assert caught.value.hint == "Say which:\n  --image a:1\n  --image a:2"


def test_no_lock_at_all(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="no lock here"):
        choose_lock(tmp_path / "nowhere")


def test_what_a_moved_tag_changed() -> None:
    old = snapshot(distribution("a"), distribution("B_b"), distribution("c"))
    new = snapshot(distribution("a", "2.0"), distribution("b-b"), distribution("d"))
    new = msgspec.structs.replace(new, interpreters=(msgspec.structs.replace(new.python, version="3.9.19"),))
    found = changes(old, new)
    assert [d.name for d in found.added] == ["d"]
    assert [d.name for d in found.removed] == ["c"]
    assert [(a.version, b.version) for a, b in found.changed] == [("1.0", "2.0")]
    assert found.python == ("3.9.18", "3.9.19")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_lock(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot())
    (tmp_path / "l" / "snapshot.json").chmod(0)
    with pytest.raises(LockError, match="cannot be read"):
        read_lock(tmp_path / "l")
