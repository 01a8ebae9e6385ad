"""What rpm has installed, read from its stores without running it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import PurePosixPath
from threading import Lock

from envsync.catalog.bounds import OS_PACKAGES, Notes
from envsync.catalog.rpm import bdb, ndb, reasons, sqlite
from envsync.catalog.rpm.header import TAGS, Header, StoreError, files_of, package_of
from envsync.catalog.rpm.reasons import with_reasons
from envsync.files import READ_LIMIT, FileInfo, FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

FOLDERS = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
"""Of most systems; of SUSE, and of Fedora since 36; of those that ostree updates. Several may lead to one."""

_NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
"""In the order of rpm itself: an older store may have been left beside its successor."""

PATTERNS: tuple[str, ...] = (
    r"/(?:var/lib|usr/lib/sysimage|usr/share)/rpm/(?:rpmdb\.sqlite|Packages(?:\.db)?)",
    *reasons.PATTERNS,
)
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes are asked for."""

__all__ = ["FOLDERS", "PATTERNS", "condense", "find", "find_files", "parse_store", "with_reasons"]

_UNKNOWN, _BESIDE = ("rpmdb", "packages"), ("-shm", "-wal")
_LONGEST = 512 << 20
"""Bytes of a store of this machine: with thousands of packages it has hundreds of megabytes."""

_MOST_CONDENSED = 48 << 20
"""Bytes of a store of an image: a full system of 1,000 packages has 40 MB, of which 4 are asked for."""
_ONE_AT_ONCE = Lock()
_CONDENSED = b"envsync: rpm headers\n"


def find(tree: FileTree) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """The installed packages, in the order of the store; ``None`` where there is no store that can be read."""
    notes = Notes("OS packages", FOLDERS[0])
    store = _store(tree, notes)
    if store is None:
        return None, notes.all()
    place = printable(str(store.path))
    try:
        found, damaged = parse_store(_read(tree, store), place)
    except FileReadError as error:
        found, damaged = None, (Skipped(subject="OS packages", place=place, reason=printable(error.message)),)
    for note in damaged:
        notes.add(note)
    return (None if found is None else with_reasons(tree, found, notes)), notes.all()


def parse_store(
    data: bytes, place: str = f"{FOLDERS[0]}/Packages"
) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """Read a store of any kind, and what is damaged in it; ``None`` where it cannot be read at all.

    Args:
        data: of the whole store.
        place: its path, for messages.
    """
    notes = Notes("OS packages", place)
    found: list[OsPackage] = []
    whole = False
    try:
        for blob in _blobs(data):
            if len(found) == OS_PACKAGES:
                notes.left_out(f"more than {OS_PACKAGES} packages: the others are left out")
                break
            try:
                package = package_of(Header(blob))
            except StoreError as error:
                notes.add(Skipped(subject="a package", place=place, reason=error.message))
            else:
                found += [package] if package is not None else []
        whole = True
    except StoreError as error:
        notes.left_out(error.message)
    return (tuple(found) if found or whole else None), notes.all()


def find_files(tree: FileTree, wanted: AbstractSet[bytes]) -> Iterator[tuple[bytes, str]]:
    """Which of the absolute paths packages own, and the packages' names; what is damaged owns nothing."""
    store = _store(tree, Notes("OS packages", FOLDERS[0]))
    names = {path.rpartition(b"/")[2] for path in wanted}
    with suppress(FileReadError, StoreError):
        for blob in _blobs(_read(tree, store)) if store is not None else ():
            with suppress(StoreError):
                header = Header(blob)
                package = package_of(header)
                if package is not None:
                    yield from ((path, package.name) for path in files_of(header, names))


def condense(path: str, size: int) -> Callable[[bytes], bytes | None] | None:
    """What shortens the file at ``path`` of an image, if it is a store; see :mod:`envsync.rootfs.scan`."""
    folder, _, name = path.rpartition("/")
    return _condensed if name in _NAMES and folder in FOLDERS and size <= _MOST_CONDENSED else None


def _condensed(data: bytes) -> bytes:
    """The headers of a store, with what is asked of them; what is damaged stays as it is."""
    shorter = bytearray(_CONDENSED)
    with _ONE_AT_ONCE:
        try:
            for blob in _blobs(data):
                part = Header(blob).only(TAGS)
                shorter += struct.pack(">I", len(part)) + part
                if len(shorter) > len(data) // 2:
                    return data
        except StoreError:
            return data
    return bytes(shorter)


def _store(tree: FileTree, notes: Notes) -> FileInfo | None:
    """The one store that counts; takes down what may be another one."""
    for folder in map(PurePosixPath, FOLDERS):
        for name in _NAMES:
            info = tree.stat(folder / name)
            if info is not None and info.kind == "file" and info.size:
                log = tree.stat(folder / f"{name}-wal")
                if log is not None and log.size:
                    reason = "its write-ahead log is not empty: what rpm did last is not read"
                    notes.add(Skipped(subject="OS packages", place=printable(str(info.path)), reason=reason))
                return info
        for name in tree.list(folder):
            if name.lower().startswith(_UNKNOWN) and not name.endswith(_BESIDE):
                reason = "an rpm store of an unknown kind, or an empty one"
                notes.add(Skipped(subject="OS packages", place=printable(str(folder / name)), reason=reason))
    return None


def _read(tree: FileTree, store: FileInfo) -> bytes:
    return tree.read(store.path, limit=READ_LIMIT if store.layer is not None else _LONGEST)


def _blobs(data: bytes) -> Iterator[bytes]:
    room = len(data)
    for number, blob in enumerate(_every(data)):
        room -= len(blob)
        if number > 2 * OS_PACKAGES:
            raise StoreError("a damaged store: more headers than any system has")
        if room < 0:
            raise StoreError("a damaged store: packages longer than itself")
        yield blob


def _every(data: bytes) -> Iterator[bytes]:
    if sqlite.is_store(data):
        return sqlite.blobs(data)
    if ndb.is_store(data):
        return ndb.blobs(data)
    if bdb.is_store(data):
        return bdb.blobs(data)
    if data.startswith(_CONDENSED):
        return _parts(data)
    raise StoreError("an rpm store of an unknown kind")


def _parts(data: bytes) -> Iterator[bytes]:
    at = len(_CONDENSED)
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : end]
        at = end
