"""Which files of an environment are those of the package cache itself, by hard links: asked folder by folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from envsync.paths_data import folder_in_package


class HardLinks:
    """Compares the files of a prefix with those of unpacked packages."""

    def __init__(self, prefix: str, caches: Sequence[Path]) -> None:
        """``caches`` are the folders that hold unpacked packages."""
        self._prefix = prefix
        self._caches = frozenset(map(str, caches))
        self._files: dict[str, dict[str, int]] = {}

    def of_package(self, source: str | None, *, noarch: bool) -> Callable[[str], bool]:
        """Tells of a path, relative to the prefix, whether it is a file of the unpacked package at ``source``.

        Args:
            source: as a record names it; a folder that is in none of the caches has no such files.
            noarch: its files were moved to where the environment's Python looks for them.
        """
        if source is None or posixpath.dirname(source) not in self._caches or not _on_one_device(source, self._prefix):
            return lambda _path: False

        pairs: dict[str, tuple[dict[str, int], dict[str, int]]] = {}

        def is_linked(path: str) -> bool:
            folder, _, name = path.rpartition("/")
            if (pair := pairs.get(folder)) is None:
                there = folder_in_package(folder) if noarch else folder
                pair = pairs[folder] = self._in(f"{self._prefix}/{folder}"), self._in(f"{source}/{there}")
            here, original = pair
            return name in here and here[name] == original.get(name)

        return is_linked

    def _in(self, folder: str) -> dict[str, int]:
        """Names and inodes of the regular files in a folder."""
        if folder not in self._files:
            try:
                with os.scandir(folder) as entries:
                    found = {one.name: one.inode() for one in entries if one.is_file(follow_symlinks=False)}
            except OSError:
                found = {}
            self._files[folder] = found
        return self._files[folder]


def _on_one_device(one: str, other: str) -> bool:
    """Numbers of files mean something only there."""
    try:
        return Path(one).stat().st_dev == Path(other).stat().st_dev
    except OSError:
        return False
