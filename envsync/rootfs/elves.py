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
_IN_MEMORY = 16 << 20
"""Bytes of a file. What its tables say may be anywhere in it, so that it is kept until its end was seen."""


class Passing:
    """Looks into files that stream past to somebody else, one after the other, in memory that is taken once."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._record: bytes | None = None

    def watch(self, pieces: Iterator[memoryview], size: int) -> Iterator[memoryview]:
        """The same pieces, of a file of so many bytes; none but the first where it is no ELF file."""
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
                self._keep(parse_elf(cast("BinaryIO", file)))
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
            self._keep(parse_elf(whole[:end]))

    def _keep(self, elf: Elf | None) -> None:
        self._record = msgspec.msgpack.encode(elf) if elf is not None else None

    def record(self) -> bytes | None:
        """Of the file that has passed, for :func:`elf_of_record`; ``None``: it is no ELF file, or a damaged one."""
        return self._record


def elf_of_record(data: bytes) -> Elf | None:
    """What :meth:`Passing.record` gave; ``None`` for other bytes."""
    try:
        return msgspec.msgpack.decode(data, type=Elf)
    except msgspec.MsgspecError:
        return None
