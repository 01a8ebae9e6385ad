"""Reading files under a root: the one view that catalogs have, of an image and of this machine alike."""

from __future__ import annotations

import os
import stat as modes
from pathlib import PurePosixPath
from typing import Literal, Protocol

from msgspec import Struct

from envsync.elf import Elf, parse_elf
from envsync.errors import EnvsyncError
from envsync.reference import Digest

READ_LIMIT = 64 * 1024 * 1024
"""Bytes. No file that a catalog reads is honestly larger."""


class FileReadError(EnvsyncError):
    """A path that is absent, not a regular file, too large or unreadable. Catalogs turn it into ``Skipped``."""


class FileInfo(Struct, frozen=True, kw_only=True):
    """What a path leads to, once all links are followed."""

    path: PurePosixPath
    """The real path, without links."""
    kind: Literal["file", "directory", "other"]
    size: int
    """Bytes; 0 for anything but a file."""
    mode: int
    """Permission bits."""
    layer: Digest | None = None
    """Diff ID of the layer it comes from; ``None`` on this machine."""


class FileTree(Protocol):
    """Files under one root. Links are followed inside the root and cannot leave it; all paths are absolute."""

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        """What ``path`` leads to; ``None`` where nothing is, the link dangles or loops."""

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        """The target of the link that ``path`` itself is, as stored (maybe relative); ``None`` where it is none."""

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        """The names in a folder, sorted; empty where ``path`` is no folder."""

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        """The bytes of a regular file.

        Raises:
            FileReadError: the file is absent, no regular file, larger than ``limit`` bytes or unreadable.
        """


class ElfTree(FileTree, Protocol):
    """A tree that tells what ELF files need and define."""

    def elf(self, path: PurePosixPath) -> Elf | None:
        """What ``path`` leads to; ``None`` where that is no ELF file, or a damaged one."""


class SearchableTree(FileTree, Protocol):
    """A tree whose every path is known, so that it can be searched (an image; never this machine)."""

    def search(self, pattern: str) -> tuple[PurePosixPath, ...]:
        """Paths of all files and links whose name matches the regular expression ``pattern``, sorted.

        ``pattern`` is matched against the last part of the path (``python3``), with :func:`re.fullmatch`.
        """


class ImageTree(ElfTree, SearchableTree, Protocol):
    """A tree that can be searched for ELF files."""


class HostTree:
    """This machine's own files, or those under ``root``."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._elves: dict[PurePosixPath, Elf | None] = {}

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        """See :meth:`FileTree.stat`."""
        real = self._root + str(path)
        try:
            found = os.stat(real)
        except (OSError, ValueError):
            return None
        kind: Literal["file", "directory", "other"] = (
            "file" if modes.S_ISREG(found.st_mode) else "directory" if modes.S_ISDIR(found.st_mode) else "other"
        )
        resolved = os.path.realpath(real).removeprefix(self._root) or "/"
        return FileInfo(
            path=PurePosixPath(resolved),
            kind=kind,
            size=found.st_size if kind == "file" else 0,
            mode=modes.S_IMODE(found.st_mode),
        )

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        """See :meth:`FileTree.readlink`."""
        try:
            return PurePosixPath(os.readlink(self._root + str(path)))
        except (OSError, ValueError):
            return None

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        """See :meth:`FileTree.list`."""
        try:
            return tuple(sorted(os.listdir(self._root + str(path))))
        except (OSError, ValueError):
            return ()

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        """See :meth:`FileTree.read`."""
        try:
            with open(self._root + str(path), "rb", opener=_without_waiting) as stream:
                found = os.fstat(stream.fileno())
                if not modes.S_ISREG(found.st_mode):
                    raise FileReadError(f"{path}: cannot be read: not a regular file")
                # Asking for the limit at once would reserve as much memory, which takes longer than reading.
                expected = min(found.st_size, limit)
                data = stream.read(expected + 1)
                if len(data) > expected:
                    data += stream.read(limit - expected)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise FileReadError(f"{path}: cannot be read: {reason}") from error
        if len(data) > limit:
            raise FileReadError(f"{path}: larger than {limit} bytes")
        return data

    def elf(self, path: PurePosixPath) -> Elf | None:
        """See :meth:`ElfTree.elf`; a file is read once."""
        if path not in self._elves:
            self._elves[path] = self._elf(path)
        return self._elves[path]

    def _elf(self, path: PurePosixPath) -> Elf | None:
        found = self.stat(path)
        if found is None or found.kind != "file":  # opening a pipe would wait
            return None
        try:
            with open(self._root + str(path), "rb", opener=_without_waiting) as stream:
                return parse_elf(stream)
        except (OSError, ValueError):
            return None


def _without_waiting(path: str, flags: int) -> int:
    """Opening a pipe to which nobody writes, or a line of a modem, would wait; of regular files nothing changes."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
