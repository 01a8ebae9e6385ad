"""The installed OS packages, from the databases that dpkg and apk keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from envsync.catalog import apk, dpkg
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

PATTERNS: tuple[str, ...] = dpkg.PATTERNS + apk.PATTERNS
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes :func:`find` may ask for."""

Parse = Callable[[str, str], tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]]


def find(tree: FileTree) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """All installed packages, by name, architecture and version; ``None`` where there is no database."""
    databases = [
        *_dpkg_databases(tree),
        *((PurePosixPath(place), apk.parse_installed) for place in apk.INSTALLED),
    ]
    packages: set[OsPackage] = set()
    skipped: list[Skipped] = []
    seen: set[PurePosixPath] = set()
    known = False
    for path, parse in databases:
        info = tree.stat(path)
        if info is None or info.path in seen:
            continue
        seen.add(info.path)
        try:
            text = tree.read(path).decode("utf-8", "replace")
        except FileReadError as error:
            reason = printable(error.message)
            skipped.append(Skipped(subject="OS packages", place=printable(str(path)), reason=reason))
            continue
        found, damaged = parse(text, printable(str(path)))
        known = True
        packages.update(found)
        skipped.extend(damaged)
    ordered = sorted(packages, key=lambda package: (package.name, package.architecture, package.version))
    return (tuple(ordered) if known else None), tuple(skipped)


def _dpkg_databases(tree: FileTree) -> list[tuple[PurePosixPath, Parse]]:
    folder = PurePosixPath(dpkg.STATUS_FOLDER)
    stanzas = [folder / name for name in tree.list(folder) if not name.endswith(".md5sums")]
    return [(path, dpkg.parse_status) for path in (PurePosixPath(dpkg.STATUS), *stanzas)]
