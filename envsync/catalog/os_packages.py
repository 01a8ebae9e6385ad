"""The installed OS packages, from the databases that dpkg, apk, rpm, pacman and Homebrew keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from functools import partial
from pathlib import PurePosixPath

from msgspec.structs import replace

from envsync.catalog import apk, dpkg, homebrew, pacman, rpm
from envsync.catalog.bounds import OS_PACKAGES, Notes
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

PATTERNS: tuple[str, ...] = (
    *dpkg.PATTERNS,
    *apk.PATTERNS,
    *rpm.PATTERNS,
    *pacman.PATTERNS,
    *homebrew.PATTERNS,
)
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes :func:`find` may ask for."""

Found = tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]
Parse = Callable[[bytes, str], tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]]


def find(tree: FileTree) -> Found:
    """All installed packages, by name, architecture and version; ``None`` where there is no database."""
    packages: set[OsPackage] = set()
    notes = Notes("OS packages", "/var/lib", limit=1_000)
    known = False
    for found, damaged in _every(tree):
        known |= found is not None
        packages.update((found or ())[: OS_PACKAGES - len(packages)])
        for note in damaged:
            notes.add(note)
        if len(packages) == OS_PACKAGES:
            notes.left_out(f"more than {OS_PACKAGES} packages: the others are left out")
            break
    return (_sorted(packages) if known else None), notes.all()


def with_reasons(tree: FileTree, listed: tuple[OsPackage, ...]) -> tuple[OsPackage, ...]:
    """What a package manager listed, marked as asked for or not by what the system keeps of that."""
    automatic, world = _automatic(tree), _world(tree)
    found: list[OsPackage] = []
    for package in rpm.with_reasons(tree, listed, Notes("OS packages", "rpm")):
        explicit = package.explicit
        if package.manager == "dpkg" and automatic is not None:
            explicit = (package.name, package.architecture) not in automatic
        elif package.manager == "apk" and world is not None:
            explicit = package.name in world
        found.append(replace(package, explicit=explicit))
    return tuple(found)


Packages = tuple[OsPackage, ...] | None


def of_same_managers(read: Packages, listed: Packages) -> Packages:
    """The packages read that are of package managers which a container was asked of, and answered."""
    if read is None or listed is None:
        return None
    managers = {package.manager for package in listed}
    return tuple(package for package in read if package.manager in managers)


def joined(listed: Packages, read: Packages) -> Packages:
    """What a container listed, with what only files tell: why each package is there, and those of other managers."""
    if listed is None or read is None:
        return listed if read is None else read
    managers = {package.manager for package in listed}
    explicit = {(p.name, p.architecture, p.version): p.explicit for p in read}
    found = [replace(p, explicit=explicit.get((p.name, p.architecture, p.version))) for p in listed]
    return _sorted([*found, *(package for package in read if package.manager not in managers)])


def _sorted(packages: Iterable[OsPackage]) -> tuple[OsPackage, ...]:
    return tuple(sorted(packages, key=lambda package: (package.name, package.architecture, package.version)))


def _every(tree: FileTree) -> Iterator[Found]:
    """What each database says."""
    seen: set[PurePosixPath] = set()
    for path, parse in (*_dpkg_databases(tree), *_apk_databases(tree)):
        info = tree.stat(path)
        if info is None or info.path in seen:
            continue
        seen.add(info.path)
        try:
            yield parse(tree.read(path), printable(str(path)))
        except FileReadError as error:
            reason = printable(error.message)
            yield None, (Skipped(subject="OS packages", place=printable(str(path)), reason=reason),)
    for find_in in (rpm.find, pacman.find, homebrew.find):
        yield find_in(tree)


def _dpkg_databases(tree: FileTree) -> list[tuple[PurePosixPath, Parse]]:
    folder = PurePosixPath(dpkg.STATUS_FOLDER)
    stanzas = [folder / name for name in tree.list(folder) if not name.endswith(".md5sums")]
    parse = partial(dpkg.parse_status, automatic=_automatic(tree))
    return [(path, parse) for path in (PurePosixPath(dpkg.STATUS), *stanzas)]


def _apk_databases(tree: FileTree) -> list[tuple[PurePosixPath, Parse]]:
    parse = partial(apk.parse_installed, world=_world(tree))
    return [(PurePosixPath(place), parse) for place in apk.INSTALLED]


def _automatic(tree: FileTree) -> dpkg.Automatic | None:
    states = _optional(tree, dpkg.EXTENDED_STATES)
    return None if states is None else dpkg.parse_extended_states(states)


def _world(tree: FileTree) -> Set[str] | None:
    world = _optional(tree, apk.WORLD)
    return None if world is None else apk.parse_world(world)


def _optional(tree: FileTree, path: str) -> bytes | None:
    try:
        return tree.read(PurePosixPath(path))
    except FileReadError:
        return None
