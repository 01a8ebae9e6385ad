"""The merged view: paths resolved inside the root, contents from memory or from the layer again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from envsync.elf import Elf
from envsync.errors import CorruptImageError
from envsync.files import READ_LIMIT, FileInfo, FileReadError
from envsync.reference import Digest
from envsync.rootfs.digests import digest_of_pieces
from envsync.rootfs.elves import elf_of_record
from envsync.rootfs.merge import Merged
from envsync.rootfs.names import Node

_FETCHED_LIMIT = 64 << 20
"""Bytes of contents that are fetched at once."""

_HOPS = 40
"""Symbolic links on the way to a file: what Linux allows."""

_REREADS = 16
"""Times that a layer is received or decompressed once more for one file."""

_REMEMBERED = 4096
"""Folders whose real paths are remembered."""

Fetch = Callable[[int, list[Node]], dict[int, bytes]]
"""Reads files of one layer again: number of the layer and nodes in; contents by offset out."""

Stream = Callable[[int, list[Node], Callable[[int, Iterator[memoryview]], None]], None]
"""The same for contents of any size: a function takes each file's offset and pieces, in the order of the layer."""

Sink = Callable[[tuple[str, ...], Iterator[memoryview]], None]
"""Takes the contents of the file that one or more absolute paths lead to, in pieces that are valid until the next."""


_OF_NOTHING = hashlib.sha256(b"").digest()

_Files = dict[int, tuple[Node, list[str]]]


class Rootfs:
    """Implements :class:`envsync.files.ImageTree` for an image. Usable until the image is closed."""

    def __init__(
        self,
        merged: Merged,
        *,
        kept: dict[tuple[int, int], bytes],
        fetch: Fetch,
        stream: Stream,
        digests: Callable[[int, int], bytes | None],
        elves: Callable[[int, int], bytes | None],
        diff_ids: tuple[Digest, ...],
        seekable: frozenset[int] = frozenset(),
        layer_sizes: tuple[int, ...] = (),
    ) -> None:
        """What the layers hold.

        Args:
            merged: all names.
            kept: contents by number of the layer and offset.
            fetch: see :data:`Fetch`.
            stream: see :data:`Stream`.
            digests: of hashed files, by number of the layer and offset.
            elves: records of ELF files, likewise: see :mod:`envsync.rootfs.elves`.
            diff_ids: of the layers.
            seekable: numbers of the layers of which any file is soon read.
            layer_sizes: bytes of their tars.
        """
        self._merged = merged
        self._kept = kept
        self._fetch = fetch
        self._stream = stream
        self._digests = digests
        self._elves = elves
        self._parsed: dict[tuple[int, int], Elf | None] = {}
        self._diff_ids = diff_ids
        self._seekable = seekable
        self.layer_sizes = layer_sizes
        """Bytes of the layers, uncompressed, lowest first."""
        self._rereads = 0
        self._real: dict[str, str | None] = {}
        self.skipped = merged.skipped
        """Entries that were ignored: their paths escape the root, are not UTF-8, or they link to nothing."""

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        """See :meth:`envsync.files.FileTree.stat`."""
        found = self._resolve(str(path))
        if found is None:
            return None
        real, node = found
        return FileInfo(
            path=PurePosixPath(real or "/"),
            kind=node.kind if node.kind in ("file", "directory") else "other",
            size=node.size,
            mode=node.mode,
            layer=self._diff_ids[node.layer] if node.layer >= 0 else None,
        )

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        """See :meth:`envsync.files.FileTree.readlink`."""
        found = self._resolve(str(path), follow_last=False)
        return PurePosixPath(found[1].link) if found is not None and found[1].kind == "symlink" else None

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        """See :meth:`envsync.files.FileTree.list`."""
        found = self._resolve(str(path))
        return self._merged.names(found[0]) if found is not None else ()

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        """See :meth:`envsync.files.FileTree.read`.

        A file whose contents were not kept is read from its layer again: see :meth:`prefetch` for several of them.
        """
        found = self._resolve(str(path))
        if found is None:
            raise FileReadError(f"{path}: does not exist in the image")
        node = found[1]
        if node.kind != "file":
            raise FileReadError(f"{path}: not a regular file")
        if node.size > limit:
            raise FileReadError(f"{path}: larger than {limit} bytes")
        if not node.size:
            return b""
        kept = self._kept.get((node.layer, node.offset))
        if kept is not None:
            return kept
        if node.layer not in self._seekable:
            self._rereads += 1
            if self._rereads > _REREADS:
                raise FileReadError(f"{path}: not read: all that is asked of the image is more than is kept in memory")
        try:
            return self._fetch(node.layer, [node])[node.offset]
        except CorruptImageError as error:
            raise FileReadError(f"{path}: cannot be read: {error.message}", hint=error.hint) from error

    def prefetch(self, paths: Iterable[PurePosixPath]) -> None:
        """Fetch and keep the contents of several files, in one pass over each layer that has some of them.

        What :meth:`read` would refuse is passed over, and so is what would make more than 64 MiB.

        Raises:
            CorruptImageError: a layer is no longer what it was.
        """
        missing: dict[int, dict[int, Node]] = {}
        room = _FETCHED_LIMIT
        for path in paths:
            found = self._resolve(str(path))
            node = found[1] if found is not None else None
            if node is None or node.kind != "file" or not 0 < node.size <= min(READ_LIMIT, room):
                continue
            here = missing.setdefault(node.layer, {})
            if (node.layer, node.offset) not in self._kept and node.offset not in here:
                here[node.offset] = node
                room -= node.size
        for number, nodes in missing.items():
            if not nodes:
                continue
            for offset, data in self._fetch(number, list(nodes.values())).items():
                self._kept[number, offset] = data

    def extract(self, paths: Iterable[str], sink: Sink) -> None:
        """Give the contents of regular files to ``sink``, in one pass over each layer that has some of them.

        What is no regular file is passed over. Files come in the order of the layers, one after the other.

        Raises:
            CorruptImageError: a layer is no longer what it was.
        """
        wanted: dict[int, dict[int, tuple[Node, list[str]]]] = {}
        for path in dict.fromkeys(paths):
            found = self._resolve(path)
            if found is None or found[1].kind != "file":
                continue
            node = found[1]
            if not node.size:
                sink((path,), iter(()))
                continue
            wanted.setdefault(node.layer, {}).setdefault(node.offset, (node, []))[1].append(path)
        for number, files in wanted.items():

            def give(offset: int, pieces: Iterator[memoryview], files: _Files = files) -> None:
                sink(tuple(files[offset][1]), pieces)

            self._stream(number, [node for node, _ in files.values()], give)

    def digests(self, paths: Iterable[str]) -> dict[str, bytes]:
        """SHA-256 of regular files, of scripts in their normal form (:func:`envsync.contents.normal_script`).

        What was not hashed as it streamed past is read once more. What is no regular file is left out.

        Raises:
            CorruptImageError: a layer is no longer what it was.
        """
        found: dict[str, bytes] = {}
        missing: list[str] = []
        for path in paths:
            resolved = self._resolve(path)
            if resolved is None or resolved[1].kind != "file":
                continue
            node = resolved[1]
            digest = self._digests(node.layer, node.offset) if node.size else _OF_NOTHING
            if digest is not None:
                found[path] = digest
            else:
                missing.append(path)

        def hash_one(paths: tuple[str, ...], pieces: Iterator[memoryview]) -> None:
            info = self.stat(PurePosixPath(paths[0]))
            digest = digest_of_pieces(pieces, paths[0], info.size if info else 0)
            found.update(dict.fromkeys(paths, digest))

        self.extract(missing, hash_one)
        return found

    def elf(self, path: PurePosixPath) -> Elf | None:
        """See :meth:`envsync.files.ElfTree.elf`; of the files that were looked into as they streamed past."""
        found = self._resolve(str(path))
        if found is None or found[1].kind != "file":
            return None
        key = found[1].layer, found[1].offset
        if key not in self._parsed:
            record = self._elves(*key)
            self._parsed[key] = elf_of_record(record) if record is not None else None
        return self._parsed[key]

    def search(self, pattern: str) -> tuple[PurePosixPath, ...]:
        """See :meth:`envsync.files.SearchableTree.search`."""
        matches = re.compile(pattern).fullmatch
        nodes = ((path, self._merged.node(path)) for path in sorted(self._merged.named(matches)))
        return tuple(PurePosixPath(path) for path, node in nodes if node and node.kind in ("file", "symlink"))

    def _resolve(self, path: str, *, follow_last: bool = True) -> tuple[str, Node] | None:
        """The real path (the root is empty) that ``path`` leads to and what is there; ``None`` where nothing is."""
        if path == "/":
            path = ""
        node = self._merged.node(path)
        if node is not None and (node.kind != "symlink" or not follow_last):
            return path, node
        parent, _, name = path.rpartition("/")
        if parent and node is None and name not in ("", ".", ".."):
            # Folders are asked about again and again: what their links lead to is remembered.
            real = self._real_folder(parent)
            if real is None:
                return None
            path = f"{real}/{name}"
        return self._walk(path, follow_last=follow_last)

    def _real_folder(self, path: str) -> str | None:
        if path not in self._real:
            found = self._walk(path, follow_last=True)
            if len(self._real) >= _REMEMBERED:
                self._real.clear()
            self._real[path] = found[0] if found is not None and found[1].kind == "directory" else None
        return self._real[path]

    def _walk(self, path: str, *, follow_last: bool) -> tuple[str, Node] | None:
        find = self._merged.node
        waiting = path.split("/")[::-1]
        real, hops = "", 0
        node = find(real)
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                real = real.rpartition("/")[0]
                node = find(real)
                continue
            real = f"{real}/{part}"
            node = find(real)
            if node is None:
                return None
            rest = any(part not in ("", ".") for part in waiting)
            if node.kind == "symlink" and (follow_last or rest):
                hops += 1
                if hops > _HOPS:
                    return None
                waiting.extend(node.link.split("/")[::-1])
                real = "" if node.link.startswith("/") else real.rpartition("/")[0]
                node = find(real)
            elif rest and node.kind != "directory":
                return None
        return (real, node) if node is not None else None
