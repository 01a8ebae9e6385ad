"""Copying an environment at the cost of its folder entries: files are hard links to the same inodes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_NOT_SHARED = frozenset({"pyvenv.cfg", "envsync.json", ".lock"})
_NOT_SHARED_SUFFIX = ".pth"
"""Files that uv and pip may edit in place; all others they replace, which leaves the other link alone."""


def clone(source: Path, destination: Path) -> None:
    """Make ``destination``, an empty folder, a copy of ``source``.

    Files are hard-linked, or copied where a link is not possible; links are kept as they are.

    Raises:
        OSError: something cannot be read or made.
    """
    _clone(os.fspath(source), os.fspath(destination))


def _clone(source: str, destination: str) -> None:
    """Paths are strings: there may be tens of thousands of them."""
    shutil.copymode(source, destination)
    with os.scandir(source) as entries:
        for entry in entries:
            target = f"{destination}{os.sep}{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)
            elif entry.is_dir():
                os.mkdir(target)
                _clone(entry.path, target)
            elif entry.is_file():
                _link(entry, target)


def _link(entry: os.DirEntry[str], target: str) -> None:
    if entry.name not in _NOT_SHARED and not entry.name.endswith(_NOT_SHARED_SUFFIX):
        try:
            os.link(entry.path, target)
        except OSError:  # another device, too many links, or a file system or user that may not
            pass
        else:
            return
    shutil.copy2(entry.path, target)
