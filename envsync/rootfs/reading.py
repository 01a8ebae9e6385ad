"""From an image to its merged root file system: layers are read in parallel, then merged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from functools import partial
from pathlib import PurePosixPath
from threading import Event
from typing import Protocol

from envsync.errors import CorruptImageError
from envsync.image.blob import StoredLayer
from envsync.image.protocol import Image, Layer, LayerProgress
from envsync.image.stream import LayerStream
from envsync.image.tar import StreamSource, TarReader
from envsync.reference import Digest
from envsync.rootfs.codec import decode, encode
from envsync.rootfs.merge import merge
from envsync.rootfs.names import Node
from envsync.rootfs.scan import Budget, LayerContents, scan_layer
from envsync.rootfs.taking import Condense
from envsync.rootfs.tree import Rootfs

_READERS = max(2, min(4, os.cpu_count() or 1))
"""Layers that are read at once. More would wait for one another: what is not hashing or inflating is Python."""


class KnownLayers(Protocol):
    """Where what a scan found may be kept, by the diff ID of the layer, as :mod:`envsync.rootfs.codec` encodes it."""

    def get(self, diff_id: Digest) -> bytes | None:
        """What an earlier scan found; ``None`` where it is not at hand."""

    def put(self, diff_id: Digest, data: bytes) -> None:
        """Keep what a scan found; doing nothing is allowed."""


def read_rootfs(
    image: Image,
    wanted: Callable[[str], bool],
    *,
    condense: Condense = lambda _path, _size: None,
    hashed: Callable[[str], bool] = lambda _path: False,
    native: Callable[[str], bool] = lambda _path: False,
    known: KnownLayers | None = None,
    on_progress: Callable[[LayerProgress], None] | None = None,
) -> Rootfs:
    """Read all layers of an image, verify their digests, and merge them.

    Args:
        image: stays open as long as the result is used.
        wanted: says of an absolute path (``/etc/os-release``) whether its contents will be read, so that they are
            kept in memory as they stream past: at most 64 MiB a file and 80 MiB in all. Called from several threads.
        condense: may shorten what is kept. A file that is read from its layer again is whole.
        hashed: says of an absolute path whether the digest of its contents will be asked for, as ``wanted`` does.
        native: says of an absolute path whether what it needs and defines will be asked for, if it is an ELF file.
        known: layers that were scanned for the same choices before; they are not read again.
        on_progress: called as the bytes of the layers arrive, from several threads.

    Raises:
        CorruptImageError: a layer is damaged, truncated or has a wrong digest.
        ImageError: a layer is compressed in an unknown way, or has more files than any honest image.
    """
    reading = _Reading(image, wanted, condense, hashed, native, known, on_progress)
    layers = reading.layers()
    merged = merge(layers)
    rootfs = Rootfs(
        merged,
        kept={(each.number, offset): data for each in layers for offset, data in each.kept.items()},
        fetch=reading.fetch,
        stream=reading.stream,
        digests=lambda number, offset: layers[number].digests.get(offset) if number >= 0 else None,
        elves=lambda number, offset: layers[number].elves.get(offset) if number >= 0 else None,
        diff_ids=image.config.diff_ids,
        seekable=reading.seekable(),
        layer_sizes=tuple(each.size for each in layers),
    )
    # The contents stream past under the first name of a file, which may not be the one that is wanted.
    rootfs.prefetch(PurePosixPath(path) for path in merged.hard_links if wanted(path))
    return rootfs


class _Reading:
    def __init__(
        self,
        image: Image,
        wanted: Callable[[str], bool],
        condense: Condense,
        hashed: Callable[[str], bool],
        native: Callable[[str], bool],
        known: KnownLayers | None,
        on_progress: Callable[[LayerProgress], None] | None,
    ) -> None:
        self._image = image
        self._wanted = wanted
        self._condense = condense
        self._hashed = hashed
        self._native = native
        self._known = known
        self._on_progress = on_progress
        self._budget = Budget()
        self._stop = Event()
        self._contents: list[LayerContents] = []

    def layers(self) -> list[LayerContents]:
        """What each layer says, lowest first; those that are not known are read, several at once."""
        layers = self._image.layers
        self._contents = [self._recalled(layer, number) for number, layer in enumerate(layers)]
        missing = [number for number, each in enumerate(self._contents) if not each.complete]
        if missing:
            # Handing bytes to another thread costs more than it brings where all processors are busy already.
            spare = (os.cpu_count() or 1) - min(_READERS, len(missing))
            with ExitStack() as stack:
                hashers = stack.enter_context(ThreadPoolExecutor(spare, "digest")) if spare > 0 else None
                readers = stack.enter_context(ThreadPoolExecutor(_READERS, "layer"))
                # The largest first: what is left at the end is then short.
                order = sorted(missing, key=lambda number: -layers[number].size)
                futures = [readers.submit(self._scan, layers[number], number, hashers) for number in order]
                try:
                    for future in as_completed(futures):
                        future.result()
                finally:
                    self._stop.set()
                    for future in futures:
                        future.cancel()
                    if not all(future.done() for future in futures):
                        self._image.stop()
        return self._contents

    def seekable(self) -> frozenset[int]:
        """Numbers of the layers that lie in files as they are."""
        layers = enumerate(self._image.layers)
        return frozenset(n for n, layer in layers if self._contents[n].plain and isinstance(layer, StoredLayer))

    def _recalled(self, layer: Layer, number: int) -> LayerContents:
        data = self._known.get(layer.diff_id) if self._known is not None else None
        found = decode(data, number) if data is not None else None
        if found is None or not self._budget.take_contents(_size(found)):
            return LayerContents(number=number)
        self._budget.take_names(found.names.grown(), where=str(layer))
        self._tell(layer, "known", layer.size)
        return found

    def _scan(self, layer: Layer, number: int, hashers: Executor | None) -> None:
        contents = self._contents[number]
        self._tell(layer, "reading", 0)
        watched = partial(self._tell, layer, "reading") if self._on_progress is not None else None
        with LayerStream(layer, hashers, stop=self._stop, on_bytes=watched) as stream:
            contents.plain = stream.compression == "none"
            chunks = stream.chunks()
            choice = self._wanted, contents, self._budget, str(layer), self._condense, self._hashed, self._native
            read_at = layer.blob.read_at if contents.plain and isinstance(layer, StoredLayer) else None
            try:
                scan_layer(chunks, *choice, read_at=read_at)
            except CorruptImageError:
                # A wrong digest explains a malformed tar, and is raised here at the end of the stream.
                for _ in chunks:
                    pass
                raise
            contents.size = stream.size
        if self._known is not None:
            self._known.put(layer.diff_id, encode(contents))
        self._tell(layer, "read", layer.size)

    def _tell(self, layer: Layer, status: str, position: int) -> None:
        if self._on_progress is not None:
            name = (layer.digest or layer.diff_id).hex[:12]
            told = LayerProgress(id=name, status=status, current=position, total=layer.size)
            self._on_progress(told)

    def fetch(self, number: int, nodes: list[Node]) -> dict[int, bytes]:
        """Contents by offset, read from a layer again: see :data:`envsync.rootfs.tree.Fetch`.

        Raises:
            CorruptImageError: the layer is no longer what it was.
        """
        layer = self._image.layers[number]
        if isinstance(layer, StoredLayer) and self._contents[number].plain and not any(node.sparse for node in nodes):
            return {node.offset: layer.blob.read_at(node.offset, node.size) for node in nodes}
        with ThreadPoolExecutor(2, "digest") as hashers, LayerStream(layer, hashers) as stream:
            found = dict(_contents_at(stream.chunks(), {node.offset for node in nodes}, where=str(layer)))
        contents = self._contents[number]
        within = {offset: data for offset, data in found.items() if self._budget.take_contents(len(data))}
        if self._known is not None and within:
            contents.kept.update(within)
            self._known.put(layer.diff_id, encode(contents))
        return found

    def stream(self, number: int, nodes: list[Node], take: Callable[[int, Iterator[memoryview]], None]) -> None:
        """Give files of one layer, whatever their size: see :data:`envsync.rootfs.tree.Stream`.

        Raises:
            CorruptImageError: the layer is no longer what it was.
        """
        layer = self._image.layers[number]
        if isinstance(layer, StoredLayer) and self._contents[number].plain and not any(node.sparse for node in nodes):
            for node in sorted(nodes, key=lambda node: node.offset):
                take(node.offset, _pieces_of(layer, node))
            return
        offsets = {node.offset for node in nodes}
        with ThreadPoolExecutor(2, "digest") as hashers, LayerStream(layer, hashers) as stream:
            chunks = stream.chunks()
            reader = TarReader(StreamSource(chunks), where=str(layer))
            for _, entry in reader.entries():
                if entry.offset in offsets and entry.kind == "file" and entry.size:
                    take(entry.offset, reader.pieces(entry))
            for _ in chunks:
                pass


def _size(contents: LayerContents) -> int:
    return sum(map(len, contents.kept.values())) + sum(map(len, contents.elves.values()))


_PIECE = 1 << 20
"""Bytes of a file that are read at once."""


def _pieces_of(layer: StoredLayer, node: Node) -> Iterator[memoryview]:
    for start in range(0, node.size, _PIECE):
        yield memoryview(layer.blob.read_at(node.offset + start, min(_PIECE, node.size - start)))


def _contents_at(chunks: Iterator[memoryview], offsets: set[int], *, where: str) -> Iterator[tuple[int, bytes]]:
    reader = TarReader(StreamSource(chunks), where=where)
    for _, entry in reader.entries():
        if entry.offset in offsets and entry.kind == "file" and entry.size:
            yield entry.offset, reader.read(entry)
    for _ in chunks:
        pass
