"""What rpm keeps of an installed package: https://rpm-software-management.github.io/rpm/manual/format_header.html."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

from envsync.errors import EnvsyncError
from envsync.model import OsPackage

NAME, VERSION, RELEASE, EPOCH, ARCH, SOURCE = 1000, 1001, 1002, 1003, 1022, 1044
STATES, FOLDERS_OF, BASENAMES, FOLDERS = 1029, 1116, 1117, 1118
TAGS = (NAME, VERSION, RELEASE, EPOCH, ARCH, STATES, SOURCE, FOLDERS_OF, BASENAMES, FOLDERS)
"""All that is asked of a header."""

LONGEST = 16 << 20
"""Bytes of one header. rpm allows 256 MB; those of texlive and of kernels have three."""

_MOST_ENTRIES, _MOST_VALUES = 0xFFFF, 0xFFFFF
_BINARY = 7
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
_STRING, _STRINGS = 6, (6, 8, 9)
_NUMBERS = {1: "B", 2: "B", 4: "I"}
_INSTALLED = (0, 3)
"""States of files that are there; others were replaced, left out or are of another word size."""

_WORD = re.compile(r"[!-~]{1,500}")
_SOURCE = re.compile(r"(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm")
KEY = "gpg-pubkey"
"""What rpm has keys under, as if they were packages."""


class StoreError(EnvsyncError):
    """A store or a header that is damaged, or of an unknown kind. The catalog turns it into ``Skipped``."""


class Header:
    """One header, without its magic: an index of tags, and their data."""

    def __init__(self, blob: bytes) -> None:
        """Read the index.

        Raises:
            StoreError: it is damaged.
        """
        count, size = struct.unpack_from(">II", blob) if len(blob) >= 8 else (0, len(blob))
        start = 8 + 16 * count
        if count > _MOST_ENTRIES or start + size != len(blob):
            raise StoreError("a header that is not as long as it says")
        self._data = blob[start:]
        self._entries: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, number in struct.iter_unpack(">IIiI", blob[8:start]):
            if kind != _BINARY and number > _MOST_VALUES:
                raise StoreError("a header with more values than rpm allows")
            self._entries.setdefault(tag, (kind, offset, number))

    def texts(self, tag: int) -> list[bytes]:
        """The strings of a tag; none where it is absent.

        Raises:
            StoreError: they are damaged.
        """
        kind, offset, count = self._entries.get(tag, (_STRING, 0, 0))
        if kind not in _STRINGS or offset < 0:
            raise StoreError(f"tag {tag} is no text")
        found = self._data[offset:].split(b"\0", count)[:-1] if count else []
        if len(found) != count:
            raise StoreError(f"tag {tag} leads out of its header")
        return found

    def text(self, tag: int) -> str:
        """The first string of a tag; empty where it is absent."""
        found = self.texts(tag)
        return found[0].decode("utf-8", "replace") if found else ""

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The numbers of a tag; none where it is absent.

        Raises:
            StoreError: they are damaged.
        """
        kind, offset, count = self._entries.get(tag, (4, 0, 0))
        if kind not in _NUMBERS:
            raise StoreError(f"tag {tag} is no number")
        return struct.unpack(f">{count}{_NUMBERS[kind]}", self._slice(tag, kind, offset, count))

    def only(self, tags: Collection[int]) -> bytes:
        """The same header with fewer tags.

        Raises:
            StoreError: one of them is damaged.
        """
        index, data = b"", b""
        for tag in tags:
            entry = self._entries.get(tag)
            if entry is not None:
                index += struct.pack(">IIiI", tag, entry[0], len(data), entry[2])
                data += self._slice(tag, *entry)
        return struct.pack(">II", len(index) // 16, len(data)) + index + data

    def _slice(self, tag: int, kind: int, offset: int, count: int) -> bytes:
        size = sum(map(len, self.texts(tag))) + count if kind in _STRINGS else _SIZES.get(kind, 0) * count
        end = offset + size
        if not 0 <= offset <= end <= len(self._data):
            raise StoreError(f"tag {tag} leads out of its header")
        return self._data[offset:end]


def package_of(header: Header) -> OsPackage | None:
    """The package that a header is of; ``None`` for a key that packages are verified with.

    Raises:
        StoreError: it is damaged.
    """
    name, version, release = (header.text(tag) for tag in (NAME, VERSION, RELEASE))
    if name == KEY:
        return None
    architecture = header.text(ARCH) or "noarch"
    origin = source_name(header.text(SOURCE)) or name
    if not all(_WORD.fullmatch(value) for value in (name, version, release, architecture, origin)):
        raise StoreError("a header without a usable name, version or architecture")
    epoch = header.numbers(EPOCH)
    return OsPackage(
        manager="rpm",
        name=name,
        version=f"{epoch[0]}:{version}-{release}" if epoch and epoch[0] else f"{version}-{release}",
        architecture=architecture,
        source=origin,
    )


def source_name(file: str) -> str | None:
    """The name in the name of a source package's file; ``None`` where it is none."""
    match = _SOURCE.fullmatch(file)
    return match[1] if match else None


def files_of(header: Header, names: AbstractSet[bytes]) -> Iterator[bytes]:
    """Absolute paths of the files of a package whose last part is one of ``names``.

    Raises:
        StoreError: it is damaged.
    """
    basenames = header.texts(BASENAMES)
    if names.isdisjoint(basenames):
        return
    folders, indices, states = header.texts(FOLDERS), header.numbers(FOLDERS_OF), header.numbers(STATES)
    for number, name in enumerate(basenames):
        if name in names and (number >= len(states) or states[number] in _INSTALLED):
            if number >= len(indices) or indices[number] >= len(folders):
                raise StoreError("a file without a folder")
            yield folders[indices[number]] + name
