"""The installed OS packages, from the databases that dpkg and apk keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from envsync.catalog import apk, dpkg
from envsync.catalog.bounds import OS_PACKAGES, Notes
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

PATTERNS: tuple[str, ...] = dpkg.PATTERNS + apk.PATTERNS
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes :func:`find` may ask for."""

Parse = Callable[[bytes, str], tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]]


def find(tree: FileTree) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """All installed packages, by name, architecture and version; ``None`` where there is no database."""
    databases = [
        *_dpkg_databases(tree),
        *((PurePosixPath(place), apk.parse_installed) for place in apk.INSTALLED),
    ]
    packages: set[OsPackage] = set()
    notes = Notes("OS packages", "/var/lib", limit=1_000)
    seen: set[PurePosixPath] = set()
    known = False
    for path, parse in databases:
        info = tree.stat(path)
        if info is None or info.path in seen:
            continue
        seen.add(info.path)
        try:
            data = tree.read(path)
        except FileReadError as error:
            reason = printable(error.message)
            notes.add(Skipped(subject="OS packages", place=printable(str(path)), reason=reason))
            continue
        found, damaged = parse(data, printable(str(path)))
        known = True
        packages.update(found[: OS_PACKAGES - len(packages)])
        for note in damaged:
            notes.add(note)
        if len(packages) == OS_PACKAGES:
            notes.left_out(f"more than {OS_PACKAGES} packages: the others are left out")
            break
    ordered = sorted(packages, key=lambda package: (package.name, package.architecture, package.version))
    return (tuple(ordered) if known else None), notes.all()


def _dpkg_databases(tree: FileTree) -> list[tuple[PurePosixPath, Parse]]:
    folder = PurePosixPath(dpkg.STATUS_FOLDER)
    stanzas = [folder / name for name in tree.list(folder) if not name.endswith(".md5sums")]
    return [(path, dpkg.parse_status) for path in (PurePosixPath(dpkg.STATUS), *stanzas)]
