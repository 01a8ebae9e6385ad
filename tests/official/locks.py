"""Rows of the catalogue with locks of one image."""

from __future__ import annotations

from pathlib import Path

from envsync.errors import LockError
from envsync.model import Doubt, ImageSource, ListSource, Source
from envsync.official import ImageRow, rows
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
