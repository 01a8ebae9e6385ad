"""Which file a dynamic loader finds for the name of a shared library.

Follows https://man7.org/linux/man-pages/man8/ld.so.8.html and ldconfig(8), from the files alone: the same for an image
and for this machine, where no program of either needs to be run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from envsync.elf import Elf, parse_elf
from envsync.files import FileReadError, FileTree

SONAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_GLIBC = re.compile(
    r"ld-linux[a-z0-9_-]*\.so\.\d|ld64\.so\.\d|lib(?:c|m)\.so\.6|lib(?:dl|rt|util|thread_db|nsl|anl|mvec)\.so\.[0-9]+"
    r"|lib(?:pthread|BrokenLocale)\.so\.\d|lib(?:resolv|nss_[a-z]+)\.so\.\d|(?:ld-musl|libc\.musl)-[a-z0-9_-]+\.so\.1"
    r"|libc\.so"
)
_NSL_OF_ITS_OWN = "libnsl.so.2"
_FOLDERS = 200
_NESTED = 4
_CONF_BYTES = 64 * 1024
_TRIPLETS = {"i686": "i386-linux-gnu", "armv7l": "arm-linux-gnueabihf"}
_LIBRARY_BYTES = 256 * 1024 * 1024


def is_libc(soname: str) -> bool:
    """Whether a library is a part of the C library, which must be the machine's own: it belongs to its loader."""
    return soname != _NSL_OF_ITS_OWN and _GLIBC.fullmatch(soname) is not None


class Libraries:
    """The shared libraries of one tree, as its loader finds them."""

    def __init__(self, tree: FileTree, machine: str, *, first: Sequence[str] = ()) -> None:
        """``machine`` as ``uname -m`` spells it; ``first``: folders that count before the configured ones."""
        self._tree = tree
        self._machine = machine
        configured = _configured(tree, PurePosixPath("/etc/ld.so.conf"), _NESTED)
        musl = _text(tree, PurePosixPath(f"/etc/ld-musl-{machine}.path")).replace(":", "\n").split("\n")
        every = (*first, *configured, *musl, *_defaults(machine))
        absolute = (PurePosixPath(folder) for folder in every if folder.startswith("/"))
        self.folders = tuple(dict.fromkeys(absolute))[:_FOLDERS]
        """Where the loader looks for any file, in order."""
        self._usable: dict[tuple[str, frozenset[str]], bool] = {}

    def candidates(self, soname: str, elf: Elf, origin: PurePosixPath) -> Iterator[PurePosixPath]:
        """Real paths of files of this name, in the order of the loader, for the ELF file in the folder ``origin``."""
        if not SONAME.fullmatch(soname):
            return
        own = (
            PurePosixPath(folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(origin)))
            for folder in elf.runpath or elf.rpath
        )
        seen: set[PurePosixPath] = set()
        for folder in (*(folder for folder in own if folder.is_absolute()), *self.folders):
            found = self._tree.stat(folder / soname)
            if found is not None and found.kind == "file" and found.path not in seen:
                seen.add(found.path)
                yield found.path

    def has(self, soname: str, versions: Iterable[str]) -> bool:
        """Whether a program that asks for a library, and for versions of its symbols, would get them."""
        key = soname, frozenset(versions)
        if key not in self._usable:
            self._usable[key] = self._has(soname, key[1])
        return self._usable[key]

    def _has(self, soname: str, versions: frozenset[str]) -> bool:
        nothing = Elf(bits=64, endianness="little", machine=self._machine)
        for path in self.candidates(soname, nothing, PurePosixPath("/")):
            try:
                data = self._tree.read(path, limit=_LIBRARY_BYTES)
            except FileReadError:
                continue
            elf = parse_elf(data)
            if elf is not None and elf.machine == self._machine:
                # Where a library defines a version, its name is one of the strings of the dynamic section.
                return all(b"\0" + version.encode() + b"\0" in data for version in versions)
        return False


def _defaults(machine: str) -> Iterator[str]:
    triplet = _TRIPLETS.get(machine, f"{machine}-linux-gnu")
    yield from (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
    yield from (f"/lib/{machine}-linux-musl", "/usr/local/lib") if machine else ()


def _configured(tree: FileTree, path: PurePosixPath, nested: int) -> Iterator[str]:
    """The folders that an ``ld.so.conf`` names, and those of the files that it includes."""
    for line in _text(tree, path).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:] if nested else ():
                whole = PurePosixPath(path.parent, pattern)
                for name in tree.list(whole.parent)[:_FOLDERS]:
                    if fnmatchcase(name, whole.name):
                        yield from _configured(tree, whole.parent / name, nested - 1)
        elif words and words[0] != "hwcap":
            yield words[0].rstrip("/") or "/"


def _text(tree: FileTree, path: PurePosixPath) -> str:
    try:
        return tree.read(path, limit=_CONF_BYTES).decode("utf-8", "replace")
    except FileReadError:
        return ""
