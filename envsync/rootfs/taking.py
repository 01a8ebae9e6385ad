"""What is taken of the files of a layer as they stream past: contents, digests, and what ELF files need and define."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from envsync.elf import Fetch, parse_elf
from envsync.files import READ_LIMIT
from envsync.image.tar import TarEntry, TarReader
from envsync.rootfs.digests import digest_of_pieces
from envsync.rootfs.elves import LARGEST, MOST, Passing, record_of

if TYPE_CHECKING:
    from envsync.rootfs.scan import Budget, LayerContents

_DIGEST_COST = 40
_ELF_COST = 200
"""Bytes of memory that a digest, or an ELF file beyond its record, takes."""

Condense = Callable[[str, int], Callable[[bytes], bytes | None] | None]
"""By path and size: what makes of a file's contents what is kept, if anything; ``None``: they are kept as they are."""


class Taking:
    """Called with each file."""

    def __init__(
        self,
        wanted: Callable[[str], bool],
        contents: LayerContents,
        budget: Budget,
        condense: Condense,
        hashed: Callable[[str], bool],
        native: Callable[[str], bool],
        read_at: Fetch | None,
    ) -> None:
        self._wanted = wanted
        self._contents = contents
        self._budget = budget
        self._condense = condense
        self._hashed = hashed
        self._native = native
        self._read_at = read_at
        self._passing = Passing()

    def __call__(self, path: str, entry: TarEntry, reader: TarReader) -> int:
        """Keep of a file what is wanted; returns bytes of memory beyond the contents."""
        data: bytes | None = None
        if self._wanted(path) and entry.size <= READ_LIMIT:
            condense = self._condense(path, entry.size)
            data = self._data(reader, entry, condense)
            if data is not None:
                self._contents.kept[entry.offset] = data
            if condense is not None:
                return 0
        if data is None and entry.sparse is not None:
            return 0
        pieces = reader.pieces(entry) if data is None else iter((memoryview(data),))
        if self._native(path) and entry.size <= LARGEST:
            return self._look_into(path, entry, pieces)
        return self._digest(path, entry, pieces)

    def _look_into(self, path: str, entry: TarEntry, pieces: Iterator[memoryview]) -> int:
        """Keep what a library needs and defines; and its digest, which the same pieces give."""
        elves = self._contents.elves
        if len(elves) == MOST:
            self._contents.skip(path, f"more than {MOST} libraries in a layer")
            return self._digest(path, entry, pieces)
        if self._read_at is not None:
            cost = self._digest(path, entry, pieces)
            record = record_of(parse_elf(partial(_read_within, self._read_at, entry)))
        else:
            watched = self._passing.watch(pieces, entry.size)
            cost = self._digest(path, entry, watched)
            for _ in watched:
                pass
            record = self._passing.record()
            if self._passing.problem:
                self._contents.skip(path, self._passing.problem)
        if record is not None and self._budget.take_contents(len(record)):
            elves[entry.offset] = record
            cost += _ELF_COST
        elif record is not None:
            self._contents.skip(path, "a library, with no room left for what it needs")
        return cost

    def _digest(self, path: str, entry: TarEntry, pieces: Iterator[memoryview]) -> int:
        if not self._hashed(path):
            return 0
        self._contents.digests.add(entry.offset, digest_of_pieces(pieces, path, entry.size))
        return _DIGEST_COST

    def _data(
        self, reader: TarReader, entry: TarEntry, condense: Callable[[bytes], bytes | None] | None
    ) -> bytes | None:
        """What is kept of a file; ``None`` where the budget does not allow it."""
        if condense is None:
            return reader.read(entry) if self._budget.take_contents(entry.size) else None
        data = condense(reader.read(entry))
        return data if data is not None and self._budget.take_contents(len(data)) else None


def _read_within(read_at: Fetch, entry: TarEntry, offset: int, size: int) -> bytes:
    size = min(size, entry.size - offset)
    return read_at(entry.offset + offset, size) if size > 0 else b""
