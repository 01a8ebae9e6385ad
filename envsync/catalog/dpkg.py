"""The package database of dpkg: deb822 stanzas, by dpkg(1) and deb822(5).

Distroless images keep one stanza a file, without ``Status``, in ``/var/lib/dpkg/status.d``.
"""

from __future__ import annotations

import re
from collections.abc import Set

from envsync.catalog.bounds import Notes
from envsync.catalog.stanzas import stanzas
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

STATUS = "/var/lib/dpkg/status"
STATUS_FOLDER = "/var/lib/dpkg/status.d"
EXTENDED_STATES = "/var/lib/apt/extended_states"
"""Where apt keeps which packages only others asked for."""
PATTERNS: tuple[str, ...] = (r"/var/lib/dpkg/status", r"/var/lib/dpkg/status\.d/[^/]+", EXTENDED_STATES)

IN_PLACE = frozenset({"installed", "triggers-pending", "triggers-awaited", "half-configured", "unpacked"})
"""States in which all files of a package are there; what ``dpkg-query`` shows as ``${db:Status-Status}``."""

_STATES = IN_PLACE | {"not-installed", "config-files", "half-installed"}
# Values are stripped afterwards: a pattern that does it takes quadratic time on a line of blanks.
_FIELD = re.compile(rb"^(package|status|version|architecture|source)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_AUTOMATIC = re.compile(rb"^(package|architecture|auto-installed)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"[!-~]+")


Automatic = Set[tuple[str, str]]
"""Names and architectures of packages that only others asked for; a package for all has any."""


def parse_extended_states(data: bytes) -> Automatic:
    """Read which packages apt installed for others."""
    found = set[tuple[str, str]]()
    for fields in stanzas(data, _AUTOMATIC, Notes("OS packages", EXTENDED_STATES)):
        if fields.get("auto-installed") == "1":
            name = fields.get("package", "")
            found |= {(name, fields.get("architecture", "")), (name, "all")}
    return found


def parse_status(
    data: bytes, place: str = STATUS, automatic: Automatic | None = None
) -> tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]:
    """Read installed packages, sorted, and what is damaged; no ``Status`` means installed.

    Args:
        data: of ``/var/lib/dpkg/status``, or of a file of ``status.d``.
        place: that file's path, for messages.
        automatic: see :func:`parse_extended_states`; ``None``: apt does not say.
    """
    packages: set[tuple[str, str, str, str]] = set()
    notes = Notes("OS packages", place)
    for fields in stanzas(data, _FIELD, notes):
        problem = _problem(fields)
        name = fields.get("package", "")
        if problem:
            notes.add(Skipped(subject=printable(name) or "a package", place=place, reason=problem))
        elif _state(fields) in IN_PLACE:
            source = fields.get("source", "").partition("(")[0].strip()
            packages.add((name, fields["architecture"], fields["version"], source or name))
    found = (
        OsPackage(
            manager="dpkg",
            name=name,
            version=version,
            architecture=architecture,
            source=source,
            explicit=None if automatic is None else (name, architecture) not in automatic,
        )
        for name, architecture, version, source in sorted(packages)
    )
    return tuple(found), notes.all()


def _state(fields: dict[str, str]) -> str:
    return fields.get("status", "install ok installed").split()[-1:][0].lower()


def _problem(fields: dict[str, str]) -> str:
    """What is wrong with a stanza; empty where nothing is, or where it is of no package that is in place."""
    status = fields.get("status", "install ok installed").split()
    if len(status) != 3 or status[2].lower() not in _STATES:
        return "a damaged stanza: no state that dpkg knows"
    if status[2].lower() not in IN_PLACE:
        return ""
    for key in ("package", "version", "architecture"):
        if not _WORD.fullmatch(fields.get(key, "")):
            return f"a damaged stanza: no usable {key.capitalize()}"
    source = fields.get("source", "").partition("(")[0].strip()
    if source and not _WORD.fullmatch(source):
        return "a damaged stanza: no usable Source"
    return ""
