"""The names of one layer, packed: some 45 bytes and the name itself for an entry, of which an image may have millions.

Entries are rows of arrays, in the order of the archive. Each row is chained to the one before it in the same folder,
so that the newest of several with one name is found first. Paths are strings as ``/usr/bin/python3``; the root is the
empty string, so that a parent plus ``/`` plus a name is a path.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from envsync.image.tar import TarEntry

NodeKind = Literal["file", "directory", "symlink", "hardlink", "other", "implied"]

KINDS: tuple[NodeKind, ...] = ("file", "directory", "symlink", "hardlink", "other", "implied")
FILE, DIRECTORY, SYMLINK, HARDLINK, OTHER, IMPLIED = range(len(KINDS))
"""``implied``: a folder that no entry describes, but that has something in it."""

_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_SPARSE = 8
"""Added to the number of a file's kind where its contents are stored with holes."""

_SIZE_LIMIT = (1 << 48) - 1
_VIEWS = 2048
"""Folders of a layer whose names are laid side by side at a time."""
_HASHED = 100
"""Names in a folder from which on hashing them pays."""

ROW_COST = 45
"""Bytes of memory that an entry takes, without its name."""
FOLDER_COST = 300
"""Bytes of memory that a folder takes beyond its row, without its path."""


class Node(Struct, frozen=True, gc=False):
    """What is at a path."""

    kind: NodeKind
    mode: int
    """Permission bits."""
    size: int
    """Bytes of a file's contents, holes included."""
    offset: int
    """Of the data, from the beginning of the layer's tar archive."""
    link: str
    """Target of a link, as stored; empty for anything else."""
    layer: int
    """Number of the layer, lowest 0; -1 where none describes it."""
    sparse: bool = False
    """Whether its contents are stored with holes."""


class PackedNames(Struct, kw_only=True, array_like=True):
    """The same as bytes, to be kept in a file: arrays in the byte order of the machine."""

    folders: bytes
    """Paths in the order of their numbers, each ended by a NUL."""
    last: bytes
    names: bytes
    starts: bytes
    parents: bytes
    previous: bytes
    offsets: bytes
    facts: bytes
    links: dict[int, bytes]


class LayerNames:
    """Rows, to be filled by :meth:`add` and looked up afterwards."""

    def __init__(self) -> None:
        self.folders: dict[str, int] = {"": 0}
        """Numbers of all folders by path, each parent before its children."""
        self.links: dict[int, str] = {}
        """Targets of links by row."""
        self._last = array("I", [0])
        """By folder: its newest row plus 1; 0 where it has none."""
        self._names = bytearray()
        self._starts = array("I")
        self._parents = array("I")
        self._previous = array("I")
        self._offsets = array("Q")
        self._facts = array("Q")
        """Size in bytes, kind and permission bits: 48, 4 and 12 bits."""
        self._doubtful: set[str] = set()
        self._views: dict[int, _Folder] = {}
        self._paths: list[str] = []
        self._folder_names = 0
        self._counted = 0

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, path: str, entry: TarEntry) -> int:
        """Add an entry below the root; returns its row."""
        parent, _, name = path.rpartition("/")
        folder = self.folders.get(parent)
        if folder is None:
            folder = self.open_folder(parent)
        kind = _NUMBER[entry.kind]  # type: ignore[index]  # the scan leaves out what is unknown
        if kind == DIRECTORY:
            if path not in self.folders:
                self._new_folder(path)
        elif path in self.folders:
            self._doubtful.add(path)
        if entry.link:
            self.links[len(self._facts)] = entry.link
        if entry.sparse is not None:
            kind |= _SPARSE
        self._append(folder, name, entry.offset, min(entry.size, _SIZE_LIMIT) << 16 | kind << 12 | entry.mode)
        return len(self._facts) - 1

    def open_folder(self, path: str) -> int:
        """The number of a folder in which something is, or is deleted, whether an entry describes it or not."""
        number = self.folders.get(path)
        if number is None:
            missing = [path]
            while (parent := missing[-1].rpartition("/")[0]) not in self.folders:
                missing.append(parent)
            for folder in reversed(missing):
                above, _, name = folder.rpartition("/")
                self._append(self.folders[above], name, 0, IMPLIED << 12)
                self._doubtful.add(folder)
                number = self._new_folder(folder)
        assert number is not None  # noqa: S101 - the loop ran
        return number

    def _new_folder(self, path: str) -> int:
        number = self.folders[path] = len(self._last)
        self._last.append(0)
        self._folder_names += len(path)
        return number

    def _append(self, folder: int, name: str, offset: int, facts: int) -> None:
        self._starts.append(len(self._names))
        self._names += name.encode("utf-8", "surrogateescape") + b"\0"
        self._parents.append(folder)
        self._previous.append(self._last[folder])
        self._facts.append(facts)
        self._offsets.append(offset)
        self._last[folder] = len(self._facts)

    def grown(self) -> int:
        """Bytes of memory that it takes by now more than when this was asked last."""
        paths = self._folder_names
        cost = ROW_COST * len(self._facts) + len(self._names) + FOLDER_COST * len(self.folders) + 2 * paths
        grown, self._counted = cost - self._counted, cost
        return grown

    def settle(self) -> frozenset[str]:
        """To be called once after all entries: paths of folders whose own entry says that they are none."""
        conflicts = []
        doubtful: dict[str, set[str]] = {}
        for path in self._doubtful:
            parent, _, name = path.rpartition("/")
            doubtful.setdefault(parent, set()).add(name)
        for parent, names in doubtful.items():
            newest: dict[str, int] = {}
            view = self._view(self.folders[parent])
            for row, name in zip(view.rows, view.names(), strict=True):
                if name not in names:
                    continue
                newest.setdefault(name, row)
                if self._kind(row) == IMPLIED:
                    continue
                names.discard(name)
                if self._kind(row) != DIRECTORY:
                    conflicts.append(f"{parent}/{name}")
                    self._copy(row, newest[name])
        self._doubtful.clear()
        return frozenset(conflicts)

    def _copy(self, row: int, other: int) -> None:
        """Let another row, the newest of one name, say what ``row`` says."""
        self._facts[other] = self._facts[row]
        self._offsets[other] = self._offsets[row]
        if row in self.links:
            self.links[other] = self.links[row]

    # --- looking up -----------------------------------------------------------------------------------

    def find(self, folder: str, name: str, layer: int) -> Node | None:
        """What the layer, which has the number ``layer``, has by a name in a folder."""
        number = self.folders.get(folder)
        if number is None or not self._last[number]:
            return None
        row = self._view(number).newest(name.encode("utf-8", "surrogateescape"))
        return None if row is None else self.node(row, layer)

    def node(self, row: int, layer: int) -> Node:
        """A row as a node of the layer with the number ``layer``."""
        facts = self._facts[row]
        kind = facts >> 12 & 7
        return Node(
            KINDS[kind],
            facts & 0o7777,
            facts >> 16 if kind == FILE else 0,
            self._offsets[row],
            self.links.get(row, ""),
            layer,
            bool(facts >> 12 & _SPARSE),
        )

    def names(self, folder: str) -> Iterator[str]:
        """Names in a folder, the newest first; some may repeat."""
        number = self.folders.get(folder)
        return self._view(number).names() if number is not None else iter(())

    def others(self, folder: str) -> Iterator[str]:
        """Names in a folder that are not of folders."""
        view = self._view(self.folders[folder])
        for row, name in zip(view.rows, view.names(), strict=True):
            if self._kind(row) not in (DIRECTORY, IMPLIED):
                yield name

    def path(self, row: int) -> str:
        """The path of a row."""
        if len(self._paths) != len(self.folders):
            self._paths = list(self.folders)
        return f"{self._paths[self._parents[row]]}/{self._name(row)}"

    def all_names(self, kinds: frozenset[int]) -> Iterator[tuple[int, str]]:
        """All rows of some kinds, and their names."""
        for first in range(0, len(self._facts), 1 << 14):
            rows = range(first, min(first + (1 << 14), len(self._facts)))
            end = self._starts[rows[-1] + 1] if rows[-1] + 1 < len(self._starts) else len(self._names)
            text = str(self._names[self._starts[first] : end - 1], "utf-8", "surrogateescape")
            for row, name in zip(rows, text.split("\0"), strict=True):
                if self._kind(row) in kinds:
                    yield row, name

    def _kind(self, row: int) -> int:
        return self._facts[row] >> 12 & 7

    def _name(self, row: int) -> str:
        start = self._starts[row]
        return str(self._names[start : self._names.index(0, start)], "utf-8", "surrogateescape")

    def _view(self, number: int) -> _Folder:
        view = self._views.get(number)
        if view is None:
            if len(self._views) >= _VIEWS:
                self._views.clear()
            rows, row = array("I"), self._last[number]
            while row:
                rows.append(row - 1)
                row = self._previous[row - 1]
            view = self._views[number] = _Folder(rows, self._starts, self._names)
        return view

    # --- as bytes ---------------------------------------------------------------------------------------

    def pack(self) -> PackedNames:
        """All of it, once settled."""
        return PackedNames(
            folders="".join(f"{path}\0" for path in self.folders).encode("utf-8", "surrogateescape"),
            last=self._last.tobytes(),
            names=bytes(self._names),
            starts=self._starts.tobytes(),
            parents=self._parents.tobytes(),
            previous=self._previous.tobytes(),
            offsets=self._offsets.tobytes(),
            facts=self._facts.tobytes(),
            links={row: link.encode("utf-8", "surrogateescape") for row, link in self.links.items()},
        )

    @classmethod
    def unpack(cls, packed: PackedNames) -> LayerNames:
        """What :meth:`pack` gave.

        Raises:
            ValueError: it is something else.
        """
        names = cls()
        paths = str(packed.folders, "utf-8", "surrogateescape").split("\0")[:-1]
        names.folders = {path: number for number, path in enumerate(paths)}
        names.links = {row: str(link, "utf-8", "surrogateescape") for row, link in packed.links.items()}
        names._last = array("I", packed.last)
        names._names = bytearray(packed.names)
        names._starts = array("I", packed.starts)
        names._parents = array("I", packed.parents)
        names._previous = array("I", packed.previous)
        names._offsets = array("Q", packed.offsets)
        names._facts = array("Q", packed.facts)
        names._folder_names = sum(map(len, paths))
        rows = (names._starts, names._parents, names._previous, names._offsets, names._facts)
        if {len(column) for column in rows} != {len(names)} or len(names._last) != len(paths):
            raise ValueError("columns of different lengths")
        return names


class _Folder:
    """The rows of one folder, the newest first, and their names in one piece: searched, or hashed where it is long."""

    def __init__(self, rows: array[int], starts: array[int], names: bytearray) -> None:
        self.rows = rows
        self._text = bytearray(1)
        self._starts = array("I")
        self._slots: array[int] | None = None
        for row in rows:
            start = starts[row]
            self._starts.append(len(self._text) - 1)
            self._text += names[start : names.index(0, start) + 1]

    def newest(self, name: bytes) -> int | None:
        if len(self.rows) > _HASHED:
            return self._hashed(name)
        at = self._text.find(b"\0" + name + b"\0")
        return None if at < 0 else self.rows[bisect_right(self._starts, at) - 1]

    def _hashed(self, name: bytes) -> int | None:
        """Open addressing: each slot holds the place of a row, counted from 1."""
        if self._slots is None:
            self._slots = array("I", bytes(8 << len(self.rows).bit_length()))
            for place in range(len(self.rows)):
                slot = self._slot(self._name(place))
                if not self._slots[slot]:
                    self._slots[slot] = place + 1
        place = self._slots[self._slot(name)]
        return self.rows[place - 1] if place else None

    def _slot(self, name: bytes) -> int:
        """Where a name is, or would be. Python's hash differs from run to run: nobody can make names collide."""
        slots = self._slots
        assert slots is not None  # noqa: S101 - made by _hashed
        slot = hash(name) % len(slots)
        while slots[slot] and self._name(slots[slot] - 1) != name:
            slot = (slot + 1) % len(slots)
        return slot

    def _name(self, place: int) -> bytes:
        start = self._starts[place] + 1
        return bytes(self._text[start : self._text.index(0, start)])

    def names(self) -> Iterator[str]:
        return iter(str(self._text[1:-1], "utf-8", "surrogateescape").split("\0") if self.rows else ())
