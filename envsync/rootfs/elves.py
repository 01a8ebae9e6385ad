"""What the ELF files of a layer need and define, learnt as they stream past."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import msgspec

from envsync.elf import MAGIC, Elf, parse_elf

LARGEST = 4 << 30
"""Bytes of a file that is looked into."""
MOST = 20_000
"""ELF files of one layer."""
_IN_MEMORY = 4 << 20
"""Bytes of a file. What its tables say may be anywhere in it, so that it is kept until its end was seen."""


class Passing:
    """Looks into files that stream past to somebody else, one after the other, in memory that is taken once."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._record: bytes | None = None

    def watch(self, pieces: Iterator[memoryview], size: int) -> Iterator[memoryview]:
        """The same pieces, of a file of so many bytes."""
        self._record = None
        first = next(pieces, memoryview(b""))
        yield first
        if first[: len(MAGIC)] != MAGIC:
            yield from pieces
        elif size > _IN_MEMORY:
            with TemporaryFile() as file:
                file.write(first)
                for piece in pieces:
                    file.write(piece)
                    yield piece
                self._record = record_of(parse_elf(cast("BinaryIO", file)))
        else:
            yield from self._copied(first, pieces, size)

    def _copied(self, first: memoryview, pieces: Iterator[memoryview], size: int) -> Iterator[memoryview]:
        if len(self._memory) < size:
            self._memory = bytearray(size)
        end = len(first)
        self._memory[:end] = first
        for piece in pieces:
            start, end = end, end + len(piece)
            self._memory[start:end] = piece
            yield piece
        with memoryview(self._memory) as whole:
            self._record = record_of(parse_elf(whole[:end]))

    def record(self) -> bytes | None:
        """Of the file that has passed: see :func:`record_of`."""
        return self._record


def record_of(elf: Elf | None) -> bytes | None:
    """As it is kept; ``None`` where it is no ELF file, or a damaged one."""
    return msgspec.msgpack.encode(elf) if elf is not None else None


def elf_of_record(data: bytes) -> Elf | None:
    """What :func:`record_of` gave; ``None`` for other bytes."""
    try:
        return msgspec.msgpack.decode(data, type=Elf)
    except msgspec.MsgspecError:
        return None
