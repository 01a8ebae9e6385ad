"""What is learnt of ELF files that stream past, of which only some parts are copied."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsync.elf import parse_elf
from envsync.rootfs.elves import Passing, elf_of_record

MIB = 1 << 20


def pieces(data: bytes, size: int = 256 * 1024) -> Iterator[memoryview]:
    return (memoryview(data)[start : start + size] for start in range(0, len(data), size))


def real() -> list[Path]:
    folders = (
        Path(sys.base_prefix),
        *(Path(entry) for entry in sys.path if entry.endswith("site-packages")),
        Path("/usr/lib"),
    )
    found = [path for folder in folders for path in sorted(folder.rglob("*.so*")) if path.is_file()]
    return [*found[:400], *sorted(found, key=lambda path: -path.stat().st_size)[:10]]


@pytest.mark.skipif(sys.platform != "linux", reason="ELF files are Linux's")
def test_of_real_files_the_parts_that_are_copied_are_enough() -> None:
    """However linkers, and tools after them, laid these out."""
    passing = Passing()
    for path in real():
        data = path.read_bytes()
        passed = list(passing.watch(pieces(data), len(data)))
        assert sum(map(len, passed)) == len(data)
        assert elf_of_record(passing.record() or b"") == parse_elf(data), path
        assert passing.problem == ""


def elf(*, strings: int, size: int) -> Iterator[memoryview]:
    """A shared object whose names are at an offset, piece by piece."""
    names = b"\0libneeded.so.1\0"
    dynamic = struct.pack("<6Q", 5, strings, 1, 1, 0, 0)
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    loaded = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    headed = struct.pack("<IIQQQQQQ", 2, 6, size - MIB, size - MIB, 0, len(dynamic), len(dynamic), 8)
    parts = {0: header + loaded + headed, strings: names, size - MIB: dynamic}
    for start in range(0, size, MIB):
        piece = bytearray(MIB)
        for offset, part in parts.items():
            if start <= offset < start + MIB:
                piece[offset - start : offset - start + len(part)] = part
        yield memoryview(piece)


def test_names_far_into_a_large_file() -> None:
    passing = Passing()
    for _ in passing.watch(elf(strings=60 * MIB, size=80 * MIB), 80 * MIB):
        pass
    found = elf_of_record(passing.record() or b"")
    assert found is not None
    assert found.needed == ("libneeded.so.1",)


def test_names_where_nothing_is_copied() -> None:
    """It is told: a file that follows is known again."""
    passing = Passing()
    for _ in passing.watch(elf(strings=70 * MIB, size=80 * MIB), 80 * MIB):
        pass
    assert passing.record() is None
    assert passing.problem == "a library whose tables lie further in than is kept of it: what it needs is not known"
    for _ in passing.watch(elf(strings=2 * MIB, size=4 * MIB), 4 * MIB):
        pass
    assert (passing.record() is not None, passing.problem) == (True, "")


def test_who_stops_in_the_middle_keeps_nobody_waiting() -> None:
    for _ in Passing().watch(elf(strings=60 * MIB, size=80 * MIB), 80 * MIB):
        break
    test_names_far_into_a_large_file()
