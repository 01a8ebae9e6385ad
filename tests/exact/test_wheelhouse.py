from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from envsync.errors import WheelhouseError
from envsync.exact.wheelhouse import Wheelhouse
from envsync.model import ImageWheel

DATA = b"a wheel"
SHA = hashlib.sha256(DATA).hexdigest()
WHEEL = ImageWheel(filename="a-1.0-py3-none-any.whl", sha256=SHA, size=len(DATA), reason="no index has it")


def add(house: Wheelhouse) -> str | None:
    with house.workspace() as folder:
        made = folder / WHEEL.filename
        made.write_bytes(DATA)
        return house.add(made, SHA)


def test_kept_by_hash_and_shared(tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path / "kept", tmp_path / "shared")
    assert house.find(WHEEL) is None
    assert add(house) is None
    assert house.find(WHEEL) == tmp_path / "shared" / WHEEL.filename
    assert Wheelhouse(tmp_path / "kept").find(WHEEL) == tmp_path / "kept" / SHA / WHEEL.filename
    assert Wheelhouse(tmp_path / "empty", tmp_path / "shared").find(WHEEL) == tmp_path / "shared" / WHEEL.filename
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [SHA]
    assert add(house) is None


def test_other_contents_in_the_shared_folder_are_left_and_not_taken(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / WHEEL.filename).write_bytes(b"another")
    house = Wheelhouse(tmp_path / "kept", shared)
    assert add(house) == f"{shared / WHEEL.filename} has other contents and is left as it is"
    assert (shared / WHEEL.filename).read_bytes() == b"another"
    assert house.find(WHEEL) == tmp_path / "kept" / SHA / WHEEL.filename


def test_what_is_at_hand_is_shared_later(tmp_path: Path) -> None:
    add(Wheelhouse(tmp_path / "kept"))
    house = Wheelhouse(tmp_path / "kept", tmp_path / "shared")
    assert house.share(WHEEL) is None
    assert (tmp_path / "shared" / WHEEL.filename).read_bytes() == DATA
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == sorted([WHEEL.filename, "links.html"])
    assert f'href="{WHEEL.filename}#sha256={SHA}"' in (tmp_path / "shared" / "links.html").read_text()


def test_a_wheel_that_was_cut_off_is_not_found(tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path / "kept")
    add(house)
    (tmp_path / "kept" / SHA / WHEEL.filename).write_bytes(DATA[:3])
    assert house.find(WHEEL) is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WheelhouseError, match=r"file.*: cannot be written: Not a directory") as caught:
        add(Wheelhouse(tmp_path / "kept", tmp_path / "file" / "shared"))
    assert caught.value.hint == "Name another folder (--wheelhouse DIR), or leave wheels out: --wheels none."
    with pytest.raises(WheelhouseError, match="cannot be written: ") as caught:
        add(Wheelhouse(tmp_path / "file" / "kept"))
    assert "ENVSYNC_CACHE_DIR" in str(caught.value.hint)


def test_the_workspace_is_removed_whatever_happens(tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path / "kept")
    with pytest.raises(KeyError), house.workspace():
        raise KeyError
    assert list((tmp_path / "kept").iterdir()) == []
