"""The conda environments that a container described."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from envsync.catalog.bounds import Notes
from envsync.catalog.conda.find import RECORD_LIMIT, Conda, assemble, put_together, recorded
from envsync.catalog.conda.prefix import Prefix, RecordFile
from envsync.model import Distribution, Interpreter, Skipped
from envsync.probe.answered import AnsweredTree, CondaAnswer
from envsync.redaction import printable


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
    return put_together([_prefix(answer, seen, notes) for answer in answers], interpreters, notes)


def _prefix(answer: CondaAnswer, trees: tuple[AnsweredTree, ...], notes: Notes) -> Prefix:
    path = PurePosixPath(answer.prefix)
    tree = AnsweredTree(answer.files)
    missing = frozenset(answer.absent)
    return assemble(
        tree,
        path,
        _records(answer, notes),
        notes,
        absent=lambda paths: [one for one in paths if one in missing],
        recorded=lambda distribution: _recorded(trees, distribution),
    )


def _records(answer: CondaAnswer, notes: Notes) -> Iterator[RecordFile]:
    for name in sorted(answer.records):
        data = _inflated(answer.records[name])
        if data is None:
            place = printable(str(PurePosixPath(answer.prefix, "conda-meta", name)))
            notes.add(Skipped(subject=printable(name), place=place, reason="sent damaged, or too large"))
        else:
            yield RecordFile(name=name, data=data)


def _inflated(data: bytes) -> bytes | None:
    stream = zlib.decompressobj()
    try:
        whole = stream.decompress(data, RECORD_LIMIT)
    except zlib.error:
        return None
    return whole if stream.eof else None


def _recorded(trees: tuple[AnsweredTree, ...], distribution: Distribution) -> tuple[str, ...]:
    return next((found for tree in trees if (found := recorded(tree, distribution))), ())
