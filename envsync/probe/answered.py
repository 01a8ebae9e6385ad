"""The documents that ``describe.py`` and those with it write inside a container, decoded and checked, and no more.

They are made by what an image runs: any of it may be wrong, or meant to harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from envsync.errors import ProbeError
from envsync.files import READ_LIMIT, FileInfo, FileReadError
from envsync.redaction import printable

_Absolute = Annotated[str, Meta(pattern=r"\A/", max_length=4096)]
_Version = Annotated[str, Meta(pattern=r"\A[23]\.\d{1,2}\.\d{1,3}(?:(?:a|b|c|rc)\d{1,3})?\+?\Z")]
_Count = Annotated[int, Meta(ge=0, le=1 << 62)]
_T = TypeVar("_T")


class Note(Struct, frozen=True, kw_only=True):
    """What is at a path."""

    kind: Literal["file", "directory", "other"]
    real: _Absolute
    mode: _Count = 0
    size: _Count = 0
    names: tuple[str, ...] = ()
    data: bytes | None = None
    error: str | None = None


class Printed(Struct, frozen=True, kw_only=True):
    """What one command of pip or conda printed."""

    output: str
    problem: str | None


class Pip(Struct, frozen=True, kw_only=True):
    """What pip says."""

    freeze: Printed
    version: Printed


class Described(Struct, frozen=True, kw_only=True):
    """What one interpreter says of itself."""

    executable: str
    version: _Version
    implementation: str
    soabi: str | None
    debug: bool
    free_threaded: bool
    pymalloc: bool
    wide_unicode: bool
    libc: str | None
    prefix: _Absolute
    base_prefix: _Absolute
    real_prefix: _Absolute
    real_base_prefix: _Absolute
    externally_managed: bool
    path: tuple[str, ...]
    files: dict[str, Note]
    pip: Pip | None


class Asked(Struct, frozen=True, kw_only=True):
    """One interpreter, by all its names, and its answer."""

    names: Annotated[tuple[_Absolute, ...], Meta(min_length=1)]
    real: _Absolute
    text: str | None
    """JSON of :class:`Described`."""
    problem: str | None


class Command(Struct, frozen=True, kw_only=True):
    """What a name means on PATH."""

    name: str
    path: _Absolute
    leads_to: _Absolute | None
    """The interpreter; ``None`` where ``path`` is a script that starts none."""


class System(Struct, frozen=True, kw_only=True):
    """The operating system."""

    files: dict[str, Note]
    dpkg: str | None
    apk: str | None
    rpm: str | None
    musl: str | None
    machine: str
    path: str
    home: str


class CondaClient(Struct, frozen=True, kw_only=True):
    """What a conda, mamba or micromamba of the image says of a prefix."""

    program: _Absolute
    explicit: Printed
    """Of ``conda list --explicit --md5``."""
    export: Printed
    """Of ``conda env export``."""


class CondaAnswer(Struct, frozen=True, kw_only=True):
    """One conda prefix."""

    prefix: _Absolute
    records: dict[str, bytes]
    """zlib, by name of the file in ``conda-meta``."""
    absent: tuple[str, ...]
    """Files of the records, relative to the prefix, at which nothing is."""
    files: dict[str, Note]
    client: CondaClient | None = None
    """Only of the environment's own prefix, and only where the image has one."""


class Document(Struct, frozen=True, kw_only=True):
    """All that one container answered."""

    interpreters: Annotated[tuple[Asked, ...], Meta(min_length=1)]
    commands: tuple[Command, ...]
    chosen: _Absolute | None
    main: str
    system: System
    conda: tuple[CondaAnswer, ...] = ()


def decode(data: bytes | str, kind: type[_T], *, where: str) -> _T:
    """Decode one document.

    Raises:
        ProbeError: it is not what was asked for; the message names the key.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProbeError(
            f"{where}: answered nonsense: {printable(str(error))[:300]}",
            hint="Something in the image changes what Python prints. --method read runs nothing of it.",
        ) from error


class AnsweredTree:
    """The files that a container sent: a :class:`envsync.files.FileTree` for the catalogs."""

    def __init__(self, notes: Mapping[str, Note]) -> None:
        self._notes = {PurePosixPath(path): note for path, note in notes.items()}

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        """See :meth:`envsync.files.FileTree.stat`."""
        note = self._notes.get(path)
        if note is None:
            return None
        return FileInfo(path=PurePosixPath(note.real), kind=note.kind, size=note.size, mode=note.mode)

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        """See :meth:`envsync.files.FileTree.readlink`; links were followed in the container."""
        return None

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        """See :meth:`envsync.files.FileTree.list`."""
        note = self._notes.get(path)
        return note.names if note is not None else ()

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        """See :meth:`envsync.files.FileTree.read`."""
        note = self._notes.get(path)
        if note is None:
            raise FileReadError(f"{path}: no such file")
        if note.data is None:
            raise FileReadError(f"{path}: cannot be read: {printable(note.error or 'not a regular file')}")
        if len(note.data) > limit:
            raise FileReadError(f"{path}: larger than {limit} bytes")
        return note.data
