from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from envsync.errors import LockError
from envsync.model import Doubt, ImageSource, ListSource, LocalSource, Source
from envsync.official import DamagedLock, ImageRow, LockAtHand, rows
from envsync.official.table import images_json, images_table
from envsync.reference import Digest

LIST = ListSource(
    reference="digdag/digdag-python:3.9",
    url="https://example.org/list",
    date="2022-03-09",
    completeness="complete: 88 distributions",
    doubts=(Doubt(name="idna", value="2.1", note="most likely 2.10"),),
)
IMAGE = ImageSource(
    reference="digdag/digdag-python:3.9",
    digest=Digest("sha256:" + "ab" * 32),
    config_digest=Digest("sha256:" + "cd" * 32),
    method="run",
    pulled_at="2026-01-02T03:04:05Z",
)


def listed(*, mine: Source | str | None = None, shipped: Source | str | None = None) -> tuple[ImageRow, ...]:
    """Rows with locks of ``digdag-python:3.9`` in two roots; a text stands for a damaged lock."""
    locks = {
        Path("mine/digdag/digdag-python/3.9"): mine,
        Path("shipped/digdag/digdag-python/3.9"): shipped,
    }

    def read_source(path: Path) -> Source | None:
        found = locks.get(path)
        if isinstance(found, str):
            raise LockError(found, hint="Pull it again.")
        return found

    return rows((Path("mine"), Path("shipped")), read_source, shipped=Path("shipped"))


def row_of_39(**locks: Source | str) -> ImageRow:
    return next(row for row in listed(**locks) if row.reference == "digdag/digdag-python:3.9")


def test_without_locks():
    found = listed()
    assert len(found) == 12
    assert {row.lock for row in found} == {None}
    assert images_table(found).endswith("\nNo lock of these is at hand. Make one: envsync pull IMAGE\n")


def test_shipped_list_lock():
    row = row_of_39(shipped=LIST)
    assert row.lock == LockAtHand(place="shipped", path="shipped/digdag/digdag-python/3.9", source=LIST)
    assert images_table([row]).splitlines() == [
        "  TAG  PYTHON  BASE OS     USER      STATUS              LOCK",
        "digdag/digdag-python (pip)",
        "  3.9  3.9*    Debian 10*  td-user*  deprecated, moving  list",
        "",
        "* not certain, or not exact; envsync images --json has the notes and the sources",
        "",
        "Locks at hand",
        "  digdag/digdag-python:3.9 (came with envsync)",
        "    From a published list, not from an image. Date of the list: 2022-03-09.",
        "    Complete: 88 distributions.",
        "    Doubtful: idna 2.1.",
    ]


def test_local_image_lock_counts_before_the_shipped_one():
    row = row_of_39(mine=IMAGE, shipped=LIST)
    assert row.lock == LockAtHand(place="local", path="mine/digdag/digdag-python/3.9", source=IMAGE)
    assert images_table([row]).splitlines()[-2:] == [
        "  digdag/digdag-python:3.9 (local)",
        "    From image sha256:abababababab, pulled 2026-01-02T03:04:05Z, method run.",
    ]


def test_image_that_never_was_in_a_registry_is_named_by_its_id():
    source = ImageSource(
        reference="x", config_digest=IMAGE.config_digest, method="read", pulled_at="2026-01-02T03:04:05Z"
    )
    assert "    From image ID sha256:cdcdcdcdcdcd, pulled" in images_table([row_of_39(mine=source)])


def test_damaged_lock_hides_no_other_row():
    found = listed(mine="mine/snapshot.json: damaged: \x1b[31mred", shipped=LIST)
    row = next(row for row in found if row.tag == "3.9")
    assert row.lock == DamagedLock(
        place="local",
        path="mine/digdag/digdag-python/3.9",
        problem="mine/snapshot.json: damaged: \x1b[31mred",
        hint="Pull it again.",
    )
    text = images_table(found)
    assert "  3.9            3.9*      Debian 10*  td-user*   deprecated, moving  damaged\n" in text
    assert "    Damaged: mine/snapshot.json: damaged: \\x1b[31mred\n    Pull it again.\n" in text


def test_lock_of_a_local_environment():
    row = row_of_39(mine=LocalSource(path=PurePosixPath("/home/me/.venv")))
    assert images_table([row]).endswith("    From the environment /home/me/.venv on this machine.\n")


@pytest.mark.parametrize("lock", [LIST, IMAGE, "mine/snapshot.json: " + "long " * 40, None])
def test_fits_80_columns(lock: Source | str | None):
    text = images_table(listed() if lock is None else listed(mine=lock))
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_json():
    document = json.loads(images_json(listed(mine=IMAGE)))
    assert document["schema"] == 1
    assert len(document["images"]) == 12
    by_reference = {row["reference"]: row for row in document["images"]}
    unknown = by_reference["digdag/digdag-anaconda3:2019.03"]
    assert (unknown["kind"], unknown["python"], unknown["status"], unknown["lock"]) == (
        "conda",
        None,
        None,
        None,
    )
    assert unknown["base_os_note"] == "no source says what the image is built on"
    assert unknown["sources"][0]["url"] == "https://gist.github.com/chezou/d0a0fc62007af4d808752e78b31ae694"
    assert by_reference["digdag/digdag-python:3.9"]["lock"] == {
        "state": "readable",
        "place": "local",
        "path": "mine/digdag/digdag-python/3.9",
        "source": {
            "kind": "image",
            "reference": "digdag/digdag-python:3.9",
            "digest": "sha256:" + "ab" * 32,
            "config_digest": "sha256:" + "cd" * 32,
            "method": "run",
            "pulled_at": "2026-01-02T03:04:05Z",
        },
    }
