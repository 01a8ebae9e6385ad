"""Wheels of which each byte is told by what is in them.

Nothing is compressed: what zlib makes of the same bytes differs between its builds, and a wheel that is installed
on the machine where it was made is read faster so.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable
from typing import IO

CHUNK = 1 << 20
_TIME = (1980, 1, 1, 0, 0, 0)
_ZIP64 = 1 << 31


class WheelWriter:
    """Writes one wheel; the caller adds files in the order they are to have, and closes it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)
        self._rows: list[tuple[str, str, str]] = []

    def __enter__(self) -> WheelWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()  # a wheel given up: left open, it would write to a stream that is closed, and complain

    def add(self, name: str, chunks: Iterable[bytes], size: int, *, executable: bool = False) -> None:
        """Add a file; ``size`` tells its largest size, for which its entry must have room."""
        digest = hashlib.sha256()
        written = 0
        with self._archive.open(_entry(name, executable=executable), "w", force_zip64=size >= _ZIP64) as out:
            for chunk in chunks:
                digest.update(chunk)
                written += len(chunk)
                out.write(chunk)
        self._rows.append((name, f"sha256={_base64(digest.digest())}", str(written)))

    def close(self, record: str) -> None:
        """Add ``RECORD`` and the directory."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([*self._rows, (record, "", "")])
        self._archive.writestr(_entry(record), text.getvalue().encode())
        self._archive.close()


def _entry(name: str, *, executable: bool = False) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system = 3  # Unix, on whatever system this runs
    entry.external_attr = (0o100755 if executable else 0o100644) << 16
    return entry


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
