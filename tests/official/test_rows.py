from __future__ import annotations

from pathlib import Path

from envsync.lock.store import read_lock, write_lock
from envsync.model import Snapshot
from envsync.official import DamagedLock, LockAtHand, rows
from envsync.official.published import published_snapshots
from tests.official.locks import IMAGE, LIST, listed, row_of_39


def test_without_locks():
    found = listed()
    assert len(found) == 12
    assert {row.lock for row in found} == {None}


def test_shipped_list_lock():
    lock = row_of_39(shipped=LIST).lock
    assert lock == LockAtHand(place="shipped", path="shipped/digdag/digdag-python/3.9", source=LIST)


def test_local_image_lock_counts_before_the_shipped_one():
    lock = row_of_39(mine=IMAGE, shipped=LIST).lock
    assert lock == LockAtHand(place="local", path="mine/digdag/digdag-python/3.9", source=IMAGE)


def test_damaged_lock_hides_no_other_row():
    found = listed(mine="mine/snapshot.json: damaged", shipped=LIST)
    assert len(found) == 12
    assert [row.lock for row in found if row.lock] == [
        DamagedLock(
            place="local",
            path="mine/digdag/digdag-python/3.9",
            problem="mine/snapshot.json: damaged",
            hint="Pull it again.",
        )
    ]


def test_locks_on_disk(tmp_path: Path):
    snapshots: dict[str, Snapshot] = {s.source.reference: s for s in published_snapshots()}
    for reference, snapshot in snapshots.items():
        write_lock(tmp_path / reference.replace(":", "/"), snapshot)
    found = rows(
        (tmp_path,),
        lambda path: read_lock(path).snapshot.source if path.exists() else None,
        shipped=tmp_path,
    )
    at_hand = {row.reference: row.lock for row in found if row.lock}
    assert at_hand == {
        reference: LockAtHand(place="shipped", path=str(tmp_path / reference.replace(":", "/")), source=snapshot.source)
        for reference, snapshot in snapshots.items()
    }
    assert len(at_hand) == 3
