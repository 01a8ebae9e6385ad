"""Databases of text in stanzas: lines ``key: value``, and a blank line after each package.

Both dpkg's and apk's are made so, and both can be large: nothing is copied but the values that are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsync.catalog.bounds import Notes

_END = re.compile(rb"\n[ \t\r]*(?:\n|\Z)")
_ANYTHING = re.compile(rb"\S")
_LONGEST = 500

MOST = 200_000
"""Stanzas of one file. The largest systems have some 5,000."""


def stanzas(data: bytes, field: re.Pattern[bytes], notes: Notes) -> Iterator[dict[str, str]]:
    """Yield of each stanza the values that ``field`` finds, by key in lower case; the first of several counts.

    Args:
        data: the whole database.
        field: finds a line; its groups are key and value.
        notes: takes down that there are more than :data:`MOST` stanzas, which are not read.

    A value longer than any honest one is ``""``, like an absent one.
    """
    start = count = 0
    while start < len(data):
        end = _END.search(data, start)
        stop = end.start() if end else len(data)
        if _ANYTHING.search(data, start, stop):
            count += 1
            if count > MOST:
                notes.left_out(f"more than {MOST} stanzas: the others are not read")
                return
            yield _fields(data, field, start, stop)
        start = end.end() if end else len(data)


def _fields(data: bytes, field: re.Pattern[bytes], start: int, stop: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in field.finditer(data, start, stop):
        key = line[1].decode("ascii").lower()
        if key not in found:
            long = line.end(2) - line.start(2) > _LONGEST
            found[key] = "" if long else line[2].decode("utf-8", "replace").strip()
    return found
