"""Merging layers, top down: of each path, the uppermost layer that has it says what is there.

https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets. What is merged are folders: for
each, which layers have something to say of what is in it. A path is looked up in these layers when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envsync.errors import ImageError
from envsync.model import Skipped
from envsync.rootfs.names import FILE, HARDLINK, OTHER, SYMLINK, Node
from envsync.rootfs.scan import LayerContents, is_utf8, resolve_name

_LINK_CHAIN_LIMIT = 40
_LINK_STEPS_LIMIT = 5_000_000
"""Layers looked into for the targets of all hard links together: an honest image needs some thousands."""

IMPLIED_FOLDER = Node("directory", 0o755, 0, 0, "", -1)
"""A folder that no layer describes, but that has something in it."""

_SEARCHED = frozenset((FILE, SYMLINK, HARDLINK, OTHER))


class Merged:
    """All layers as one; paths as in :mod:`envsync.rootfs.names`."""

    def __init__(self, layers: Sequence[LayerContents]) -> None:
        self._layers = layers
        self._folders: dict[str, tuple[int, ...]] = {"": ()}
        """Of each folder that is there, numbers of the layers that have something in it, the uppermost first."""
        self._deleted: dict[str, int] = {}
        """By path, the number of the uppermost layer that deletes it in the layers below."""
        self._hard_links: dict[str, Node | None] = {}
        self.skipped: tuple[Skipped, ...] = ()
        """Entries that were ignored."""

    @property
    def hard_links(self) -> tuple[str, ...]:
        """Paths that were hard links, and are now what they lead to."""
        return tuple(path for path, node in self._hard_links.items() if node is not None and self.node(path))

    def node(self, path: str) -> Node | None:
        """What is at a path none of whose folders is a link; ``None`` where nothing is, or no text can say what."""
        found = self._stored(path)
        if found is None or not (path.isascii() or is_utf8(path)):
            return None
        if found.kind == "hardlink":
            found = self._hard_links.get(path)
        if found is not None and found.link and not found.link.isascii() and not is_utf8(found.link):
            return None
        return found

    def _stored(self, path: str) -> Node | None:
        is_folder = path in self._folders
        parent, _, name = path.rpartition("/")
        above = self._deleted.get(path, -1)
        for number in self._folders.get(parent, ()) if path else ():
            if number < above:
                break
            found = self._layers[number].names.find(parent, name, number)
            if found is None or found.kind == "implied":
                continue
            if is_folder and found.kind != "directory":
                # A folder above took its place.
                break
            return found
        return IMPLIED_FOLDER if is_folder else None

    def names(self, folder: str) -> tuple[str, ...]:
        """Names in a folder, sorted."""
        numbers = self._folders.get(folder, ())
        candidates = {name for number in numbers for name in self._layers[number].names.names(folder)}
        return tuple(sorted(name for name in candidates if self.node(f"{folder}/{name}") is not None))

    def named(self, matches: Callable[[str], object]) -> set[str]:
        """Paths of what is no folder and has a name that ``matches``; some may be hidden by another layer."""
        layers = (layer.names for layer in self._layers)
        return {names.path(row) for names in layers for row, name in names.all_names(_SEARCHED) if matches(name)}


def merge(layers: Sequence[LayerContents]) -> Merged:
    """Merge layers, lowest first.

    Raises:
        ImageError: following its hard links would take too long.
    """
    merged = Merged(layers)
    merger = _Merger(merged)
    for layer in reversed(layers):
        merger.add(layer)
    _Links(merged).follow_all()
    for layer in layers:
        for path in sorted(set(layer.undecodable)):
            if merged._stored(path) is not None and merged.node(path) is None:
                layer.skip(path, "its name, or the target of the link, is not UTF-8")
    merged.skipped = tuple(record for layer in layers for record in _skipped(layer))
    return merged


class _Merger:
    def __init__(self, merged: Merged) -> None:
        self._merged = merged
        # Paths that the layers above the current one hide: by themselves and with all below, or only what is below.
        self._gone: set[str] = set()
        self._emptied: set[str] = set()

    def add(self, layer: LayerContents) -> None:
        """Add the folders of a layer that no layer above hides."""
        folders = self._merged._folders
        is_open: dict[str, bool] = {}
        replaced: list[str] = []
        for path in layer.names.folders:
            if path:
                inside = is_open[path.rpartition("/")[0]] and self._is_open(path, layer)
            else:
                inside = "" not in self._emptied
            is_open[path] = inside
            if not inside:
                continue
            above = folders.get(path, ())
            if above:
                # Where a folder above took the place of a file, nothing below this layer can be in the folder.
                candidates = (f"{path}/{name}" for name in layer.names.others(path))
                replaced.extend(candidate for candidate in candidates if candidate in folders)
            folders[path] = (*above, layer.number)
        self._gone |= layer.whiteouts
        self._gone.update(replaced)
        self._emptied |= layer.opaque
        for path in layer.whiteouts:
            self._merged._deleted.setdefault(path, layer.number)

    def _is_open(self, path: str, layer: LayerContents) -> bool:
        """Whether what a layer has in a folder, itself in an open one, is to be seen."""
        if path in layer.conflicts:
            layer.skip(path, "not a folder, but its layer has entries below it, which are ignored")
            return False
        if path in self._gone or path in self._emptied:
            return False
        if self._merged._folders[path.rpartition("/")[0]][0] == layer.number:
            return True  # no layer above has anything in the folder that it is in
        there = self._merged._stored(path)
        return there is None or there.kind == "directory"


class _Links:
    """Hard links, each followed as its layer and those below it stood."""

    def __init__(self, merged: Merged) -> None:
        self._merged = merged
        self._steps = 0

    def follow_all(self) -> None:
        """Find out where each hard link that is to be seen leads."""
        merged = self._merged
        for layer in merged._layers:
            for row in layer.hard_links:
                path = layer.names.path(row)
                if path in merged._hard_links:
                    continue
                link = merged._stored(path)
                if link is None or link.kind != "hardlink":
                    continue
                found = self._follow(link)
                if found is None:
                    merged._layers[link.layer].skip(path, f"a hard link to {link.link[:200]}, which is not there")
                merged._hard_links[path] = found

    def _follow(self, link: Node) -> Node | None:
        for _ in range(_LINK_CHAIN_LIMIT):
            path = resolve_name(link.link)
            found = self._find(link.layer, path) if path else None
            if found is None or found.kind == "directory":
                return None
            if found.kind != "hardlink":
                return found
            link = found
        return None

    def _find(self, number: int, path: str) -> Node | None:
        """The node at ``path`` when the layers up to ``number`` are applied."""
        parent, _, name = path.rpartition("/")
        folders = [path[: at + len(path)] for at in range(-len(path) + 1, 0) if path[at] == "/"]
        for layer in reversed(self._merged._layers[: number + 1]):
            self._steps += 1 + len(folders)
            if self._steps > _LINK_STEPS_LIMIT:
                raise ImageError("image: it has more hard links, in more layers, than can be followed")
            for folder in folders:
                above, _, own = folder.rpartition("/")
                there = layer.names.find(above, own, layer.number)
                if there is not None and there.kind not in ("directory", "implied"):
                    return None
            found = layer.names.find(parent, name, layer.number)
            if found is not None and found.kind != "implied":
                return found
            if path in layer.whiteouts or not layer.whiteouts.isdisjoint(folders):
                return None
            if "" in layer.opaque or not layer.opaque.isdisjoint(folders):
                return None
        return None


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
