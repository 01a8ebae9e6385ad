"""What rpm has installed, read from its stores without running it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

from envsync.catalog.bounds import OS_PACKAGES, Notes
from envsync.catalog.rpm import bdb, ndb, reasons, sqlite
from envsync.catalog.rpm.header import TAGS, Header, StoreError, files_of, package_of
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

FOLDERS = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
"""Of most systems; of SUSE, and of Fedora since 36; of those that ostree updates. Several may lead to one."""

_NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
"""In the order of rpm itself: an older store may have been left beside its successor."""

PATTERNS: tuple[str, ...] = (
    r"/(?:var/lib|usr/lib/sysimage|usr/share)/rpm/(?:rpmdb\.sqlite(?:-wal)?|Packages(?:\.db)?)",
    *reasons.PATTERNS,
)
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes are asked for."""

_UNKNOWN = ("rpmdb", "packages")
_LONGEST = 512 << 20
"""Bytes. Of a desktop with thousands of packages it has 300 MB; what an image has is condensed as it streams past."""

_CONDENSED = b"envsync: rpm headers\n"


def find(tree: FileTree) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """The installed packages, in the order of the store; ``None`` where there is no store that can be read."""
    notes = Notes("OS packages", FOLDERS[0])
    place = _place(tree, notes)
    if place is None:
        return None, notes.all()
    found: list[OsPackage] | None = None
    for header in _headers(tree, place, notes):
        found = found or []
        if len(found) == OS_PACKAGES:
            notes.left_out(f"more than {OS_PACKAGES} packages: the others are left out")
            break
        try:
            package = package_of(header)
        except StoreError as error:
            notes.add(Skipped(subject="a package", place=str(place), reason=error.message))
        else:
            found += [package] if package is not None else []
    return None if found is None else tuple(reasons.with_reasons(tree, found, notes)), notes.all()


def find_files(tree: FileTree, wanted: AbstractSet[bytes]) -> Iterator[tuple[bytes, str]]:
    """Which of the absolute paths packages own, and the packages' names; what is damaged owns nothing."""
    notes = Notes("OS packages", FOLDERS[0])
    place = _place(tree, notes)
    names = {path.rpartition(b"/")[2] for path in wanted}
    for header in _headers(tree, place, notes) if place is not None else ():
        try:
            package = package_of(header)
            if package is not None:
                yield from ((path, package.name) for path in files_of(header, names))
        except StoreError:
            continue


def condense(path: str, _size: int) -> Callable[[bytes], bytes | None] | None:
    """What shortens the file at ``path`` of an image, if it is a store; see :mod:`envsync.rootfs.scan`."""
    folder, _, name = path.rpartition("/")
    return _condensed if name in _NAMES and folder in FOLDERS else None


def _condensed(data: bytes) -> bytes:
    """The headers of a store, with what is asked of them; what is damaged stays as it is."""
    try:
        parts = [Header(blob).only(TAGS) for blob in _blobs(data)]
    except StoreError:
        return data
    return _CONDENSED + b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _place(tree: FileTree, notes: Notes) -> PurePosixPath | None:
    """The path of the one store that counts; takes down what may be another one."""
    for folder in map(PurePosixPath, FOLDERS):
        for name in _NAMES:
            info = tree.stat(folder / name)
            if info is not None and info.kind == "file" and info.size:
                log = tree.stat(folder / f"{name}-wal")
                if log is not None and log.size:
                    reason = "its write-ahead log is not empty: what rpm did last is not read"
                    notes.add(Skipped(subject="OS packages", place=str(folder / name), reason=reason))
                return folder / name
        for name in tree.list(folder):
            if name.lower().startswith(_UNKNOWN) and not name.endswith(("-shm", "-wal")):
                reason = "an rpm store of an unknown kind, or an empty one"
                notes.add(Skipped(subject="OS packages", place=printable(str(folder / name)), reason=reason))
    return None


def _headers(tree: FileTree, place: PurePosixPath, notes: Notes) -> Iterator[Header]:
    try:
        for blob in _blobs(tree.read(place, limit=_LONGEST)):
            yield Header(blob)
    except (FileReadError, StoreError) as error:
        notes.add(Skipped(subject="OS packages", place=str(place), reason=printable(error.message)))


def _blobs(data: bytes) -> Iterator[bytes]:
    room = len(data)
    for blob in _kind(data)(data):
        room -= len(blob)
        if room < 0:
            raise StoreError("a damaged store: packages longer than itself")
        yield blob


def _kind(data: bytes) -> Callable[[bytes], Iterator[bytes]]:
    for kind in (sqlite, ndb, bdb):
        if kind.is_store(data):
            return kind.blobs
    if data.startswith(_CONDENSED):
        return _parts
    raise StoreError("an rpm store of an unknown kind")


def _parts(data: bytes) -> Iterator[bytes]:
    at = len(_CONDENSED)
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : end]
        at = end
