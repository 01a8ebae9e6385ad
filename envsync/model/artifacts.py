"""Files that a distribution can be had from: one of an index, or one repacked from the image."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from envsync.model.record import Record

# Both go into paths and requirements files, and a lock is anybody's word. What follows the name: not even a line end.
Filename = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+!~-]*(?![\s\S])", max_length=255)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]


class IndexFile(Record, frozen=True, kw_only=True):
    """The file of an index that the image's distribution was installed from."""

    filename: Filename
    sha256: Sha256
    """Hexadecimal."""
    url: str | None = None
    """Without credentials; ``None``: it lies in a folder of the machine that pulled."""
    size: int | None = None
    """Bytes."""
    uploaded: str | None = None
    """RFC 3339, as the index says (PEP 700)."""
    proof: Literal["proved", "inferred"]
    """``proved``: its RECORD lists what the image has; ``inferred``: only its name and tags fit."""
    note: str | None = None
    """What is odd about it: yanked, a RECORD that its own files do not match."""


class ImageWheel(Record, frozen=True, kw_only=True):
    """A wheel repacked from the image's files."""

    filename: Filename
    sha256: Sha256
    """Hexadecimal."""
    size: int
    """Bytes."""
    reason: str
    """Why it was made: what no index has."""
    notes: tuple[str, ...] = ()
    """What of the distribution could not be put into a wheel."""
