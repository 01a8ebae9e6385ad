"""Which file a dynamic loader finds for the name of a shared library.

Follows https://man7.org/linux/man-pages/man8/ld.so.8.html and ldconfig(8), from the files alone: the same for an image
and for this machine, where no program of either needs to be run.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.elf import Elf
from envsync.files import ElfTree, FileReadError, FileTree

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
_MUSL_DEFAULTS = ("/lib", "/usr/local/lib", "/usr/lib")
_MUSL = re.compile(r"ld-musl-[a-z0-9_-]{1,40}\.so\.1")
_WITHIN_MUSL = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.")
_VARIABLE = re.compile(r"\$(?:(ORIGIN|LIB|PLATFORM)\b|\{(ORIGIN|LIB|PLATFORM)\})")
_NAMES = 10_000
_CLOSURE = 1_000
_INHERITED = 50
_COST = 10_000_000
_PLACE = 40
"""What looking at one place costs, where following a name costs 1. Honest environments pay some hundred thousand."""
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = 48
_CACHE_BYTES = 4 * 1024 * 1024
_ENTRIES = 50_000
"""Of a cache. A full desktop of two architectures has some thousand."""
_LONGEST = 1024


def is_libc(soname: str) -> bool:
    """Whether a library is a part of the C library, which must be the machine's own: it belongs to its loader."""
    return soname != _NSL_OF_ITS_OWN and _GLIBC.fullmatch(soname) is not None


class Loaded(Struct, frozen=True, kw_only=True):
    """A file in a process."""

    path: PurePosixPath
    """As it was found: where ``$ORIGIN`` of it leads."""
    real: PurePosixPath
    """Without links."""
    elf: Elf
    rpath: tuple[str, ...] = ()
    """The folders that count before ``LD_LIBRARY_PATH``: its own, of what loaded it, and of the program."""
    runpath: tuple[str, ...] = ()
    """Those that count after it, for what the file itself needs."""


class Libraries:
    """The shared libraries of one tree, as its loader finds them on the plainest processor of its kind.

    ld.so of glibc knows the folders of ``ld.so.conf`` by the cache that ldconfig made of them: what the cache does not
    list is not found there, and without a cache nothing is. Subfolders for better processors (``glibc-hwcaps``) are
    not looked into. musl has its own list of folders, no cache, and looks where each file leads that loaded another.
    """

    def __init__(self, tree: ElfTree, machine: str, *, first: Sequence[str] = ()) -> None:
        """``machine`` as ``uname -m`` spells it; ``first``: ``LD_LIBRARY_PATH``."""
        self._tree = tree
        self._machine = machine
        self._musl = _musl(tree, machine)
        first = first[:_FOLDERS]
        configured = islice(_configured(tree, PurePosixPath("/etc/ld.so.conf"), _NESTED, set()), _FOLDERS)
        own = (
            f"/etc/ld-musl-{machine}.path"
            if self._musl is None
            else f"/etc/{self._musl.name.removesuffix('.so.1')}.path"
        )
        musl = [folder for folder in _text(tree, PurePosixPath(own)).replace(":", "\n").split("\n") if folder]
        every = (*first, *configured, *musl, *_defaults(machine), *_MUSL_DEFAULTS)
        absolute = (PurePosixPath(folder) for folder in every if folder.startswith("/"))
        self.folders = tuple(dict.fromkeys(absolute))[:_FOLDERS]
        """Where the loader looks for any file, in order."""
        self._first = tuple(folder.rstrip("/") for folder in first if folder.startswith("/"))[:_FOLDERS]
        self._last = tuple(musl or _MUSL_DEFAULTS)[:_FOLDERS] if self._musl is not None else tuple(_defaults(machine))
        self.defaults = tuple(map(PurePosixPath, (*_defaults(machine), *_MUSL_DEFAULTS)))
        """Those of the folders that no configuration changes."""
        self._cache = parse_cache(_bytes(tree, PurePosixPath("/etc/ld.so.cache"))) if self._musl is None else {}
        self._tried: dict[str, _Tried | None] = {}
        self._left = _COST

    @property
    def is_exhausted(self) -> bool:
        """Whether more was asked than any honest tree makes one ask: from then on nothing is found."""
        return self._left < 0

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

    def open(self, path: PurePosixPath, by: Loaded | None = None) -> Loaded | None:
        """A file that ``by`` loads, or the program; ``None`` where it is no ELF file for the machine."""
        tried = self._try(str(path))
        if tried is None or tried.elf is None:
            return None
        elf, inherited = tried.elf, by.rpath if by is not None else ()
        rpath, runpath = (self._expanded(folders, path.parent) for folders in (elf.rpath, elf.runpath))
        if self._musl is not None:
            own, runpath = runpath or rpath, ()
        else:
            own = () if elf.runpath else rpath
        return Loaded(path=path, real=tried.real, elf=elf, rpath=(*own, *inherited)[:_INHERITED], runpath=runpath)

    def find(self, soname: str, by: Loaded) -> Loaded | None:
        """What the loader takes for a name that ``by`` needs; ``None``: it finds nothing, or what it cannot load."""
        if self._musl is not None and _WITHIN_MUSL.match(soname):
            return self.open(self._musl, by)
        if "/" in soname:
            return self.open(PurePosixPath(soname), by) if soname.startswith("/") else None
        if not SONAME.fullmatch(soname):
            return None
        for path in self._places(soname, by):
            tried = self._try(path)
            if tried is not None:
                return self.open(PurePosixPath(path), by)
        return None

    def _places(self, soname: str, by: Loaded) -> Iterator[str]:
        before = by.rpath if self._musl is None and not by.elf.runpath else ()
        after = by.runpath if self._musl is None else by.rpath
        for folder in (*before, *self._first, *after):
            yield f"{folder}/{soname}"
        yield from self._cache.get(soname, ())
        yield from (f"{folder}/{soname}" for folder in self._last)

    def _try(self, path: str) -> _Tried | None:
        """``None``: the loader goes on looking, for nothing is there, or something for another machine."""
        if path not in self._tried:
            self._left -= _PLACE
            if self._left < 0:
                return None
            found = self._tree.stat(PurePosixPath(path))
            tried = None
            if found is not None and found.kind == "file":
                elf = self._tree.elf(found.path)
                if elf is None or elf.machine == self._machine:
                    tried = _Tried(found.path, elf)
            self._tried[path] = tried
        return self._tried[path]

    def _expanded(self, folders: tuple[str, ...], origin: PurePosixPath) -> tuple[str, ...]:
        if not folders:
            return ()
        values = {"ORIGIN": str(origin), "LIB": self._lib, "PLATFORM": self._machine}
        expanded = (_VARIABLE.sub(lambda match: values[match[1] or match[2]], folder) for folder in folders)
        return tuple(folder.rstrip("/") for folder in expanded if folder.startswith("/"))[:_INHERITED]

    @cached_property
    def _lib(self) -> str:
        """What ``$LIB`` stands for: Debian has a folder for each machine."""
        triplet = f"lib/{_triplet(self._machine)}"
        if self._tree.stat(PurePosixPath(f"/{triplet}")) is not None:
            return triplet
        return "lib64" if self._tree.stat(PurePosixPath("/usr/lib64")) is not None else "lib"

    def closure(self, root: Loaded) -> dict[str, Loaded | None]:
        """All that loading a file brings, by the name it was first asked for: breadth first, as ld.so does it."""
        found: dict[str, Loaded | None] = {}
        names = {root.elf.soname: root}
        waiting = deque([root])
        while waiting and len(found) < _CLOSURE:
            one = waiting.popleft()
            for soname in one.elf.needed:
                self._left -= 1
                if soname in found or soname in names:
                    continue
                new = self.find(soname, one)
                if self._left < 0:
                    return found
                found[soname] = new
                if new is not None:
                    names.setdefault(new.elf.soname, new)
                    waiting.append(new)
        return found

    def lacking(self, soname: str, found: Loaded, versions: Iterable[str]) -> tuple[str, ...]:
        """Which versions of symbols a library does not define, sorted; one that defines none is taken as it is.

        musl answers to the names of glibc's own libraries, and defines no versions: programs that ask for some were not
        made for it.
        """
        defined = found.elf.version_defined
        if not defined and not (self._musl is not None and is_libc(soname)):
            return ()
        return tuple(sorted(frozenset(versions).difference(defined)))

    def has(self, soname: str, versions: Iterable[str]) -> bool:
        """Whether a program that asks for a library, and for versions of its symbols, would get them."""
        nothing = Elf(bits=64, endianness="little", machine=self._machine)
        root = PurePosixPath("/")
        found = self.find(soname, Loaded(path=root, real=root, elf=nothing))
        return found is not None and not self.lacking(soname, found, versions)


class _Tried(Struct, frozen=True):
    """A file that the loader takes; without ``elf``, it then fails."""

    real: PurePosixPath
    elf: Elf | None


def parse_cache(data: bytes) -> dict[str, tuple[str, ...]]:
    """By name, the paths that an ``ld.so.cache`` lists for any processor of its kind, in order.

    Format: ``struct cache_file_new`` of glibc's ``sysdeps/generic/dl-cache.h``; older ldconfig put another one before.
    """
    start = data.find(_CACHE_MAGIC)
    if start < 0 or len(data) < start + _CACHE_HEADER:
        return {}
    order = "<" if data[start + 28] in (0, 2) else ">"
    (count,) = struct.unpack_from(order + "I", data, start + len(_CACHE_MAGIC))
    entry = struct.Struct(order + "iIIIQ")
    first = start + _CACHE_HEADER
    end = first + min(count, _ENTRIES, (len(data) - first) // entry.size) * entry.size
    found: dict[str, list[str]] = {}
    for _, key, value, _, hwcap in entry.iter_unpack(data[first:end]):
        name, path = (_cached(data, start + offset) for offset in (key, value))
        if not hwcap and path.startswith("/") and SONAME.fullmatch(name):
            found.setdefault(name, []).append(path)
    return {name: tuple(paths[:_FOLDERS]) for name, paths in found.items()}


def _cached(data: bytes, start: int) -> str:
    end = data.find(b"\0", start, start + _LONGEST)
    return data[start : max(start, end)].decode("utf-8", "replace")


def _musl(tree: FileTree, machine: str) -> PurePosixPath | None:
    """The loader of musl, where it is the system's: beside glibc it is but for some programs."""
    if any(tree.stat(PurePosixPath(folder, "libc.so.6")) is not None for folder in _defaults(machine)):
        return None
    names = [name for name in tree.list(PurePosixPath("/lib"))[:_NAMES] if _MUSL.fullmatch(name)]
    return PurePosixPath("/lib", names[0]) if names else None


def _triplet(machine: str) -> str:
    return _TRIPLETS.get(machine, f"{machine}-linux-gnu")


def _defaults(machine: str) -> Iterator[str]:
    triplet = _triplet(machine)
    yield from (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def _configured(tree: FileTree, path: PurePosixPath, nested: int, seen: set[PurePosixPath]) -> Iterator[str]:
    """The folders that an ``ld.so.conf`` names, and those of the files that it includes, each of them once."""
    if path in seen or len(seen) > _FOLDERS:
        return
    seen.add(path)
    for line in _text(tree, path).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:] if nested else ():
                whole = PurePosixPath(path.parent, pattern)
                for name in tree.list(whole.parent)[:_FOLDERS]:
                    if fnmatchcase(name, whole.name):
                        yield from _configured(tree, whole.parent / name, nested - 1, seen)
        elif words and words[0] != "hwcap":
            yield words[0].rstrip("/") or "/"


def _text(tree: FileTree, path: PurePosixPath) -> str:
    return _bytes(tree, path, _CONF_BYTES).decode("utf-8", "replace")


def _bytes(tree: FileTree, path: PurePosixPath, limit: int = _CACHE_BYTES) -> bytes:
    try:
        return tree.read(path, limit=limit)
    except FileReadError:
        return b""
