"""What the dynamic section of an ELF file asks of the machine that loads it.

Format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, and of symbol versions
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
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
_READ = 4
"""Flags of a segment that is neither run nor written."""
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 10, 14, 15, 29
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_BASE = 1
"""Flag of the version that stands for the file itself."""
_WEAK = 2
"""Flag of a version that may be absent: ld.so of glibc then warns at most."""

# Bounds: each is many times what the largest libraries in use have.
_SEGMENTS = 1_000
_TABLES = 64 << 20
"""Bytes that the tables of a file may take: they are 36 of TensorFlow's 505 MB."""
_SMALL = 2 << 20
"""Bytes of a segment that a tool may have added for them."""
_PLACES = 8
_DYNAMIC = 10_000
_LIBRARIES = 2_000
_VERSIONS = 5_000
_LONGEST = 4096
_STRINGS = 1 << 17
"""Bytes of strings that are read at once."""


Fetch = Callable[[int, int], bytes]
"""Takes an offset and a size; gives fewer bytes only at the end of the file."""


class Elf(Struct, frozen=True, kw_only=True, omit_defaults=True):
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
    version_defined: tuple[str, ...] = ()
    """The versions of its own symbols; empty: it has none, and loaders take it whatever version is asked for."""


def parse_elf(data: bytes | memoryview | BinaryIO | Fetch) -> Elf | None:
    """Read the headers and the dynamic section; of a file, a few kilobytes are read.

    Args:
        data: the bytes, a stream that can seek, or what reads some of them.

    Returns:
        ``None`` where it is no ELF file, or a damaged one. Never raises but what the stream raises.
    """
    fetch = data if callable(data) else _slicing(data) if isinstance(data, (bytes, memoryview)) else _reading(data)
    try:
        return _Reader(fetch).read()
    except _DamagedError:
        return None


def table_places(start: memoryview, size: int) -> tuple[tuple[int, int], ...]:
    """Where in a file the tables are that :func:`parse_elf` reads: first and last offset of each part, in order, apart.

    By its program headers: linkers put names and versions at the beginning of what is loaded first, before code, or of
    what is only read, and the dynamic section among the last; tools that change names put theirs into a segment of its
    own.

    Args:
        start: the first bytes of the file, with its program headers.
        size: of all of it.
    """
    places = [(0, len(start))]
    heads: dict[bool, tuple[int, int]] = {}
    try:
        for kind, flags, offset, _, length in _Reader(_slicing(start)).segments():
            if kind == _PT_DYNAMIC or (kind == _PT_LOAD and length <= _SMALL):
                places.append((offset, min(length, _SMALL)))
            if kind == _PT_LOAD and (not heads or flags == _READ):
                heads.setdefault(flags == _READ, (offset, length))
    except _DamagedError:
        return ()
    places += [(offset, min(length, _TABLES // len(heads))) for offset, length in heads.values()]
    joined: list[tuple[int, int]] = []
    for offset, length in sorted(places):
        first, last = min(offset, size), min(offset + length, size)
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        elif len(joined) < _PLACES:
            joined.append((first, last))
    return tuple(joined)


class _DamagedError(Exception):
    """Not what the format says; never leaves this module."""


class _Reader:
    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        start = fetch(0, 16)
        if len(start) < 16 or start[:4] != MAGIC or start[4] not in (1, 2) or start[5] not in (1, 2):
            raise _DamagedError
        self._wide = start[4] == 2
        self._order = "<" if start[5] == 1 else ">"
        self._loads: list[tuple[int, int, int]] = []
        """Address, size in the file and offset of each part that is loaded."""
        self._strings = 0
        self._table = b""
        self._left = _VERSIONS

    def segments(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Of each its kind, flags, offset, address and size in the file."""
        _, _, _, _, table, _, _, _, size, count = self._header()
        if count > _SEGMENTS:
            raise _DamagedError
        for offset in range(table, table + count * size, size) if size else ():
            if self._wide:
                kind, flags, start, address, _, length = self._unpack("IIQQQQ", offset)
            else:
                kind, start, address, _, length, _, flags = self._unpack("IIIIIII", offset)
            yield kind, flags, start, address, length

    def _header(self) -> tuple[int, ...]:
        return self._unpack("HHIQQQIHHH" if self._wide else "HHIIIIIHHH", 16)

    def read(self) -> Elf:
        number = self._header()[1]
        interpreter: str | None = None
        dynamic: tuple[int, int] | None = None
        for kind, _, offset, address, length in self.segments():
            if kind == _PT_LOAD:
                self._loads.append((address, length, offset))
            elif kind == _PT_DYNAMIC:
                dynamic = (offset, length)
            elif kind == _PT_INTERP:
                interpreter = self._string_at(offset)
        entries = self._dynamic(*dynamic) if dynamic is not None else {}
        if _STRTAB in entries:
            self._strings = self._offset(entries[_STRTAB][0])
            self._table = self._bytes(self._strings, min(entries.get(_STRSZ, [0])[0], _STRINGS))

        def texts(tag: int) -> tuple[str, ...]:
            return tuple(map(self._string, entries.get(tag, ())[:_LIBRARIES]))

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
            version_needed=self._versions_needed(entries),
            version_defined=self._versions_defined(entries),
        )

    def _machine(self, number: int) -> str:
        if number == _PPC64:
            return "ppc64le" if self._order == "<" else "ppc64"
        return _MACHINES.get(number, f"machine-{number}")

    def _dynamic(self, offset: int, length: int) -> dict[int, list[int]]:
        layout = struct.Struct(self._order + ("QQ" if self._wide else "II"))
        size = min(length // layout.size, _DYNAMIC) * layout.size
        data = self._bytes(offset, size)
        if len(data) < size:
            raise _DamagedError
        found: dict[int, list[int]] = {}
        for tag, value in layout.iter_unpack(data):
            if tag == 0:
                break
            found.setdefault(tag, []).append(value)
        return found

    def _versions_needed(self, entries: dict[int, list[int]]) -> dict[str, tuple[str, ...]]:
        if _VERNEED not in entries:
            return {}
        found: dict[str, dict[str, None]] = {}
        place = self._offset(entries[_VERNEED][0])
        for _ in range(min(entries.get(_VERNEEDNUM, [0])[0], _LIBRARIES)):
            _, count, file, first, following = self._unpack("HHIII", place)
            names: list[str] = []
            inner = place + first
            for _ in range(count):
                self._count()
                _, flags, _, name, step = self._unpack("IHHII", inner)
                names += [] if flags & _WEAK else [self._string(name)]
                if not step:
                    break
                inner += step
            found.setdefault(self._string(file), {}).update(dict.fromkeys(names))
            if not following:
                break
            place += following
        return {library: tuple(names) for library, names in found.items()}

    def _versions_defined(self, entries: dict[int, list[int]]) -> tuple[str, ...]:
        if _VERDEF not in entries:
            return ()
        found: list[str] = []
        place = self._offset(entries[_VERDEF][0])
        for _ in range(entries.get(_VERDEFNUM, [0])[0]):
            self._count()
            _, flags, _, _, _, first, following = self._unpack("HHHHIII", place)
            name, _ = self._unpack("II", place + first)
            if not flags & _BASE:
                found.append(self._string(name))
            if not following:
                break
            place += following
        return tuple(found)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _DamagedError

    def _offset(self, address: int) -> int:
        """Where in the file that is which is loaded at ``address``."""
        for start, length, offset in self._loads:
            if start <= address < start + length:
                return offset + address - start
        raise _DamagedError

    def _string(self, index: int) -> str:
        """One of the strings of the dynamic section."""
        end = self._table.find(b"\0", index, index + _LONGEST)
        return _text(self._table[index:end]) if end >= 0 else self._string_at(self._strings + index)

    def _string_at(self, offset: int) -> str:
        text, end, _ = self._bytes(offset, _LONGEST).partition(b"\0")
        if not end:
            raise _DamagedError
        return _text(text)

    def _unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        one = struct.Struct(self._order + layout)
        data = self._bytes(offset, one.size)
        if len(data) < one.size:
            raise _DamagedError
        return one.unpack(data)

    def _bytes(self, offset: int, size: int) -> bytes:
        if not 0 <= offset < 1 << 62:  # beyond, seek() itself refuses
            raise _DamagedError
        return self._fetch(offset, size)


def _slicing(data: bytes | memoryview) -> Fetch:
    return lambda offset, size: bytes(data[offset : offset + size])


def _reading(stream: BinaryIO) -> Fetch:
    def fetch(offset: int, size: int) -> bytes:
        stream.seek(offset)
        return stream.read(size)

    return fetch


def _text(data: bytes) -> str:
    try:
        name = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _DamagedError from error
    if not name.isprintable():
        raise _DamagedError
    return name


def _folders(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(folder for value in values for folder in value.split(":") if folder)
