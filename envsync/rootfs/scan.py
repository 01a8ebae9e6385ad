"""One layer: the names in it, what it deletes, and the contents that are wanted, in one pass over its stream.

Whiteouts: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from envsync.elf import Fetch
from envsync.errors import ImageError
from envsync.image.tar import StreamSource, TarReader
from envsync.model import Skipped
from envsync.rootfs.digests import FileDigests
from envsync.rootfs.names import LayerNames
from envsync.rootfs.taking import Condense, Taking

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
"""What aufs kept for itself begins with this; it was never part of the image."""

_PATH_LIMIT = 4096
"""Characters: PATH_MAX of Linux. No system call can name a longer path."""

_SKIPPED_LIMIT = 100
"""Records of one layer; a hostile one could have millions."""

_LINK_COST = 150
_WHITEOUT_COST = 400
"""Bytes of memory that a link or a whiteout takes, without its path."""


class Budget:
    """What the layers of one image may cost together in memory, counted from several threads."""

    def __init__(self, *, contents: int = 80 << 20, names: int = 112 << 20) -> None:
        """``contents``: bytes of files that are kept; ``names``: bytes that all that is known of paths takes."""
        self._lock = Lock()
        self._contents = contents
        self._names = names

    def take_contents(self, size: int) -> bool:
        """Whether so many bytes may still be kept; if so, they are taken."""
        with self._lock:
            if size > self._contents:
                return False
            self._contents -= size
            return True

    def take_names(self, cost: int, *, where: str) -> None:
        """Count memory.

        Raises:
            ImageError: it is more than any honest image takes.
        """
        with self._lock:
            self._names -= cost
            if self._names < 0:
                raise ImageError(f"{where}: the image has too many files (expected two million at most)")


@dataclass(kw_only=True, slots=True)
class LayerContents:
    """What one layer says. Of several entries with one name, the last counts."""

    number: int
    complete: bool = False
    """Whether the whole layer was scanned, and its digests verified."""
    size: int = 0
    """Bytes of its tar."""
    names: LayerNames = field(default_factory=LayerNames)
    """All but whiteouts."""
    conflicts: frozenset[str] = frozenset()
    """Folders with something in them of which the layer itself says that they are none."""
    whiteouts: set[str] = field(default_factory=set)
    """Paths that are deleted in the layers below."""
    opaque: set[str] = field(default_factory=set)
    """Folders whose contents in the layers below are deleted."""
    hard_links: list[int] = field(default_factory=list)
    """Rows of hard links."""
    kept: dict[int, bytes] = field(default_factory=dict)
    """Contents of wanted files, by offset."""
    digests: FileDigests = field(default_factory=FileDigests)
    """Of files that are hashed."""
    elves: dict[int, bytes] = field(default_factory=dict)
    """What ELF files need and define, by offset: see :mod:`envsync.rootfs.elves`."""
    undecodable: list[str] = field(default_factory=list)
    """Paths that are not UTF-8, or links whose target is not: they take part in the merging and are then left out."""
    plain: bool = False
    """Whether the layer is stored uncompressed, so that offsets of its tar are offsets of its blob."""
    skipped: list[Skipped] = field(default_factory=list)
    skipped_more: int = 0
    """Number of skipped entries beyond those that are listed."""

    def skip(self, name: str, reason: str) -> None:
        """Record an entry that is ignored."""
        if len(self.skipped) < _SKIPPED_LIMIT:
            self.skipped.append(Skipped(subject="image entry", place=_shown(name), reason=_shown(reason)))
        else:
            self.skipped_more += 1

    def undecoded(self, path: str) -> None:
        """Record a path that no text can hold."""
        if len(self.undecodable) < _SKIPPED_LIMIT:
            self.undecodable.append(path)
        else:
            self.skipped_more += 1


def _shown(text: str) -> str:
    """As Unicode, and not endless."""
    proper = text[:300].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return proper[:300] + "…" if len(text) > 300 else proper


_UNUSUAL = re.compile(r"//|/\Z|/\.{1,2}(?:/|\Z)|/\.wh\.").search
"""Finds what a name in its plainest form does not have."""

_COUNTED = 4096
"""Entries between two looks at the budget."""


def scan_layer(
    chunks: Iterator[memoryview],
    wanted: Callable[[str], bool],
    contents: LayerContents,
    budget: Budget,
    where: str,
    condense: Condense = lambda _path, _size: None,
    hashed: Callable[[str], bool] = lambda _path: False,
    native: Callable[[str], bool] = lambda _path: False,
    read_at: Fetch | None = None,
) -> None:
    """Fill ``contents`` from the tar stream of a layer, and drain it.

    ``read_at`` reads anywhere in the tar, where it lies in a file as it is.

    Raises:
        CorruptImageError: the tar is malformed, or the stream does not have its digest.
        ImageError: more files than any honest image has.
    """
    reader, names = TarReader(StreamSource(chunks), where=where), contents.names
    take = Taking(wanted, contents, budget, condense, hashed, native, read_at)
    cost, since = 0, 0
    for name, entry in reader.entries():
        path = name[1:] if name[:2] == "./" else f"/{name}"
        if len(path) > _PATH_LIMIT or _UNUSUAL(path) or not path.isascii():
            proper = _proper_path(name, contents)
            if proper is None:
                cost += _WHITEOUT_COST
                continue
            path = proper
        kind = entry.kind
        if not path:
            if kind != "directory":
                contents.skip(name, "the root cannot be anything but a folder")
            continue
        if kind == "unknown":
            contents.skip(name, "a tar entry of an unknown type")
            continue
        row = names.add(path, entry)
        if entry.link:
            cost += _LINK_COST + 2 * len(entry.link)
            if kind == "hardlink":
                contents.hard_links.append(row)
            elif not (entry.link.isascii() or is_utf8(entry.link)):
                contents.undecoded(path)
        since += 1
        if since == _COUNTED:
            budget.take_names(cost + names.grown(), where=where)
            cost = since = 0
        if kind == "file":
            cost += take(path, entry, reader)
    for _ in chunks:
        pass
    _open_folders(contents)
    budget.take_names(cost + names.grown(), where=where)
    contents.conflicts = names.settle()
    contents.complete = True


def _open_folders(contents: LayerContents) -> None:
    """Name the folders in which something is deleted."""
    for path in contents.opaque:
        contents.names.open_folder(path)
    for path in contents.whiteouts:
        contents.names.open_folder(path.rpartition("/")[0])


def _proper_path(name: str, contents: LayerContents) -> str | None:
    """The path for a name that is not in its plainest form; ``None`` for a whiteout, or what is ignored."""
    path = resolve_name(name)
    if path is None:
        contents.skip(name, "its path leads out of the root")
        return None
    if len(path) > _PATH_LIMIT:
        contents.skip(name, f"its path is longer than {_PATH_LIMIT} characters")
        return None
    if "\0" in path:
        contents.skip(name, "its path contains a NUL")
        return None
    if not path.isascii() and not is_utf8(path):
        contents.undecoded(path)
    if "/" + _WHITEOUT not in path:
        return path
    parent, _, base = path.rpartition("/")
    if "/" + _WHITEOUT in parent or (base.startswith(_AUFS) and base != _OPAQUE):
        if "/" + _AUFS not in path:
            contents.skip(name, "below a whiteout")
    elif base == _OPAQUE:
        contents.opaque.add(parent)
    else:
        hidden = base[len(_WHITEOUT) :]
        if hidden in ("", ".", ".."):
            contents.skip(name, "a whiteout of no name")
        else:
            contents.whiteouts.add(f"{parent}/{hidden}")
    return None


def resolve_name(name: str) -> str | None:
    """The path that an archive's name means, absolute or not; ``None`` where ``..`` leads out of the root."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "".join(f"/{part}" for part in parts)


def is_utf8(text: str) -> bool:
    """Whether a name came from UTF-8, and so is free of surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
