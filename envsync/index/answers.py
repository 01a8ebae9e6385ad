"""What is asked of package indexes, and what they answer."""

from __future__ import annotations

from msgspec import Struct

from envsync.index.page import IndexFile


class Pin(Struct, frozen=True, kw_only=True):
    """A distribution that is looked for; neither needs to be normalised."""

    name: str
    version: str


class Listed(Struct, frozen=True, kw_only=True):
    """An index knows the project."""

    files: tuple[IndexFile, ...]
    """Wheels and sdists of the version: those of links first, then by index."""
    other_versions: tuple[str, ...] = ()
    """All other versions of the project, sorted, as file names tell them."""
    unanswered: tuple[str, ...] = ()
    """Why other indexes, which may have more, do not say."""


class Unanswered(Struct, frozen=True, kw_only=True):
    """No index has the project, as far as they say."""

    reason: str
    """One line."""
    absent: bool
    """Every index answered, and none knows the project."""
