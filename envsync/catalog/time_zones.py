"""The time zone that programs take for the local one, and the data of all zones.

Follows tzset(3), https://man7.org/linux/man-pages/man5/localtime.5.html and, for the data, RFC 9636 and
https://docs.python.org/3/library/zoneinfo.html#data-sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from envsync.files import FileReadError, FileTree
from envsync.model import Resource

PATTERNS: tuple[str, ...] = (
    r"/etc/(?:localtime|timezone)",
    r"(?:/usr/share|/usr/lib|/usr/share/lib|/etc)/zoneinfo/(?:tzdata\.zi|\+VERSION)",
)
"""Files whose bytes are asked for."""

UNKNOWN_VERSION = "of unknown version"
"""Of data that do not tell it."""

_LOCALTIME = PurePosixPath("/etc/localtime")
_DEBIAN_NAME = PurePosixPath("/etc/timezone")
_FOLDERS = tuple(
    map(PurePosixPath, ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"))
)
_VERSIONED = ("tzdata.zi", "+VERSION")
_UTC = "Etc/UTC"
_UTC_NAMES = frozenset({"UTC", "UCT", "Universal", "Zulu"})
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,32}){0,3}")
_RULE = re.compile(r"(?:[A-Za-z]{3,10}|<[A-Za-z0-9+-]{3,10}>)[+-]?\d[A-Za-z0-9<>+,./:-]{0,80}")
_VERSION = re.compile(r"(?:# version )?(\d{4}[a-z]{1,2}[\w.+-]{0,40})\s")
_LINKS = 8
_ZONE_BYTES = 64 * 1024
_LIST_BYTES = 1024 * 1024


def find_time(tree: FileTree, env: Mapping[str, str]) -> tuple[Resource, ...]:
    """The local time zone, where it can be told, and the data, whether they are there or not."""
    zone = _of_variable(tree, env["TZ"]) if "TZ" in env else _of_localtime(tree)
    return (*zone, _data(tree))


def _of_variable(tree: FileTree, value: str) -> Iterator[Resource]:
    """What TZ says. A name without a file is UTC: the C library asks nobody."""
    name = value.removeprefix(":")
    found = tree.stat(_FOLDERS[0] / name) if _ZONE.fullmatch(name) else None
    if found is not None and found.kind == "file":
        yield Resource(kind="time-zone", value=_canonical(name), path=found.path)
    elif _RULE.fullmatch(name):
        yield Resource(kind="time-zone", value=_canonical(name))
    elif name.startswith("/"):
        yield from _of_file(tree, PurePosixPath(name))
    else:
        yield Resource(kind="time-zone", value=_UTC)


def _of_localtime(tree: FileTree) -> Iterator[Resource]:
    found = tree.stat(_LOCALTIME)
    if found is None:  # also a link whose end went with the package of the data
        yield Resource(kind="time-zone", value=_UTC)
        return
    named = _linked(tree, _LOCALTIME) or _named_by_debian(tree, found.size)
    if named is not None:
        yield Resource(kind="time-zone", value=_canonical(named), path=found.path)
    else:
        yield from _of_file(tree, _LOCALTIME)


def _of_file(tree: FileTree, path: PurePosixPath) -> Iterator[Resource]:
    """What a copy of a zone says of itself: its rule, not its name."""
    named = _zone_name(path)
    found = tree.stat(path)
    if found is None:
        yield Resource(kind="time-zone", value=_UTC)
    elif named is not None:
        yield Resource(kind="time-zone", value=_canonical(named), path=found.path)
    elif found.layer is None or found.path == _LOCALTIME:  # of an image no other file is kept
        rule = parse_rule(_read(tree, path, _ZONE_BYTES))
        if rule is not None:
            yield Resource(kind="time-zone", value=_canonical(rule), path=found.path)


def parse_rule(data: bytes) -> str | None:
    """The rule in force, ``CET-1CEST,M3.5.0,M10.5.0/3``, from the end of a TZif file; ``None``: there is none.

    Never raises. Follows RFC 9636, section 3.3.
    """
    if not data.startswith(b"TZif") or not data.endswith(b"\n"):
        return None
    rule = data[data.rfind(b"\n", 0, -1) + 1 : -1].decode("ascii", "replace")
    return rule if _RULE.fullmatch(rule) else None


def parse_version(data: bytes) -> str | None:
    """The release of the data, ``2024a``, from the bytes of ``tzdata.zi`` or ``+VERSION``. Never raises."""
    match = _VERSION.match(data[:100].decode("ascii", "replace") + "\n")
    return match[1] if match else None


def _data(tree: FileTree) -> Resource:
    for folder in _FOLDERS:
        names = tree.list(folder)
        if not names:
            continue
        texts = (_read(tree, folder / name, _LIST_BYTES) for name in _VERSIONED)
        version = next(filter(None, map(parse_version, texts)), UNKNOWN_VERSION)
        found = next(filter(None, (tree.stat(folder / name) for name in (*_VERSIONED, "UTC", ""))), None)
        return Resource(kind="time-zone-data", value=version, path=found.path if found else None)
    return Resource(kind="time-zone-data")


def _linked(tree: FileTree, path: PurePosixPath) -> str | None:
    for _ in range(_LINKS):
        target = tree.readlink(path)
        if target is None:
            return None
        path = path.parent / target
        name = _zone_name(path)
        if name is not None:
            return name
    return None


def _zone_name(path: PurePosixPath) -> str | None:
    """``Europe/Berlin`` of ``/usr/share/zoneinfo/posix/Europe/Berlin``."""
    _, found, name = str(path).rpartition("/zoneinfo/")
    name = name.removeprefix("posix/").removeprefix("right/")
    return name if found and _ZONE.fullmatch(name) else None


def _named_by_debian(tree: FileTree, size: int) -> str | None:
    """What ``/etc/timezone`` says, where that can be what ``/etc/localtime`` is a copy of."""
    name = _read(tree, _DEBIAN_NAME, _ZONE_BYTES).decode("ascii", "replace").strip()
    found = tree.stat(_FOLDERS[0] / name) if _ZONE.fullmatch(name) else None
    return name if found is not None and found.size == size else None


def _canonical(zone: str) -> str:
    return _UTC if zone.removeprefix("Etc/") in _UTC_NAMES or zone in ("UTC0", "<UTC>0") else zone


def _read(tree: FileTree, path: PurePosixPath, limit: int) -> bytes:
    try:
        return tree.read(path, limit=limit)
    except FileReadError:
        return b""
