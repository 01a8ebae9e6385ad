"""The local database of pacman, a folder for each package: https://man.archlinux.org/man/alpm-db-desc.5."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from envsync.catalog.bounds import OS_PACKAGES, Notes
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

FOLDER = "/var/lib/pacman/local"
PATTERNS: tuple[str, ...] = (rf"{FOLDER}/[^/]+/desc",)

_FIELD = re.compile(rb"^%(NAME|VERSION|BASE|ARCH|REASON)%\n(.{0,500})$", re.MULTILINE)
_WORD = re.compile(r"[!-~]+")
_DEPENDENCY = "1"


def find(tree: FileTree) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """The installed packages; ``None`` where there is no database."""
    folder = PurePosixPath(FOLDER)
    notes = Notes("OS packages", FOLDER)
    found: list[OsPackage] = []
    names = tree.list(folder)
    if len(names) > OS_PACKAGES:
        notes.left_out(f"more than {OS_PACKAGES} packages: the others are left out")
    for name in names[:OS_PACKAGES]:
        info = tree.stat(folder / name)
        if info is None or info.kind != "directory":
            continue
        place = printable(str(folder / name / "desc"))
        try:
            package = parse_desc(tree.read(folder / name / "desc"))
            reason = "a damaged record: no usable %NAME%, %VERSION%, %ARCH% or %BASE%"
        except FileReadError as error:
            package, reason = None, printable(error.message)
        if package is not None:
            found.append(package)
        else:
            notes.add(Skipped(subject=printable(name), place=place, reason=reason))
    return (tuple(found) if names else None), notes.all()


def parse_desc(data: bytes) -> OsPackage | None:
    """Read one record; ``None``: it is damaged."""
    fields: dict[str, str] = {}
    for line in _FIELD.finditer(data):
        fields.setdefault(line[1].decode("ascii"), line[2].decode("utf-8", "replace").strip())
    name, version, architecture = (fields.get(key, "") for key in ("NAME", "VERSION", "ARCH"))
    source = fields.get("BASE", name)
    if not all(_WORD.fullmatch(value) for value in (name, version, architecture, source)):
        return None
    return OsPackage(
        manager="pacman",
        name=name,
        version=version,
        architecture=architecture,
        source=source,
        explicit=fields.get("REASON") != _DEPENDENCY,
    )
