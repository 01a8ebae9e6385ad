"""Which C library an image has, from its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath

from envsync.files import READ_LIMIT, FileReadError, FileTree
from envsync.model import Libc

PATTERNS: tuple[str, ...] = (
    r"(?:/usr)?/lib(?:32|64)?/(?:[^/]+/)?(?:libc\.so\.6|libc-2\.\d+\.so)",
    r"(?:/usr)?/lib/(?:ld-musl-[^/]+\.so\.1|libc\.musl-[^/]+\.so\.1|libc\.so)",
    r"(?:/usr)?/lib/apk/db/installed",
)
"""Files whose bytes :func:`find_libc` asks for."""

_GLIBC = re.compile(rb"GNU C Library [^\n\0]{0,200}?release version (\d{1,3}\.\d{1,3})")
_GLIBC_NAME = re.compile(r"libc-(2\.\d{1,3})\.so")
_MUSL = re.compile(rb"\0(1\.\d{1,2}\.\d{1,3})(?=\0)")
_APK_MUSL = re.compile(rb"(?m)^P:musl\nV:(\d{1,3}\.\d{1,3}\.\d{1,3})")
_LIMIT = 32 * 1024 * 1024
"""Bytes; a C library with all its debug information has half of it."""
_PLACES = 8
"""Names that are looked into in one folder; there is one for each architecture that an image can run."""
_DEBIAN_MACHINES = {"i686": "i386", "armv7l": "arm"}
_MUSL_MACHINES = {"i686": "i386", "armv7l": "armhf"}


def find_libc(tree: FileTree, machine: str) -> Libc | None:
    """The C library for ``machine`` (as ``uname -m`` spells it); ``None`` where there is none.

    Where both are installed, it is the one that the OS itself uses: musl on an image with apk's database.
    """
    if tree.stat(PurePosixPath("/lib/apk/db")) or tree.stat(PurePosixPath("/usr/lib/apk/db")):
        return _find_musl(tree, machine) or _find_glibc(tree, machine)
    return _find_glibc(tree, machine) or _find_musl(tree, machine)


def parse_glibc(data: bytes) -> str | None:
    """``2.36`` from the bytes of a ``libc.so.6``; ``None`` where its banner is not in them. Never raises."""
    match = _GLIBC.search(data)
    return match[1].decode("ascii") if match else None


def parse_musl(data: bytes) -> str | None:
    """``1.2.5`` from the bytes of a musl dynamic linker; ``None`` where it names no version. Never raises."""
    if b"musl libc" not in data:
        return None
    match = _MUSL.search(data)
    return match[1].decode("ascii") if match else None


def _find_glibc(tree: FileTree, machine: str) -> Libc | None:
    for folder in _folders(tree, machine):
        path = folder / "libc.so.6"
        found = tree.stat(path)
        if found is None or found.kind != "file":
            continue
        named = _GLIBC_NAME.fullmatch(found.path.name)
        version = named[1] if named else parse_glibc(_bytes(tree, path))
        if version is not None:
            return Libc(family="glibc", version=version)
    return None


def _folders(tree: FileTree, machine: str) -> Iterator[PurePosixPath]:
    """Multiarch folders of ``machine`` first, then those of a 64-bit and of a plain layout."""
    for base in ("/lib", "/usr/lib"):
        names = tree.list(PurePosixPath(base))
        fitting = (n for n in names if n.startswith(f"{_DEBIAN_MACHINES.get(machine, machine)}-linux-gnu"))
        yield from (PurePosixPath(base, name) for name in islice(fitting, _PLACES))
    for base in ("/lib64", "/usr/lib64", "/lib", "/usr/lib"):
        yield PurePosixPath(base)


def _find_musl(tree: FileTree, machine: str) -> Libc | None:
    wanted = f"ld-musl-{_MUSL_MACHINES.get(machine, machine)}.so.1"
    for base in ("/lib", "/usr/lib"):
        names = [name for name in tree.list(PurePosixPath(base)) if name.startswith("ld-musl-")]
        for name in sorted(names, key=lambda name: name != wanted)[:_PLACES]:
            version = parse_musl(_bytes(tree, PurePosixPath(base, name)))
            if version is not None:
                return Libc(family="musl", version=version)
    for base in ("/lib", "/usr/lib"):
        match = _APK_MUSL.search(_bytes(tree, PurePosixPath(base, "apk/db/installed"), limit=READ_LIMIT))
        if match:
            return Libc(family="musl", version=match[1].decode("ascii"))
    return None


def _bytes(tree: FileTree, path: PurePosixPath, *, limit: int = _LIMIT) -> bytes:
    try:
        return tree.read(path, limit=limit)
    except FileReadError:
        return b""
