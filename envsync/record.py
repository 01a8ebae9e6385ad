"""The list of files that a distribution came with.

Format: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from msgspec import Struct

from envsync.errors import EnvsyncError

_HASH = re.compile(r"([a-z0-9_]+)=([A-Za-z0-9_-]+)=*")
_SIZE_DIGITS = 18
_FIELDS = 3
_LONGEST_PATH = 4096

Parse = Callable[[str], "tuple[RecordEntry, ...]"]
""":func:`parse_record`, or what remembers its answers for as long as several ask for the same files."""


class RecordError(EnvsyncError):
    """A ``RECORD`` that does not follow its format. Callers say so of its distribution."""


class RecordEntry(Struct, frozen=True, kw_only=True):
    """One line of a ``RECORD``."""

    path: str
    """As written: relative to the folder that holds the ``.dist-info``, or absolute."""
    algorithm: str | None = None
    """As :mod:`hashlib` spells it; ``None`` together with ``digest``."""
    digest: str | None = None
    """URL-safe Base64 without padding."""
    size: int | None = None
    """Bytes."""


def parse_record(text: str) -> tuple[RecordEntry, ...]:
    """Parse a ``RECORD`` file.

    Raises:
        RecordError: names the first line that does not fit.
    """
    if '"' not in text and "\r" not in text:  # nearly always; five times as fast
        lines = text.split("\n")
        return tuple([_parse_row(line.split(","), number) for number, line in enumerate(lines, 1) if line])
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        return tuple([_parse_row(row, rows.line_num) for row in rows if row])
    except csv.Error as error:
        raise RecordError(f"RECORD line {rows.line_num}: not CSV: {error}") from error


def _parse_row(row: list[str], line: int) -> RecordEntry:
    if len(row) != _FIELDS:
        raise RecordError(f"RECORD line {line}: {len(row)} fields (expected path, hash and size)")
    path, hash_text, size_text = row
    if not path or "\0" in path or len(path) > _LONGEST_PATH:
        raise RecordError(f"RECORD line {line}: {path[:80]!r} is not a path")
    algorithm = digest = None
    if hash_text:
        match = _HASH.fullmatch(hash_text)
        if match is None:
            raise RecordError(f"RECORD line {line}: hash {hash_text!r} (expected algorithm=Base64)")
        algorithm, digest = match[1], match[2]
    return RecordEntry(path=path, algorithm=algorithm, digest=digest, size=_parse_size(size_text, line))


def _parse_size(text: str, line: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _SIZE_DIGITS):
        raise RecordError(f"RECORD line {line}: size {text!r} (expected a number of bytes)")
    return int(text)
