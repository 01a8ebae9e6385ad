"""What the ELF files of a layer need and define, learnt as they stream past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from threading import Lock

import msgspec

from envsync.elf import MAGIC, Elf, parse_elf, table_places

LARGEST = 4 << 30
"""Bytes of a file that is looked into."""
MOST = 20_000
"""ELF files of one layer."""
_LARGE = 8 << 20
"""Bytes of a file that are copied in memory of their own, which but one of all layers has at a time."""
_ONE_AT_A_TIME = Lock()


class Passing:
    """Looks into files that stream past to somebody else, one after the other, in memory that is taken once.

    Only those parts of a file are copied that have its tables.
    """

    def __init__(self) -> None:
        self._memory = bytearray()
        self._record: bytes | None = None
        self.problem = ""
        """Why nothing is known of a file that has passed, where that is not its own fault."""

    def watch(self, pieces: Iterator[memoryview], size: int) -> Iterator[memoryview]:
        """The same pieces, of a file of so many bytes."""
        self._record, self.problem = None, ""
        first = next(pieces, memoryview(b""))
        places = table_places(first, size) if first[: len(MAGIC)] == MAGIC else ()
        if not places:
            yield first
            yield from pieces
            return
        is_large = sum(last - first for first, last in places) > _LARGE
        with _ONE_AT_A_TIME if is_large else nullcontext():
            kept = _Kept(bytearray() if is_large else self._memory, places, size)
            start = 0
            for piece in chain((first,), pieces):
                kept.take(start, piece)
                start += len(piece)
                yield piece
            self._record = record_of(parse_elf(kept.fetch))
            if self._record is None and kept.is_missed:
                self.problem = "a library whose tables lie further in than is kept of it: what it needs is not known"

    def record(self) -> bytes | None:
        """Of the file that has passed: see :func:`record_of`."""
        return self._record


class _Kept:
    """Parts of a file, one behind the other in one piece of memory."""

    def __init__(self, memory: bytearray, places: tuple[tuple[int, int], ...], size: int) -> None:
        self._memory = memory
        self._size = size
        self.is_missed = False
        """Whether something was asked for that was not copied."""
        self._places: list[tuple[int, int, int]] = []
        room = 0
        for first, last in places:
            self._places.append((first, last, room))
            room += last - first
        if len(memory) < room:
            memory.extend(bytes(room - len(memory)))

    def take(self, start: int, piece: memoryview) -> None:
        """Copy what is wanted of the bytes at an offset."""
        end = start + len(piece)
        for first, last, at in self._places:
            one, other = max(start, first), min(end, last)
            if one < other:
                self._memory[at + one - first : at + other - first] = piece[one - start : other - start]

    def fetch(self, offset: int, size: int) -> bytes:
        """What was copied of the file: see :data:`envsync.elf.Fetch`."""
        for first, last, at in self._places:
            if first <= offset < last:
                start = at + offset - first
                return bytes(self._memory[start : start + min(size, last - offset)])
        self.is_missed |= offset < self._size
        return b""


def record_of(elf: Elf | None) -> bytes | None:
    """As it is kept; ``None`` where it is no ELF file, or a damaged one."""
    return msgspec.msgpack.encode(elf) if elf is not None else None


def elf_of_record(data: bytes) -> Elf | None:
    """What :func:`record_of` gave; ``None`` for other bytes."""
    try:
        return msgspec.msgpack.decode(data, type=Elf)
    except msgspec.MsgspecError:
        return None
