"""Which OS package owns a file, by the lists of files that package managers keep.

dpkg: ``info/NAME.list`` and diversions of dpkg-divert(1), and the ``md5sums`` that distroless images have instead of
lists; apk: https://wiki.alpinelinux.org/wiki/Apk_spec; rpm: its headers; pacman: ``%FILES%``; Homebrew: paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

from envsync.catalog import apk, dpkg, rpm
from envsync.catalog.bounds import OS_PACKAGES
from envsync.files import READ_LIMIT, FileReadError, FileTree

_INFO = "/var/lib/dpkg/info"
_DIVERSIONS = "/var/lib/dpkg/diversions"
_PACMAN = "/var/lib/pacman/local"

PATTERNS: tuple[str, ...] = (
    rf"{_INFO}/[^/]+\.list",
    _DIVERSIONS,
    r"/var/lib/dpkg/status\.d/[^/]+",
    rf"{_PACMAN}/[^/]+/files",
    *apk.PATTERNS,
    *rpm.PATTERNS,
)
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes :func:`find_owners` may ask for."""

_NAME = re.compile(r"[!-~]{1,200}")
_LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr/sbin", "/usr/lib64")
"""Folders that are links to others on some systems; packages may have their files under either name."""
_APK_LINE = re.compile(rb"^([PFR]):(.*)$", re.MULTILINE)
_KEG = re.compile(r"/Cellar/([^/]+)/[^/]+/")

_LONGEST = 5 << 20
"""Bytes of one list. The longest known has 4 MB."""

_NOBODY_ASKS = re.compile(
    rb"^/?usr/(?:include/|lib/(?:debug/|python)|src/"
    rb"|share/(?:bash-completion/|cmake|doc|help/|icons/|info/|locale/|man/|perl|python)).*\n?",
    re.MULTILINE,
)
"""Three quarters of all that Debian installs, and nothing that an environment finds outside of itself."""

Claims = Iterator[tuple[bytes, str]]
"""Absolute paths, as packages record them, and names of packages."""


def find_owners(tree: FileTree, paths: Collection[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The names of the OS packages that ``paths`` belong to.

    Args:
        tree: of an image or of this machine.
        paths: real ones, without links. What no package owns is not in the result: alternatives, say.
    """
    recorded = _spellings(tree, paths)
    found: dict[PurePosixPath, str] = {}
    every: tuple[Callable[[FileTree, AbstractSet[bytes]], Claims], ...] = (
        _of_dpkg,
        _of_distroless,
        _of_apk,
        rpm.find_files,
        _of_pacman,
        _of_homebrew,
    )
    for claims in every if recorded else ():
        for path, package in claims(tree, recorded.keys()):
            if path in recorded and _NAME.fullmatch(package):
                found.setdefault(recorded[path], package)
    return found


def condense(path: str, size: int) -> Callable[[bytes], bytes | None] | None:
    """What shortens the file at ``path`` of an image: a list of files, or an rpm store; see ``rootfs``."""
    if path.startswith(_INFO) or (path.startswith(_PACMAN) and path.endswith("/files")):
        return _condensed if size <= _LONGEST else lambda _data: None
    return rpm.condense(path, size)


def _condensed(data: bytes) -> bytes:
    return _NOBODY_ASKS.sub(b"", data)


def _spellings(tree: FileTree, paths: Collection[PurePosixPath]) -> dict[bytes, PurePosixPath]:
    """Every path by each name that a package may have recorded it under."""
    found = {_bytes(str(path)): path for path in paths}
    for folder in _LINKED:
        info = tree.stat(PurePosixPath(folder))
        if info is not None and info.path != PurePosixPath(folder):
            start = f"{info.path}/"
            for path in paths:
                if str(path).startswith(start):
                    found.setdefault(_bytes(f"{folder}/{str(path).removeprefix(start)}"), path)
    return found


def _of_dpkg(tree: FileTree, wanted: AbstractSet[bytes]) -> Claims:
    lines = _read(tree, _DIVERSIONS).split(b"\n")
    # Of each: the path that packages record, where their file lies instead, and the one package that is left in place.
    diverted = {old: (new, by.decode("ascii", "replace")) for old, new, by in zip(*[iter(lines)] * 3, strict=False)}
    asked = {*wanted, *diverted}
    for name in tree.list(PurePosixPath(_INFO)):
        if name.endswith(".list"):
            package = name.removesuffix(".list").partition(":")[0]
            for path in asked.intersection(_read(tree, f"{_INFO}/{name}").split(b"\n")):
                elsewhere, by = diverted.get(path, (path, package))
                yield (path if package == by else elsewhere), package


def _of_distroless(tree: FileTree, wanted: AbstractSet[bytes]) -> Claims:
    for name in tree.list(PurePosixPath(dpkg.STATUS_FOLDER))[:OS_PACKAGES]:
        if name.endswith(".md5sums"):
            sums = _read(tree, f"{dpkg.STATUS_FOLDER}/{name}").split(b"\n")
            owned = {*wanted}.intersection(b"/" + line.partition(b"  ")[2] for line in sums)
            # The file may have another name than its package: older images have base64 there.
            stanza = _read(tree, f"{dpkg.STATUS_FOLDER}/{name.removesuffix('.md5sums')}") if owned else b""
            for package in dpkg.parse_status(stanza)[0]:
                yield from ((path, package.name) for path in owned)


def _of_apk(tree: FileTree, wanted: AbstractSet[bytes]) -> Claims:
    names = {path.rpartition(b"/")[2] for path in wanted}
    for place in apk.INSTALLED:
        package, folder = "", b""
        for line in _APK_LINE.finditer(_read(tree, place, READ_LIMIT)):
            kind, value = line.groups()
            if kind == b"P":
                package = value.decode("utf-8", "replace")
            elif kind == b"F":
                folder = value
            elif value in names:
                yield b"/" + folder + b"/" + value if folder else b"/" + value, package


def _of_pacman(tree: FileTree, wanted: AbstractSet[bytes]) -> Claims:
    for name in tree.list(PurePosixPath(_PACMAN)):
        package = name.rsplit("-", 2)[0]
        lines = _read(tree, f"{_PACMAN}/{name}/files").split(b"\n")
        yield from ((path, package) for path in {*wanted}.intersection(b"/" + line for line in lines))


def _of_homebrew(tree: FileTree, wanted: AbstractSet[bytes]) -> Claims:
    for path in wanted:
        keg = _KEG.search(path.decode("utf-8", "surrogateescape"))
        if keg:
            yield path, keg[1]


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _read(tree: FileTree, path: str, limit: int = _LONGEST) -> bytes:
    try:
        return tree.read(PurePosixPath(path), limit=limit)
    except FileReadError:
        return b""
