"""The database of installed packages of apk: https://wiki.alpinelinux.org/wiki/Apk_spec."""

from __future__ import annotations

import re
from collections.abc import Set

from envsync.catalog.bounds import Notes
from envsync.catalog.stanzas import stanzas
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

INSTALLED: tuple[str, ...] = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
"""The second since Alpine 3.22; there the first may lead to it."""

WORLD = "/etc/apk/world"
"""What somebody asked for, by apk-world(5)."""

PATTERNS: tuple[str, ...] = (r"(?:/usr)?/lib/apk/db/installed", WORLD)

_FIELD = re.compile(rb"^([PVAo]):(.*)$", re.MULTILINE)
_PROVIDED = re.compile(rb"^([Pp]):(.*)$", re.MULTILINE)
_CONSTRAINT = re.compile(r"[@<>=~]")
_WORD = re.compile(r"[!-~]+")


def parse_world(data: bytes) -> frozenset[str]:
    """The names in ``/etc/apk/world``, without repositories and versions; not those that are kept out."""
    words = data.decode("utf-8", "replace").split()
    return frozenset(_CONSTRAINT.split(word)[0] for word in words if not word.startswith("!"))


def parse_installed(
    data: bytes, place: str = INSTALLED[0], world: Set[str] | None = None
) -> tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]:
    """Read installed packages, sorted, and what records are damaged.

    Args:
        data: of ``/lib/apk/db/installed``.
        place: that file's path, for messages.
        world: see :func:`parse_world`; ``None``: there is none.
    """
    packages: set[tuple[str, str, str, str]] = set()
    notes = Notes("OS packages", place)
    for fields in stanzas(data, _FIELD, notes):
        name, version = fields.get("p", ""), fields.get("v", "")
        architecture, origin = fields.get("a") or "noarch", fields.get("o") or name
        if all(_WORD.fullmatch(value) for value in (name, version, architecture, origin)):
            packages.add((name, architecture, version, origin))
        else:
            subject = printable(name) or "a package"
            reason = "a damaged record: no usable P:, V:, A: or o:"
            notes.add(Skipped(subject=subject, place=place, reason=reason))
    names = {name for name, *_ in packages}
    asked = None if world is None else world | _providers(data, world - names)
    found = (
        OsPackage(
            manager="apk",
            name=name,
            version=version,
            architecture=architecture,
            source=origin,
            explicit=None if asked is None else name in asked,
        )
        for name, architecture, version, origin in sorted(packages)
    )
    return tuple(found), notes.all()


def _providers(data: bytes, names: Set[str]) -> Set[str]:
    """Packages that provide what somebody asked for by another name: ``cmd:dot``, ``so:libgomp.so.1``."""
    found = set[str]()
    package = ""
    for line in _PROVIDED.finditer(data) if names else ():
        value = line[2].decode("utf-8", "replace").strip()
        if line[1] == b"P":
            package = value
        elif not names.isdisjoint(word.partition("=")[0] for word in value.split()):
            found.add(package)
    return found
