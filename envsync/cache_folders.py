"""Folders of the cache whose entries are used where they lie, by uv, pip or the loader: wheels, and interpreters."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from envsync.writing import leftover_of

KINDS = ("wheels", "pythons")
_ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,139}")


def entries(folder: Path, kind: str) -> Iterator[tuple[Path, int]]:
    """The entries of one kind and how many bytes each takes; what killed processes left among them."""
    place = folder / kind
    if place.is_symlink() or not place.is_dir():
        return
    for path in sorted(place.iterdir()):
        if path.is_dir() and not path.is_symlink() and (_ENTRY.fullmatch(path.name) or leftover_of(path.name)):
            yield path, _size(path)


def clear(folder: Path) -> int:
    """Remove all entries; returns how many bytes were freed.

    Raises:
        OSError: something cannot be removed.
    """
    freed = 0
    for kind in KINDS:
        for path, size in entries(folder, kind):
            shutil.rmtree(path)
            freed += size
    return freed


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - may be tens of thousands
            except OSError:
                continue
    return total
