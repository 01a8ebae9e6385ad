"""STUB."""

from __future__ import annotations


def compare_versions(manager: str, one: str, other: str) -> int:
    """STUB."""
    return (one > other) - (one < other)
