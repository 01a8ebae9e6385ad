"""What happens during ``create``, told as it happens; from whichever thread notices it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class InterpreterFound(Struct, frozen=True, kw_only=True):
    """The interpreter that the environment will have."""

    path: Path
    version: str
    exact: bool


class Resolving(Struct, frozen=True, kw_only=True):
    """The files of ``count`` distributions are looked for, fetched and built."""

    count: int


class Installing(Struct, frozen=True, kw_only=True):
    """The files of all ``count`` distributions are at hand and are put into the environment."""

    count: int


class Line(Struct, frozen=True, kw_only=True):
    """One line that uv or pip printed; without credentials and control characters."""

    text: str


class CondaProgress(Struct, frozen=True, kw_only=True):
    """How far ``count`` conda packages are."""

    count: int
    fetched: int
    """Packages whose files are at hand."""
    linked: int
    """Packages that are in the environment."""
    received: int
    """Bytes that came over the network."""


class Waiting(Struct, frozen=True, kw_only=True):
    """Nothing goes on until something else ends."""

    what: str


class Note(Struct, frozen=True, kw_only=True):
    """Something that a user should know of what was made."""

    text: str


class Step(Struct, frozen=True, kw_only=True):
    """What is being done now, before anything is installed: an image is opened or read."""

    text: str


class LayerRead(Struct, frozen=True, kw_only=True):
    """How far one layer of an image is: see :class:`envsync.image.protocol.LayerProgress`."""

    id: str
    status: str
    current: int | None = None
    total: int | None = None


Event = InterpreterFound | Resolving | Installing | Line | CondaProgress | Waiting | Note | Step | LayerRead
