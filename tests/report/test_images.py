from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest

from envsync.model import ImageSource, LocalSource, Source
from envsync.report.images import render_images, render_images_json
from tests.official.locks import IMAGE, LIST, listed, row_of_39


def test_without_locks():
    text = render_images(listed())
    assert text.endswith("\nNo lock of these is at hand. Make one: envsync pull IMAGE\n")
    assert "\ndigdag/digdag-anaconda3 (conda)\n  2019.03        -         -           -          -" in text


def test_shipped_list_lock():
    assert render_images([row_of_39(shipped=LIST)]).splitlines() == [
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


def test_image_lock():
    assert render_images([row_of_39(mine=IMAGE)]).splitlines()[-2:] == [
        "  digdag/digdag-python:3.9 (local)",
        "    From image sha256:abababababab, pulled 2026-01-02T03:04:05Z, method run.",
    ]


def test_image_that_never_was_in_a_registry_is_named_by_its_id():
    source = ImageSource(
        reference="x", config_digest=IMAGE.config_digest, method="read", pulled_at="2026-01-02T03:04:05Z"
    )
    assert "    From image ID sha256:cdcdcdcdcdcd, pulled" in render_images([row_of_39(mine=source)])


def test_damaged_lock():
    text = render_images(listed(mine="mine/snapshot.json: damaged: \x1b[31mred", shipped=LIST))
    assert "  3.9            3.9*      Debian 10*  td-user*   deprecated, moving  damaged\n" in text
    assert "    Damaged: mine/snapshot.json: damaged: \\x1b[31mred\n    Pull it again.\n" in text


def test_lock_of_a_local_environment():
    row = row_of_39(mine=LocalSource(path=PurePosixPath("/home/me/.venv")))
    assert render_images([row]).endswith("    From the environment /home/me/.venv on this machine.\n")


@pytest.mark.parametrize("lock", [LIST, IMAGE, "mine/snapshot.json: " + "long " * 40, None])
def test_fits_80_columns(lock: Source | str | None):
    lines = render_images(listed(mine=lock)).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.isascii() and line == line.rstrip() for line in lines)


def test_json():
    document = json.loads(render_images_json(listed(mine=IMAGE)))
    assert document["schema"] == 1
    assert len(document["images"]) == 12
    by_reference = {row["reference"]: row for row in document["images"]}
    unknown = by_reference["digdag/digdag-anaconda3:2019.03"]
    assert (unknown["kind"], unknown["python"], unknown["status"], unknown["lock"]) == ("conda", None, None, None)
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


def test_json_of_a_damaged_lock():
    document = json.loads(render_images_json([row_of_39(mine="broken")]))
    assert document["images"][0]["lock"] == {
        "state": "damaged",
        "place": "local",
        "path": "mine/digdag/digdag-python/3.9",
        "problem": "broken",
        "hint": "Pull it again.",
    }
