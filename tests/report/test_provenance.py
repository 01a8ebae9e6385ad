"""Why distributions are there and where they came from, in words."""

from __future__ import annotations

import pytest

from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, IndexFile, VcsOrigin
from envsync.names import normalized
from envsync.report.provenance import came_from, find_reasons, marks
from tests.drift.sides import published
from tests.factory import distribution, snapshot

GUESSED = IndexFile(filename="a-1.whl", sha256="a" * 64, proof="inferred", note="yanked")


def test_users_are_folded_and_a_circle_at_the_top_is_both() -> None:
    reasons = find_reasons(
        snapshot(
            *(distribution(f"u{n}", requires=("six",)) for n in range(5)),
            distribution("six"),
            distribution("a", requires=("b",)),
            distribution("b", requires=("a", "b[x]")),
        )
    )
    assert reasons.why(normalized("six")) == "needed by u0, u1, u2 and 2 more"
    assert reasons.why(normalized("u1")) == "top level"
    assert reasons.why(normalized("b")) == "top level; needed by a"


def test_a_list_gives_no_reasons() -> None:
    reasons = find_reasons(published(distribution("six")))
    assert (reasons.known, reasons.why(normalized("six"))) == (False, "")


@pytest.mark.parametrize(
    ("found", "words", "sentences"),
    [
        (distribution("a"), [], ["an index, it seems: nothing else is recorded"]),
        (
            distribution("a", file=GUESSED, patched=("a.py",)),
            ["inferred", "patched"],
            ["a-1.whl, a file of an index, inferred from its name and tags", "yanked"],
        ),
        (
            distribution("a", origin=DirectoryOrigin(url="file:///croot/a"), conda="a"),
            ["conda"],
            ["the conda package a"],
        ),
        (distribution("a", origin=DirectoryOrigin(url="file:///a")), ["from a folder"], ["from file:///a"]),
        (
            distribution("a", origin=ArchiveOrigin(url="https://me:pass@x/a.whl\x1b")),
            ["from a URL"],
            ["https://x/a.whl\\x1b"],
        ),
        (
            distribution("a", origin=VcsOrigin(url="https://x/a", vcs="hg", commit="12")),
            ["hg"],
            ["hg+https://x/a@12"],
        ),
    ],
)
def test_words_and_sentences(found: Distribution, words: list[str], sentences: list[str]) -> None:
    assert list(marks(found)) == words
    assert list(came_from(found)) == sentences
