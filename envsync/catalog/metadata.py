"""The headers of ``METADATA``, ``PKG-INFO`` and ``WHEEL``, and the entry points beside them.

Format: https://packaging.python.org/en/latest/specifications/core-metadata/, read as :mod:`email.parser`
does, but only as far as the body and without its cost.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection

from envsync.model import EntryPoint

_END_OF_HEADERS = re.compile(rb"\n\r?\n|\r\r")
_FIELD = re.compile(r"([!-9;-~]*):[ \t]*").match


def only_headers(data: bytes) -> bytes:
    """``data`` without the description, which is nearly all of it and of no use here."""
    end = _END_OF_HEADERS.search(data)
    return data[: end.end()] if end else data


def parse_headers(data: bytes, wanted: Collection[str]) -> dict[str, list[str]]:
    """Values of the header fields ``wanted`` (lower case), in file order; folded lines keep their newlines.

    Bytes that are not UTF-8 become U+FFFD: a Latin-1 author's name must not hide a distribution.
    """
    end = _END_OF_HEADERS.search(data)
    text = (data[: end.start()] if end else data).decode("utf-8", "replace")
    fields: dict[str, list[list[str]]] = {}
    lines: list[str] | None = None
    # A line at a time: millions that nobody wants would be as many strings.
    for line in io.StringIO(text, newline=""):
        if line[0] in " \t":
            if lines is not None:
                lines.append(line.rstrip("\r\n"))
            continue
        lines = None
        field = _FIELD(line)
        if field is None:
            if line.startswith("From "):  # the envelope of a mailbox, which the parser passes over
                continue
            break
        name = field[1].lower()
        if name in wanted:
            lines = [line[field.end() :].rstrip("\r\n")]
            fields.setdefault(name, []).append(lines)
    return {name: ["\n".join(lines) for lines in values] for name, values in fields.items()}


def parse_entry_points(data: bytes) -> tuple[EntryPoint, ...]:
    """Read ``entry_points.txt``; lines that are none are passed over.

    See https://packaging.python.org/en/latest/specifications/entry-points/.
    """
    found: list[EntryPoint] = []
    group = ""
    for raw in data.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = line[1:-1].strip()
            continue
        name, equals, value = line.partition("=")
        if group and equals and name.strip() and value.strip():
            found.append(EntryPoint(group=group, name=name.strip(), value=value.strip()))
    return tuple(found)
