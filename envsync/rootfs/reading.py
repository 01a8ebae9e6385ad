"""From an image to its merged root file system: layers are read in parallel, then merged."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from pathlib import PurePosixPath
from threading import Event

from envsync.errors import CorruptImageError
from envsync.image.blob import StoredLayer
from envsync.image.protocol import Image, Layer
from envsync.image.stream import LayerStream
from envsync.image.tar import StreamSource, TarEntry, TarReader, read_contents
from envsync.rootfs.merge import merge
from envsync.rootfs.scan import Budget, LayerContents, scan_layer
from envsync.rootfs.tree import Rootfs


def read_rootfs(
    image: Image, wanted: Callable[[str], bool], *, on_layer: Callable[[int, int], None] | None = None
) -> Rootfs:
    """Read all layers of an image, verify their digests, and merge them.

    Args:
        image: stays open as long as the result is used.
        wanted: says of an absolute path (``/etc/os-release``) whether its contents will be read, so that they are
            kept in memory as they stream past: at most 64 MiB a file and 1 GiB in all. Called from several threads.
        on_layer: called after each layer with the number of layers done and in all.

    Raises:
        CorruptImageError: a layer is damaged, truncated or has a wrong digest.
        ImageError: a layer is compressed in an unknown way, or has more files than any honest image.
    """
    layers, budget = image.layers, Budget()
    contents = _scan_all(layers, wanted, budget, on_layer)
    merged = merge(contents)
    present = {(node.archive, node.offset) for node in merged.nodes.values() if node.kind == "file"}
    kept = {(each.number, offset): data for each in contents for offset, data in each.kept.items()}
    rootfs = Rootfs(
        merged.nodes,
        kept={place: data for place, data in kept.items() if place in present},
        fetch=_Fetcher(layers, [each.plain for each in contents]),
        diff_ids=image.config.diff_ids,
        skipped=merged.skipped,
    )
    # The contents stream past under the first name of a file, which may not be the one that is wanted.
    rootfs.prefetch(PurePosixPath(path) for path in merged.hard_links if wanted(path))
    return rootfs


def _scan_all(
    layers: Sequence[Layer],
    wanted: Callable[[str], bool],
    budget: Budget,
    on_layer: Callable[[int, int], None] | None,
) -> list[LayerContents]:
    contents = [LayerContents(number=number) for number in range(len(layers))]
    stop = Event()
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads, "digest") as hashers, ThreadPoolExecutor(threads, "layer") as scanners:
        futures = [
            scanners.submit(_scan, layer, wanted, each, budget, hashers, stop)
            for layer, each in zip(layers, contents, strict=True)
        ]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if on_layer is not None:
                    on_layer(done, len(futures))
        finally:
            stop.set()
            for future in futures:
                future.cancel()
    return contents


def _scan(
    layer: Layer,
    wanted: Callable[[str], bool],
    contents: LayerContents,
    budget: Budget,
    hashers: Executor,
    stop: Event,
) -> None:
    with LayerStream(layer, hashers, stop=stop) as stream:
        contents.plain = stream.compression == "none"
        chunks = stream.chunks()
        try:
            scan_layer(chunks, wanted, contents, budget, str(layer))
        except CorruptImageError:
            # A wrong digest explains a malformed tar, and is raised here at the end of the stream.
            for _ in chunks:
                pass
            raise


class _Fetcher:
    """Reads files of a layer again: see :data:`envsync.rootfs.tree.Fetch`."""

    def __init__(self, layers: Sequence[Layer], plain: Sequence[bool]) -> None:
        self._layers = layers
        self._plain = plain

    def __call__(self, number: int, entries: list[TarEntry]) -> dict[int, bytes]:
        """Contents by offset.

        Raises:
            CorruptImageError: the layer is no longer what it was.
        """
        layer = self._layers[number]
        if self._plain[number] and isinstance(layer, StoredLayer):
            return {entry.offset: read_contents(entry, layer.blob.read_at) for entry in entries}
        found: dict[int, bytes] = {}
        with ThreadPoolExecutor(2, "digest") as hashers, LayerStream(layer, hashers) as stream:
            chunks = stream.chunks()
            reader = TarReader(StreamSource(chunks), where=str(layer))
            for entry in sorted(entries, key=lambda entry: entry.offset):
                found[entry.offset] = reader.read(entry)
            for _ in chunks:
                pass
        return found
