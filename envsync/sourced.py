"""The tables that come with envsync: TOML (https://toml.io/en/v1.0.0), each entry with its source."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from envsync.errors import EnvsyncError

SOURCE = re.compile(r"https://[A-Za-z0-9.-]+/\S*")
"""Where something is said in public."""

_Table = TypeVar("_Table")


def decode_table(data: bytes, kind: type[_Table], name: str, error: type[EnvsyncError]) -> _Table:
    """Decode the bytes of a table into its type.

    Raises:
        EnvsyncError: of the type ``error``, says what of the file ``name`` is wrong.
    """
    try:
        return msgspec.toml.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:  # ValueError: tomllib's, and of what is no text
        raise error(f"{name}: {wrong}") from wrong


def specifies(specifiers: str, version: str) -> bool:
    """Whether an entry for these versions, by PEP 440, speaks of this one; prereleases count."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    except (InvalidVersion, ValueError):
        return False


def are_specifiers(text: str) -> bool:
    """Whether it is none, or some version specifiers of PEP 440."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True
