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


Event = InterpreterFound | Resolving | Installing | Line
