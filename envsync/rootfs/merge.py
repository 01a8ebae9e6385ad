"""Merging layers, top down: of each path, the uppermost layer that has it says what is there.

https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envsync.image.tar import TarEntry
from envsync.model import Skipped
from envsync.rootfs.scan import LayerContents, is_utf8, resolve_name

_LINK_CHAIN_LIMIT = 40

IMPLICIT = TarEntry("directory", 0o755, 0, 0, "", None, -1)
"""A folder that no layer names, but that has something in it."""


class _Merger:
    def __init__(self, layers: Sequence[LayerContents]) -> None:
        self.layers = layers
        self.nodes: dict[str, TarEntry] = {"": IMPLICIT}
        self.hard_links: list[str] = []
        # Paths that the layers above the current one delete: by themselves, with all below, or only what is below.
        self._gone: set[str] = set()
        self._emptied: set[str] = set()

    def add(self, layer: LayerContents) -> None:
        """Add what a layer has and no layer above hides."""
        nodes, entries, gone = self.nodes, layer.entries, self._gone
        open_folders: dict[str, bool] = {}
        replaced: list[str] = []
        for path, entry in entries.items():
            parent = path.rpartition("/")[0]
            is_open = open_folders.get(parent)
            if is_open is None:
                is_open = self._open(parent, layer, open_folders)
            if not is_open or path in gone:
                continue
            there = nodes.get(path)
            if there is None or (there is IMPLICIT and entry.kind == "directory"):
                if entry.kind == "hardlink":
                    found = self._follow(layer.number, entry)
                    if found is None:
                        layer.skip(path, f"a hard link to {entry.link[:200]}, which is not there")
                        replaced.append(path)
                        continue
                    self.hard_links.append(path)
                    nodes[path] = found
                else:
                    nodes[path] = entry
            elif entry.kind != "directory":
                # A folder above took its place: nothing that lies below this layer at the same path can be in it.
                replaced.append(path)
        # What a layer deletes lies in folders, which are there for that reason alone.
        for folder in layer.opaque | {path.rpartition("/")[0] for path in layer.whiteouts}:
            if folder not in open_folders:
                self._open(folder, layer, open_folders)
        gone |= layer.whiteouts
        gone.update(replaced)
        self._emptied |= layer.opaque

    def _open(self, folder: str, layer: LayerContents, open_folders: dict[str, bool]) -> bool:
        """Whether what this layer has in ``folder`` is to be seen. If so, the folder comes to be."""
        chain: list[str] = []
        is_open: bool | None = None
        while is_open is None:
            chain.append(folder)
            if not folder:
                is_open = "" not in self._emptied
                chain.pop()
                open_folders[""] = is_open
                break
            folder = folder.rpartition("/")[0]
            is_open = open_folders.get(folder)
        for path in reversed(chain):
            if is_open:
                is_open = self._is_open_folder(path, layer)
                if is_open:
                    self.nodes.setdefault(path, IMPLICIT)
            open_folders[path] = is_open
        return is_open

    def _is_open_folder(self, path: str, layer: LayerContents) -> bool:
        own = layer.entries.get(path)
        if own is not None and own.kind != "directory":
            layer.skip(path, "not a folder, but its layer has entries below it, which are ignored")
            return False
        there = self.nodes.get(path)
        return path not in self._gone and path not in self._emptied and (there is None or there.kind == "directory")

    def _follow(self, number: int, entry: TarEntry) -> TarEntry | None:
        """What a hard link of layer ``number`` leads to, as that layer and those below it stood."""
        for _ in range(_LINK_CHAIN_LIMIT):
            path = resolve_name(entry.link)
            found = self._find(number, path) if path else None
            if found is None or found.kind == "directory":
                return None
            if found.kind != "hardlink":
                return found
            entry, number = found, found.archive
        return None

    def _find(self, number: int, path: str) -> TarEntry | None:
        """The entry at ``path`` when the layers up to ``number`` are applied."""
        folders = [path[: at + len(path)] for at in range(-len(path) + 1, 0) if path[at] == "/"]
        for layer in reversed(self.layers[: number + 1]):
            if any((own := layer.entries.get(above)) is not None and own.kind != "directory" for above in folders):
                return None
            found = layer.entries.get(path)
            if found is not None:
                return found
            if path in layer.whiteouts or not layer.whiteouts.isdisjoint(folders):
                return None
            if "" in layer.opaque or not layer.opaque.isdisjoint(folders):
                return None
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """All layers as one."""

    nodes: dict[str, TarEntry]
    """By path. Every folder of a path is there too, as a directory; hard links became what they lead to."""
    hard_links: tuple[str, ...]
    """Paths that were hard links."""
    skipped: tuple[Skipped, ...]
    """Entries that were ignored."""


def merge(layers: Sequence[LayerContents]) -> Merged:
    """Merge layers, lowest first."""
    merger = _Merger(layers)
    for layer in reversed(layers):
        merger.add(layer)
    _leave_out_undecodable(merger.nodes, layers)
    return Merged(
        nodes=merger.nodes,
        hard_links=tuple(path for path in merger.hard_links if path in merger.nodes),
        skipped=tuple(record for layer in layers for record in _skipped(layer)),
    )


def _leave_out_undecodable(nodes: dict[str, TarEntry], layers: Sequence[LayerContents]) -> None:
    """No text that is not Unicode gets further: neither JSON nor a terminal can hold it."""
    for layer in layers:
        for path in sorted(layer.undecodable):
            if nodes.pop(path, None) is not None:
                layer.skip(path, "its name, or the target of the link, is not UTF-8")
    if any(layer.undecodable for layer in layers):
        for path in [path for path in nodes if not path.isascii() and not is_utf8(path)]:
            del nodes[path]


def _skipped(layer: LayerContents) -> list[Skipped]:
    records = list(layer.skipped)
    if layer.skipped_more:
        records.append(
            Skipped(
                subject="image entry",
                place=f"layer {layer.number + 1}",
                reason=f"{layer.skipped_more} more entries were ignored",
            )
        )
    return records
