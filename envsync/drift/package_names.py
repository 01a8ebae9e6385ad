"""STUB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Family = Literal["debian", "fedora", "alpine", "arch", "homebrew"]


def names_for(what: str) -> Mapping[Family, tuple[str, ...]]:
    """STUB."""
    return {}
