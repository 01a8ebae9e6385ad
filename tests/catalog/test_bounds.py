"""What is counted, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement

from envsync.catalog.bounds import LONGEST_PATH, Allowance, Notes, clauses, is_path
from envsync.model import Skipped


@pytest.mark.parametrize(
    ("requirement", "number"),
    [
        ("a", 1),
        ("a>=1,<2", 2),
        ("a [x, y,z] (>=1,<2,!=1.5); python_version in '2,3'", 3),
        ("a<1,<1,<1,===]", 4),
        ("[", 1),
    ],
)
def test_clauses_are_counted_without_extras_and_markers(requirement: str, number: int) -> None:
    assert clauses(requirement) == number


@given(
    st.lists(st.sampled_from(["a", "[x,y]", "<1", ",", "===]", "]", " ", ";", "@", "(", ")", "os_name=='a,b'"])).map(
        "".join
    )
)
def test_no_requirement_has_more_clauses_than_are_counted(text: str) -> None:
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return
    assert len(found.specifier) <= clauses(text)


def test_what_is_taken_is_gone_and_what_is_not_taken_is_not() -> None:
    allowance = Allowance(distributions=1, metadata=10, facts=3, text=10)
    assert [allowance.take_distribution() for _ in range(3)] == [True, False, False]
    assert [allowance.take_metadata(size) for size in (6, 6, 4, 1)] == [True, False, True, False]
    assert [allowance.take_facts(*fact) for fact in ((4, 1), (1, 11), (3, 10), (1, 0))] == [False, False, True, False]


def note(number: int) -> Skipped:
    return Skipped(subject=str(number), place="/", reason="r")


def test_notes_beyond_the_limit_are_counted_and_doubles_are_not() -> None:
    notes = Notes("what", "/where", limit=2)
    for number in (1, 1, 2, 2, 3, 4, 1):
        notes.add(note(number))
    notes.left_out("the rest")
    counted = Skipped(subject="what", place="/where", reason="2 more that were not understood either")
    assert notes.all() == (note(1), note(2), Skipped(subject="what", place="/where", reason="the rest"), counted)
    assert notes.all() == notes.all()


def test_paths() -> None:
    assert is_path("/a" * (LONGEST_PATH // 2))
    assert not is_path("/" * (LONGEST_PATH + 1))
    assert not is_path("/a\0b")
    assert not is_path("/a\udcffb")
