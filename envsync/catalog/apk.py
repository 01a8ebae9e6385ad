"""The database of installed packages of apk: https://wiki.alpinelinux.org/wiki/Apk_spec."""

from __future__ import annotations

import re

from envsync.catalog.bounds import Notes
from envsync.catalog.stanzas import stanzas
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

INSTALLED: tuple[str, ...] = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
"""The second since Alpine 3.22; there the first may lead to it."""

PATTERNS: tuple[str, ...] = (r"(?:/usr)?/lib/apk/db/installed",)

_FIELD = re.compile(rb"^([PVAo]):(.*)$", re.MULTILINE)
_WORD = re.compile(r"[!-~]+")


def parse_installed(data: bytes, place: str = INSTALLED[0]) -> tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]:
    """Read installed packages, sorted, and what records are damaged.

    Args:
        data: of ``/lib/apk/db/installed``.
        place: that file's path, for messages.
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
    found = (
        OsPackage(manager="apk", name=name, version=version, architecture=architecture, source=origin)
        for name, architecture, version, origin in sorted(packages)
    )
    return tuple(found), notes.all()
