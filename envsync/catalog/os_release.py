"""``os-release``: https://www.freedesktop.org/software/systemd/man/latest/os-release.html."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from envsync.files import FileReadError, FileTree
from envsync.model import OperatingSystem
from envsync.redaction import printable

PLACES: tuple[str, ...] = ("/etc/os-release", "/usr/lib/os-release")
"""The first that there is counts."""

PATTERNS: tuple[str, ...] = (r"(?:/etc|/usr/lib)/os-release",)

_LIMIT = 256 * 1024
_ASSIGNMENT = re.compile(r"[ \t]*([A-Z][A-Z0-9_]*)=(.*)")
_ESCAPED = re.compile(r"\\([\"$`\\])")
_IN_PARENTHESES = re.compile(r"\(([A-Za-z]+)")


def find(tree: FileTree) -> OperatingSystem | None:
    """The operating system under ``tree``, without its libc; ``None`` where no readable file tells it."""
    for place in PLACES:
        try:
            data = tree.read(PurePosixPath(place), limit=_LIMIT)
        except FileReadError:
            continue
        return parse(data.decode("utf-8", "replace"))
    return None


def parse(text: str) -> OperatingSystem:
    """Read the fields that :class:`OperatingSystem` has; lines that are no assignments are passed over."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line)
        if match:
            values[match[1]] = printable(_unquoted(match[2].strip()))
    codename = values.get("VERSION_CODENAME", "")
    if not codename:
        # Debian had no VERSION_CODENAME before 10, only VERSION="9 (stretch)".
        named = _IN_PARENTHESES.search(values.get("VERSION", ""))
        codename = named[1].lower() if named else ""
    return OperatingSystem(
        id=values.get("ID", ""),
        id_like=tuple(values.get("ID_LIKE", "").split()),
        version_id=values.get("VERSION_ID", ""),
        codename=codename,
        pretty_name=values.get("PRETTY_NAME", ""),
    )


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"') and len(value) > 1 and value.endswith(quote):
        inner = value[1:-1]
        return _ESCAPED.sub(r"\1", inner) if quote == '"' else inner
    return _ESCAPED.sub(r"\1", value)
