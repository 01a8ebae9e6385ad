"""What passes between finding the files of a distribution and packing them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol

from msgspec import Struct

from envsync.errors import EnvsyncError
from envsync.files import FileTree
from envsync.redaction import printable

How = Literal["record", "installed-files", "top-level", "name"]
"""``name``: nothing in the image lists its files; modules that bear its name were taken for them."""
"""What told the files: ``RECORD``; ``installed-files.txt``; ``top_level.txt``, or the folder of an egg."""

MOST_FILES = 200_000
MOST_BYTES = 8 << 30

_NOTES = 50
_SHOWN = 300
_BAD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\\\]")


class RepackError(EnvsyncError):
    """A distribution that no wheel can be made of."""


class FileSource(FileTree, Protocol):
    """A tree whose files can be read in parts."""

    def open(self, path: PurePosixPath) -> BinaryIO:
        """A regular file as a stream that can seek.

        Raises:
            FileReadError: the file is absent, no regular file, or unreadable.
        """


class WheelFile(Struct, frozen=True, kw_only=True):
    """One file that goes into the wheel."""

    path: PurePosixPath
    """Where it is in the image, without links."""
    target: str
    """Where it goes in the wheel."""
    size: int
    executable: bool = False
    script: bool = False
    """Its first line may name the interpreter."""
    recorded: tuple[str, str] | None = None
    """Algorithm and Base64 digest, by the image's ``RECORD``."""
    member: str | None = None
    """Its name inside ``path``, where that is a zipped egg."""


class Files(Struct, frozen=True, kw_only=True):
    """What the wheel of one distribution consists of."""

    stem: str
    """``NAME-VERSION``, as the wheel's folders and its own name have it."""
    how: How
    files: tuple[WheelFile, ...]
    """By target."""
    wheel: bytes | None = None
    """``WHEEL``, where the image has one."""
    made: dict[str, bytes] = {}
    """Files of the ``.dist-info`` that are written anew, by name."""
    notes: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[PurePosixPath, ...]:
        """The files whose contents are needed, each once."""
        return tuple(dict.fromkeys(file.path for file in self.files))


class Repacked(Struct, frozen=True, kw_only=True):
    """A wheel that was made."""

    filename: str
    sha256: str
    """Hexadecimal."""
    size: int
    path: Path
    how: How
    tags: tuple[str, ...]
    """Each for itself: ``py2-none-any``, ``py3-none-any``."""
    platform: str | None = None
    """By its compiled files, whatever the tags say: ``manylinux_2_17_x86_64``; ``None`` where there are none."""
    patched: tuple[str, ...] = ()
    """Installed paths whose bytes are not those of the image's ``RECORD``, sorted."""
    notes: tuple[str, ...] = ()
    """What could not be put back, and what was assumed."""


class Notes:
    """The first notes, and how many there were beyond them."""

    def __init__(self, first: Iterable[str] = ()) -> None:
        self._notes: dict[str, None] = dict.fromkeys(first)
        self._more = 0

    def add(self, text: str) -> None:
        """Keep a note, fit for a terminal."""
        if len(self._notes) < _NOTES:
            self._notes.setdefault(printable(text if len(text) <= _SHOWN else text[:_SHOWN] + "..."))
        else:
            self._more += 1

    def all(self) -> tuple[str, ...]:
        """In the order they came."""
        return (*self._notes, *([f"{self._more} notes more"] if self._more else []))


def is_safe(target: str) -> bool:
    """Whether a path can stand in a wheel: relative, inside, UTF-8, of one line and the same on every system."""
    parts = target.split("/")
    return not _BAD.search(target) and not {"", ".", ".."} & set(parts) and len(target) <= 4096
