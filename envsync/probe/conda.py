"""The conda environments that a container described."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from envsync.catalog.bounds import Notes
from envsync.catalog.conda.find import PREFIXES, RECORD_LIMIT, RECORDS, Conda, assemble, put_together, recorded
from envsync.catalog.conda.prefix import Prefix, RecordFile
from envsync.model import Distribution, Interpreter, Skipped
from envsync.probe.answered import AnsweredTree, CondaAnswer
from envsync.redaction import printable

_INFLATED = 512 << 20
"""Bytes of all records together."""


class _Records:
    """Inflates the records that a container sent, which may be a thousand times as large."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._room = _INFLATED

    def of(self, answer: CondaAnswer) -> Iterator[RecordFile]:
        """Those of one prefix, by name; what cannot be read is noted."""
        meta = PurePosixPath(answer.prefix, "conda-meta")
        names = sorted(answer.records)
        if len(names) > RECORDS:
            place = printable(str(meta))
            self._notes.left_out(f"{place}: more records than any honest image has: {RECORDS} are read")
        for name in names[:RECORDS]:
            data = self._inflated(answer.records[name])
            if data is None:
                place = printable(str(meta / name))
                self._notes.add(
                    Skipped(subject=printable(name), place=place, reason="not sent, or damaged, or too large")
                )
            else:
                yield RecordFile(name=name, data=data)

    def _inflated(self, data: bytes) -> bytes | None:
        if self._room <= 0:
            return None
        stream = zlib.decompressobj()
        try:
            whole = stream.decompress(data, RECORD_LIMIT)
        except zlib.error:
            return None
        self._room -= len(whole)
        return whole if stream.eof else None


def find_conda(
    answers: Sequence[CondaAnswer], interpreters: Sequence[Interpreter], trees: Iterable[AnsweredTree]
) -> Conda:
    """As :func:`envsync.catalog.conda.find_conda`, of what a container sent.

    Args:
        answers: one a prefix.
        interpreters: the first is the environment.
        trees: what each interpreter saw, for the RECORD of distributions.
    """
    notes = Notes("conda environments", "/")
    seen = tuple(trees)
    if len(answers) > PREFIXES:
        notes.left_out(f"more conda environments than any honest image has: {PREFIXES} are described")
    records = _Records(notes)
    return put_together((_prefix(answer, seen, records, notes) for answer in answers[:PREFIXES]), interpreters, notes)


def _prefix(answer: CondaAnswer, trees: tuple[AnsweredTree, ...], records: _Records, notes: Notes) -> Prefix:
    path = PurePosixPath(answer.prefix)
    tree = AnsweredTree(answer.files)
    missing = frozenset(answer.absent)
    return assemble(
        tree,
        path,
        records.of(answer),
        notes,
        absent=lambda paths: [one for one in paths if one in missing],
        recorded=lambda distribution: _recorded(trees, distribution),
    )


def _recorded(trees: tuple[AnsweredTree, ...], distribution: Distribution) -> tuple[str, ...]:
    return next((found for tree in trees if (found := recorded(tree, distribution))), ())
