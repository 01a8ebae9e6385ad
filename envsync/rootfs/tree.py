"""The merged view: paths resolved inside the root, contents from memory or from the layer again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Literal

from envsync.errors import CorruptImageError
from envsync.files import READ_LIMIT, FileInfo, FileReadError
from envsync.image.tar import TarEntry
from envsync.model import Skipped
from envsync.reference import Digest

_KEPT_LIMIT = 1 << 30
"""Bytes of contents in memory."""

_HOPS = 40
"""Symbolic links on the way to a file: what Linux allows."""

Fetch = Callable[[int, list[TarEntry]], dict[int, bytes]]
"""Reads files of one layer again: number of the layer and entries in; contents by offset out."""


class Rootfs:
    """Implements :class:`envsync.files.SearchableTree` for an image. Usable until the image is closed."""

    def __init__(
        self,
        nodes: Mapping[str, TarEntry],
        *,
        kept: dict[tuple[int, int], bytes],
        fetch: Fetch,
        diff_ids: tuple[Digest, ...],
        skipped: tuple[Skipped, ...] = (),
    ) -> None:
        """``kept`` holds contents by number of the layer and offset."""
        self._nodes = nodes
        self._kept = kept
        self._fetch = fetch
        self._diff_ids = diff_ids
        self._children: dict[str, list[str]] | None = None
        self._searchable: list[str] | None = None
        self.skipped = skipped
        """Entries that were ignored: their paths escape the root, are not UTF-8, or they link to nothing."""

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        """See :meth:`envsync.files.FileTree.stat`."""
        real = self._resolve(str(path))
        if real is None:
            return None
        node = self._nodes[real]
        kind: Literal["file", "directory", "other"] = "other"
        if node.kind in ("file", "directory"):
            kind = "file" if node.kind == "file" else "directory"
        return FileInfo(
            path=PurePosixPath(real or "/"),
            kind=kind,
            size=node.size,
            mode=node.mode,
            layer=self._diff_ids[node.archive] if node.archive >= 0 else None,
        )

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        """See :meth:`envsync.files.FileTree.readlink`."""
        real = self._resolve(str(path), follow_last=False)
        node = self._nodes.get(real) if real is not None else None
        return PurePosixPath(node.link) if node is not None and node.kind == "symlink" else None

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        """See :meth:`envsync.files.FileTree.list`."""
        if self._children is None:
            self._children = {}
            for each in self._nodes:
                if each:
                    parent, _, name = each.rpartition("/")
                    self._children.setdefault(parent, []).append(name)
        real = self._resolve(str(path))
        return tuple(sorted(self._children.get(real, ()))) if real is not None else ()

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        """See :meth:`envsync.files.FileTree.read`.

        A file whose contents were not kept is read from its layer again: see :meth:`prefetch` for several of them.
        """
        real = self._resolve(str(path))
        if real is None:
            raise FileReadError(f"{path}: does not exist in the image")
        node = self._nodes[real]
        if node.kind != "file":
            raise FileReadError(f"{path}: not a regular file")
        if node.size > limit:
            raise FileReadError(f"{path}: larger than {limit} bytes")
        if not node.size:
            return b""
        kept = self._kept.get((node.archive, node.offset))
        if kept is not None:
            return kept
        try:
            return self._fetch(node.archive, [node])[node.offset]
        except CorruptImageError as error:
            raise FileReadError(f"{path}: cannot be read: {error.message}", hint=error.hint) from error

    def prefetch(self, paths: Iterable[PurePosixPath]) -> None:
        """Fetch and keep the contents of several files, in one pass over each layer that has some of them.

        What :meth:`read` would refuse is passed over, and so is what would make more than 1 GiB in memory.

        Raises:
            CorruptImageError: a layer is no longer what it was.
        """
        missing: dict[int, dict[int, TarEntry]] = {}
        room = _KEPT_LIMIT - sum(map(len, self._kept.values()))
        for path in paths:
            real = self._resolve(str(path))
            node = self._nodes[real] if real is not None else None
            if node is None or node.kind != "file" or not 0 < node.size <= min(READ_LIMIT, room):
                continue
            here = missing.setdefault(node.archive, {})
            if (node.archive, node.offset) not in self._kept and node.offset not in here:
                here[node.offset] = node
                room -= node.size
        for number, nodes in missing.items():
            if not nodes:
                continue
            for offset, data in self._fetch(number, list(nodes.values())).items():
                self._kept[number, offset] = data

    def search(self, pattern: str) -> tuple[PurePosixPath, ...]:
        """See :meth:`envsync.files.SearchableTree.search`."""
        if self._searchable is None:
            self._searchable = sorted(path for path, node in self._nodes.items() if node.kind in ("file", "symlink"))
        matches = re.compile(pattern).fullmatch
        return tuple(PurePosixPath(path) for path in self._searchable if matches(path))

    def _resolve(self, path: str, *, follow_last: bool = True) -> str | None:
        """The real path (the root is empty) that ``path`` leads to; ``None`` where nothing is."""
        nodes = self._nodes
        node = nodes.get(path)
        if node is not None and path and (node.kind != "symlink" or not follow_last):
            return path
        waiting = path.split("/")[::-1]
        real, hops = "", 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                real = real.rpartition("/")[0]
                continue
            real = f"{real}/{part}"
            node = nodes.get(real)
            if node is None:
                return None
            rest = any(part not in ("", ".") for part in waiting)
            if node.kind == "symlink" and (follow_last or rest):
                hops += 1
                if hops > _HOPS:
                    return None
                real = "" if node.link.startswith("/") else real.rpartition("/")[0]
                waiting.extend(node.link.split("/")[::-1])
            elif rest and node.kind != "directory":
                return None
        return real
