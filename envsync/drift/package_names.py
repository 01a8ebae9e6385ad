"""Which package has a library or a command, on systems that call their packages differently: ``package_names.toml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from msgspec import UNSET, Struct, UnsetType

from envsync.errors import EnvsyncError
from envsync.loader import SONAME
from envsync.sourced import SOURCE, decode_table

Family = Literal["debian", "fedora", "alpine", "arch", "homebrew"]
"""Systems whose packages have the same names, by the oldest of them: Ubuntu is ``debian``."""

FAMILIES: tuple[Family, ...] = get_args(Family)

_THING = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._@-]{0,99}")


class PackageNamesError(EnvsyncError):
    """The table is not what it should be."""


class _Names(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    debian: tuple[str, ...] | UnsetType = UNSET
    fedora: tuple[str, ...] | UnsetType = UNSET
    alpine: tuple[str, ...] | UnsetType = UNSET
    arch: tuple[str, ...] | UnsetType = UNSET
    homebrew: tuple[str, ...] | UnsetType = UNSET
    source: tuple[str, ...]
    """URLs, or keys of ``sources``."""

    def by_family(self) -> dict[Family, tuple[str, ...]]:
        return {family: names for family in FAMILIES if (names := getattr(self, family)) is not UNSET}


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sources: dict[str, str] = {}
    libraries: dict[str, _Names] = {}
    commands: dict[str, _Names] = {}
    data: dict[str, _Names] = {}


def names_for(thing: str) -> Mapping[Family, tuple[str, ...]]:
    """The packages that have a soname, a command, or the data that a kind of ``Resource`` names.

    A family that is absent: not known. No names: no package there has it.
    """
    return package_names().get(thing, {})


@cache
def package_names() -> Mapping[str, Mapping[Family, tuple[str, ...]]]:
    """The file that comes with envsync."""
    return parse_package_names((files("envsync.drift") / "package_names.toml").read_bytes())


def parse_package_names(data: bytes) -> Mapping[str, Mapping[Family, tuple[str, ...]]]:
    """Parse the bytes of such a file.

    Raises:
        PackageNamesError: says what of it is wrong.
    """
    found = decode_table(data, _File, "package_names.toml", PackageNamesError)
    for key, url in found.sources.items():
        if not SOURCE.fullmatch(url):
            raise PackageNamesError(f"package_names.toml: sources.{key}: {url!r} is no https URL")
    names: dict[str, Mapping[Family, tuple[str, ...]]] = {}
    for table, entries in (("libraries", found.libraries), ("commands", found.commands), ("data", found.data)):
        for thing, one in entries.items():
            if problem := _problem(thing, one, table, found.sources):
                raise PackageNamesError(f"package_names.toml: {table}.{problem}")
            if thing in names:
                raise PackageNamesError(f"package_names.toml: {table}.{thing}: is in two tables")
            names[thing] = one.by_family()
    return names


def _problem(thing: str, one: _Names, table: str, sources: Mapping[str, str]) -> str | None:
    if not (SONAME if table == "libraries" else _THING).fullmatch(thing):
        return f"{thing!r} is no name"
    by_family = one.by_family()
    if not by_family:
        return f"{thing}: names no package"
    for family, names in by_family.items():
        for name in names:
            if not _PACKAGE.fullmatch(name):
                return f"{thing}.{family}: {name!r} is no name of a package"
    if not one.source:
        return f"{thing}.source: is empty"
    for source in one.source:
        if source not in sources and not SOURCE.fullmatch(source):
            return f"{thing}.source: {source!r} is no https URL, and no key of sources"
    return None
