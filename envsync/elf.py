"""What the dynamic section of an ELF file asks of the machine that loads it.

Format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, and of symbol versions
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Literal

from msgspec import Struct

MAGIC = b"\x7fELF"

_MACHINES = {
    3: "i686",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
_PPC64 = 21

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_VERNEED, _VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF

# Bounds: each is many times what the largest libraries in use have.
_SEGMENTS = 1_000
_DYNAMIC = 10_000
_LIBRARIES = 2_000
_VERSIONS = 20_000
_LONGEST = 4096


class Elf(Struct, frozen=True, kw_only=True):
    """One ELF file. Names are as stored, and printable."""

    bits: Literal[32, 64]
    endianness: Literal["little", "big"]
    machine: str
    """As ``uname -m`` spells it; ``machine-NUMBER`` where it is none that manylinux knows."""
    interpreter: str | None = None
    """The dynamic loader that a program names: ``/lib64/ld-linux-x86-64.so.2``."""
    dynamic: bool = False
    """Whether there is a dynamic section: a static program, or an object file, has none."""
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    """Where there is one, loaders pass over ``rpath``."""
    version_needed: dict[str, tuple[str, ...]] = {}
    """By soname, the versions of its symbols that are asked for: ``{"libc.so.6": ("GLIBC_2.17",)}``."""


def parse_elf(data: bytes | BinaryIO) -> Elf | None:
    """Read the headers and the dynamic section; of a file, a few kilobytes are read.

    Args:
        data: the bytes, or a stream that can seek.

    Returns:
        ``None`` where it is no ELF file, or a damaged one. Never raises but what the stream raises.
    """
    try:
        return _Reader(io.BytesIO(data) if isinstance(data, bytes) else data).read()
    except _DamagedError:
        return None


class _DamagedError(Exception):
    """Not what the format says; never leaves this module."""


class _Reader:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.seek(0)
        start = stream.read(16)
        if len(start) < 16 or start[:4] != MAGIC or start[4] not in (1, 2) or start[5] not in (1, 2):
            raise _DamagedError
        self._wide = start[4] == 2
        self._order = "<" if start[5] == 1 else ">"
        self._loads: list[tuple[int, int, int]] = []
        """Address, size in the file and offset of each part that is loaded."""

    def read(self) -> Elf:
        _, number, _, _, table, _, _, _, size, count = self._unpack("HHIQQQIHHH" if self._wide else "HHIIIIIHHH", 16)
        interpreter: str | None = None
        dynamic: tuple[int, int] | None = None
        if count > _SEGMENTS:
            raise _DamagedError
        for index in range(count):
            kind, offset, address, length = self._segment(table + index * size)
            if kind == _PT_LOAD:
                self._loads.append((address, length, offset))
            elif kind == _PT_DYNAMIC:
                dynamic = (offset, length)
            elif kind == _PT_INTERP:
                interpreter = self._string(offset)
        entries = self._dynamic(*dynamic) if dynamic is not None else {}
        strings = self._offset(entries[_STRTAB][0]) if _STRTAB in entries else 0

        def texts(tag: int) -> tuple[str, ...]:
            return tuple(self._string(strings + value) for value in entries.get(tag, ())[:_LIBRARIES])

        return Elf(
            bits=64 if self._wide else 32,
            endianness="little" if self._order == "<" else "big",
            machine=self._machine(number),
            interpreter=interpreter,
            dynamic=dynamic is not None,
            needed=texts(_NEEDED),
            soname=next(iter(texts(_SONAME)), None),
            rpath=_folders(texts(_RPATH)),
            runpath=_folders(texts(_RUNPATH)),
            version_needed=self._versions(entries, strings),
        )

    def _machine(self, number: int) -> str:
        if number == _PPC64:
            return "ppc64le" if self._order == "<" else "ppc64"
        return _MACHINES.get(number, f"machine-{number}")

    def _segment(self, offset: int) -> tuple[int, int, int, int]:
        """Its kind, offset, address and size in the file."""
        if self._wide:
            kind, _, start, address, _, length = self._unpack("IIQQQQ", offset)
        else:
            kind, start, address, _, length = self._unpack("IIIII", offset)
        return kind, start, address, length

    def _dynamic(self, offset: int, length: int) -> dict[int, list[int]]:
        layout = "QQ" if self._wide else "II"
        size = 16 if self._wide else 8
        found: dict[int, list[int]] = {}
        for index in range(min(length // size, _DYNAMIC)):
            tag, value = self._unpack(layout, offset + index * size)
            if tag == 0:
                break
            found.setdefault(tag, []).append(value)
        return found

    def _versions(self, entries: dict[int, list[int]], strings: int) -> dict[str, tuple[str, ...]]:
        if _VERNEED not in entries:
            return {}
        found: dict[str, tuple[str, ...]] = {}
        place = self._offset(entries[_VERNEED][0])
        left = _VERSIONS
        for _ in range(min(entries.get(_VERNEEDNUM, [0])[0], _LIBRARIES)):
            _, count, file, first, following = self._unpack("HHIII", place)
            names: list[str] = []
            inner = place + first
            for _ in range(count):
                left -= 1
                if left < 0:
                    raise _DamagedError
                _, _, _, name, step = self._unpack("IHHII", inner)
                names.append(self._string(strings + name))
                if not step:
                    break
                inner += step
            library = self._string(strings + file)
            found[library] = tuple(dict.fromkeys((*found.get(library, ()), *names)))
            if not following:
                break
            place += following
        return found

    def _offset(self, address: int) -> int:
        """Where in the file that is which is loaded at ``address``."""
        for start, length, offset in self._loads:
            if start <= address < start + length:
                return offset + address - start
        raise _DamagedError

    def _string(self, offset: int) -> str:
        text, end, _ = self._bytes(offset, _LONGEST, at_least=1).partition(b"\0")
        try:
            name = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _DamagedError from error
        if not end or not name.isprintable():
            raise _DamagedError
        return name

    def _unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        layout = self._order + layout
        size = struct.calcsize(layout)
        return struct.unpack(layout, self._bytes(offset, size, at_least=size))

    def _bytes(self, offset: int, size: int, *, at_least: int) -> bytes:
        if not 0 <= offset < 1 << 62:  # beyond, seek() itself refuses
            raise _DamagedError
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) < at_least:
            raise _DamagedError
        return data


def _folders(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(folder for value in values for folder in value.split(":") if folder)
