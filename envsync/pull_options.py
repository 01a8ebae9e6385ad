"""How an image is looked at, as a user chose, and where that tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from envsync.image.registry.access import Access
from envsync.reference import Platform

if TYPE_CHECKING:
    from envsync.cache import Cache
    from envsync.exact.artifacts import Artifacts
    from envsync.image.protocol import LayerProgress

Method = Literal["auto", "run", "read", "both"]


class PullOptions(Struct, frozen=True, kw_only=True):
    """How to look at an image."""

    method: Method = "auto"
    platform: Platform | None = None
    interpreter: PurePosixPath | None = None
    access: Access = Access()
    """How registries are reached."""
    cache: Cache | None = None
    """What earlier pulls learnt, and where this one keeps it; ``None``: all is learnt anew."""
    artifacts: Artifacts | None = None
    """Which wheels to make of the image's files; ``None``: none, and no index is asked."""


class Progress(Struct, frozen=True, kw_only=True):
    """Where a pull tells how far it is."""

    step: Callable[[str], None] = lambda _text: None
    note: Callable[[str], None] = lambda _text: None
    """Takes what was chosen for the user."""
    layer: Callable[[LayerProgress], None] | None = None
