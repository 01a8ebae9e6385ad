"""Names and notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.wheel.parts import Notes, is_safe


@pytest.mark.parametrize("name", ["a.py", "a/é.txt", "a b/c,d", "...", "a/..b"])
def test_names_that_a_wheel_can_have(name: str) -> None:
    assert is_safe(name)


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\nb", "a\\b", "\udc80", "a\u2028b"]
)
def test_names_that_no_wheel_can_have(name: str) -> None:
    assert not is_safe(name)


@given(st.lists(st.text(max_size=400), max_size=80))
def test_notes(texts: list[str]) -> None:
    notes = Notes()
    for text in texts:
        notes.add(text)
    found = notes.all()
    assert len(found) <= 51
    assert all("\n" not in note and "\x1b" not in note for note in found)


def test_there_are_never_too_many() -> None:
    notes = Notes()
    for number in range(100):
        notes.add(str(number))
    assert notes.all() == (*map(str, range(50)), "50 notes more")
