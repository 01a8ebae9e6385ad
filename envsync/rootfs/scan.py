"""One layer: the names in it, what it deletes, and the contents that are wanted, in one pass over its stream.

Whiteouts: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts. Paths are strings as
``/usr/bin/python3``; the root is the empty string, so that a parent plus ``/`` plus a name is a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from envsync.errors import ImageError
from envsync.files import READ_LIMIT
from envsync.image.tar import StreamSource, TarEntry, TarReader
from envsync.model import Skipped

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
"""What aufs kept for itself begins with this; it was never part of the image."""

_PATH_LIMIT = 4096
"""Characters: PATH_MAX of Linux. No system call can name a longer path."""

_SKIPPED_LIMIT = 100
"""Records of one layer; a hostile one could have millions."""


class Budget:
    """What the layers of one image may cost together, counted from several threads."""

    def __init__(self, *, contents: int = 1 << 30, names: int = 1 << 29, entries: int = 4_000_000) -> None:
        """``contents``: bytes of files that are kept; ``names``: characters of paths; ``entries``: their number."""
        self._lock = Lock()
        self._contents = contents
        self._names = names
        self._entries = entries

    def take_contents(self, size: int) -> bool:
        """Whether so many bytes may still be kept; if so, they are taken."""
        with self._lock:
            if size > self._contents:
                return False
            self._contents -= size
            return True

    def take_names(self, names: Iterable[str], *, where: str) -> None:
        """Count paths.

        Raises:
            ImageError: there are more than any honest image has.
        """
        count, length = 0, 0
        for name in names:
            count += 1
            length += len(name)
        with self._lock:
            self._entries -= count
            self._names -= length
            if self._entries < 0 or self._names < 0:
                raise ImageError(f"{where}: the image has too many files (expected at most 4 million)")


@dataclass(kw_only=True, slots=True)
class LayerContents:
    """What one layer says. Of several entries with one name, the last counts."""

    number: int
    entries: dict[str, TarEntry] = field(default_factory=dict)
    """By path; without whiteouts."""
    whiteouts: set[str] = field(default_factory=set)
    """Paths that are deleted in the layers below."""
    opaque: set[str] = field(default_factory=set)
    """Folders whose contents in the layers below are deleted."""
    kept: dict[int, bytes] = field(default_factory=dict)
    """Contents of wanted files, by offset."""
    undecodable: set[str] = field(default_factory=set)
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


def _shown(text: str) -> str:
    """As Unicode, and not endless."""
    proper = text[:300].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return proper[:300] + "…" if len(text) > 300 else proper


_COUNTED = 4096
"""Entries between two looks at the budget."""


def scan_layer(
    chunks: Iterator[memoryview], wanted: Callable[[str], bool], contents: LayerContents, budget: Budget, where: str
) -> None:
    """Fill ``contents`` from the tar stream of a layer, and drain it.

    Raises:
        CorruptImageError: the tar is malformed, or the stream does not have its digest.
        ImageError: more files than any honest image has.
    """
    reader = TarReader(StreamSource(chunks), where=where, archive=contents.number)
    entries, kept = contents.entries, contents.kept
    names: list[str] = []
    for name, entry in reader.entries():
        path = "/" + name
        if "/." in path or "//" in path or path[-1] == "/" or len(path) > _PATH_LIMIT or not path.isascii():
            proper = _proper_path(name, contents)
            if proper is None:
                continue
            path = proper
        kind = entry.kind
        if not path and kind != "directory":
            contents.skip(name, "the root cannot be anything but a folder")
            continue
        if kind == "unknown":
            contents.skip(name, "a tar entry of an unknown type")
            continue
        if kind == "symlink" and not (entry.link.isascii() or is_utf8(entry.link)):
            contents.undecodable.add(path)
        entries[path] = entry
        names.append(path)
        if len(names) == _COUNTED:
            budget.take_names(names, where=where)
            names.clear()
        if kind == "file" and wanted(path) and entry.size <= READ_LIMIT and budget.take_contents(entry.size):
            kept[entry.offset] = reader.read(entry)
    budget.take_names(names, where=where)
    for _ in chunks:
        pass


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
        contents.undecodable.add(path)
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
