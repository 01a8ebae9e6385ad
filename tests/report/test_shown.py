"""``envsync show`` as people read it: whole pages, at 80 columns and without colour."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envsync.model import EnvironmentVariable, ImageConfig, Needs, Resource, Snapshot
from envsync.redaction import printable
from envsync.report.shown import render_shown
from tests.drift.sides import local, published
from tests.factory import distribution, snapshot, source
from tests.report.inventory import inventory, large

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("name", "shown", "fold"),
    [
        ("shown", inventory(), True),
        ("shown-large", large(), True),
        ("shown-list", published(distribution("six"), distribution("idna", "2.8")), True),
        ("shown-environment", local(distribution("six"), config=ImageConfig()), True),
    ],
)
def test_whole_pages(name: str, shown: Snapshot, fold: bool) -> None:
    path = GOLDEN / f"{name}.txt"
    page = render_shown(shown, lock="lockfiles/acme/app/1", fold=fold)
    if os.environ.get("ENVSYNC_UPDATE_GOLDEN"):
        path.write_text(page, encoding="utf-8")
    assert page == path.read_text(encoding="utf-8")
    assert max(map(len, page.splitlines())) <= 80


def test_all_folds_nothing() -> None:
    page = render_shown(large(), fold=False)
    assert "--all" not in page
    assert all(f"d{number:02}" in page for number in range(30))
    assert all(f"V{number:02}=" in page for number in range(20))


def test_titles_are_bold_on_a_terminal_and_nothing_else_is() -> None:
    plain, coloured = render_shown(inventory()), render_shown(inventory(), colour=True)
    assert coloured.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert "\x1b[1mvariables (3)\x1b[0m" in coloured


def test_what_was_only_run_says_how_to_learn_more() -> None:
    page = render_shown(snapshot(distribution("six"), source=source("acme/app:1")))
    assert "  sizes, and what each brought: envsync pull acme/app:1 --method read\n" in page
    assert "native needs (not known)\n  envsync pull acme/app:1 --method read\n" in page


def test_an_environment_is_not_told_to_be_pulled() -> None:
    page = render_shown(local(distribution("six")))
    assert "native needs (not looked at)" in page
    assert "pull" not in page


@given(st.text(max_size=300), st.integers(min_value=40, max_value=120))
def test_no_text_of_an_image_controls_the_terminal(text: str, width: int) -> None:
    hostile = replace(inventory(), config=ImageConfig(env=(EnvironmentVariable(name=text, value=text),), workdir=text))
    page = render_shown(hostile, lock=text, width=width)
    assert all(printable(line) == line for line in page.split("\n"))


def test_a_library_that_is_loaded_by_its_name_is_one_of_the_libraries() -> None:
    loaded = Resource(kind="dynamic-library", name="libzbar.so.0", package="libzbar0", needed_by=("pyzbar",))
    zone = Resource(kind="time-zone", value="Etc/UTC")
    page = render_shown(inventory(needs=Needs(objects=1, resources=(loaded, zone))))
    assert "\n  libzbar.so.0  libzbar0  needed by pyzbar\n  time zone     Etc/UTC\n" in page
