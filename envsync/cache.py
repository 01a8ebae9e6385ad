"""What was learnt of images, kept for the next time: optional, bounded, disposable.

A cache is one folder. An entry is one file in it, which begins with a mark of the format and the SHA-256 of what
follows: one that a full disk or a power cut spoilt is found when it is read. It appears by a rename, so that several
processes need no lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from envsync import cache_folders
from envsync.cache_folders import Cleared
from envsync.errors import EnvsyncError
from envsync.writing import leftover_of, temporary_name

VARIABLE = "ENVSYNC_CACHE_DIR"
"""Names the folder, instead of the usual one."""

_MAGIC = b"envsync cache 1\n"
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache of envsync and needs no backup: https://bford.info/cachedir/
# It may be removed at any time: envsync cache clear
"""
_KIND = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,139}")
_ENTRY = re.compile(rf"(?P<kind>{_KIND.pattern})\.(?P<key>{_KEY.pattern})\.envsync")

_Result = TypeVar("_Result")


class CacheError(EnvsyncError):
    """The folder of a cache cannot be trusted, looked into or cleared."""


class KindInfo(Struct, frozen=True, kw_only=True):
    """How much of one kind a cache holds."""

    kind: str
    entries: int
    bytes: int


class CacheInfo(Struct, frozen=True, kw_only=True):
    """What a cache holds, in files and bytes."""

    folder: Path
    limit: int
    entries: int
    bytes: int
    kinds: tuple[KindInfo, ...]
    problem: str | None = None
    """Why the folder is not used."""
    hint: str | None = None
    """What to do about it."""


class _Entry(Struct, frozen=True, kw_only=True):
    """A file that a cache made; ``kind`` is empty for what a killed process left."""

    name: str
    kind: str
    size: int
    used: int
    """When it was last read or written, in nanoseconds."""


class Cache:
    """One folder of entries, which other processes use at the same moment.

    It never keeps a command from its work: where the folder cannot be read or written, nothing is found and nothing
    kept. A folder that somebody else could have written to is not used, since what it holds would be believed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int = 512 << 20,
        on_problem: Callable[[CacheError], None] = lambda _error: None,
    ) -> None:
        """``limit`` is in bytes; ``on_problem`` is told, once, that the folder is not used, and why."""
        self.folder = folder
        self.limit = limit
        self._on_problem = on_problem
        self._told = False
        self._tagged = False
        self._versions: dict[str, str] = {}

    def get(self, kind: str, key: str) -> bytes | None:
        """What was put under this kind and key, if it is still there; a damaged entry is removed.

        Raises:
            ValueError: see :meth:`put`.
        """
        name = self._name(kind, key)
        return self._use(lambda folder: _read(folder, name))

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep ``data``, whole or not at all; then remove what was not used for longest until ``limit`` is kept.

        Args:
            kind: what it is; where what is kept depends on the program that made it, a stem and a version:
                ``layer-3``. Entries of other versions than the one last used here go first.
            key: names the entry, unique within its kind: the hex digits of a digest.
            data: what :meth:`get` will return.

        Raises:
            ValueError: ``kind`` or ``key`` cannot be part of a file name.
        """
        name = self._name(kind, key)

        def keep(folder: int) -> None:
            self._tag(folder)
            _write(folder, name, _MAGIC, _checksum(name, data), data)
            self._prune(folder, name)

        if len(data) <= self.limit:
            self._use(keep, make=True)

    def info(self) -> CacheInfo:
        """What the cache holds."""
        found: list[_Entry] = []
        problem: CacheError | None = None
        try:
            with self._open() as folder:
                found = [entry for entry in _entries(folder) if entry.kind]
        except FileNotFoundError:
            pass
        except OSError as error:
            problem = CacheError(f"{self.folder}: cannot be looked into: {error.strerror}")
        except CacheError as error:
            problem = error
        sizes: dict[str, list[int]] = {}
        if problem is None:
            for kind in cache_folders.KINDS:
                if within := [size for _, size in cache_folders.entries(self.folder, kind)]:
                    sizes[kind] = within
        for entry in found:
            sizes.setdefault(entry.kind, []).append(entry.size)
        return CacheInfo(
            folder=self.folder,
            limit=self.limit,
            entries=sum(map(len, sizes.values())),
            bytes=sum(map(sum, sizes.values())),
            kinds=tuple(KindInfo(kind=kind, entries=len(of), bytes=sum(of)) for kind, of in sorted(sizes.items())),
            problem=problem.message if problem else None,
            hint=problem.hint if problem else None,
        )

    def clear(self, *, used: bool = False) -> Cleared:
        """Remove all entries, and what killed processes left of some.

        ``used``: interpreters too that environments are on.

        Raises:
            CacheError: the folder is not one that this user alone writes to, or files cannot be removed.
        """
        freed = 0
        try:
            with self._open() as folder:
                for entry in _entries(folder):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.name, dir_fd=folder)
                        freed += entry.size
                cleared = cache_folders.clear(self.folder, used=used)
        except FileNotFoundError:
            return Cleared()
        except OSError as error:
            raise CacheError(f"{self.folder}: cannot be cleared: {error.strerror}") from error
        return Cleared(freed=freed + cleared.freed, kept=cleared.kept)

    def _name(self, kind: str, key: str) -> str:
        if not _KIND.fullmatch(kind) or not _KEY.fullmatch(key):
            raise ValueError(f"cache: kind {kind!r}, key {key!r}: cannot be part of a file name")
        self._versions[_stem(kind)] = kind
        return f"{kind}.{key}.envsync"

    def _use(self, action: Callable[[int], _Result], *, make: bool = False) -> _Result | None:
        """Do something in the folder; ``None`` where it cannot be done, which means that there is no cache."""
        try:
            with self._open(make=make) as folder:
                return action(folder)
        except OSError:
            return None
        except CacheError as error:
            if not self._told:
                self._told = True
                self._on_problem(error)
            return None

    @contextmanager
    def _open(self, *, make: bool = False) -> Iterator[int]:
        """The open folder: all that is done in it is done in the one that was checked."""
        if make:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._check(folder)
            yield folder
        finally:
            os.close(folder)

    def _check(self, folder: int) -> None:
        status, link = os.fstat(folder), self.folder.lstat()
        if {status.st_uid, link.st_uid} != {os.geteuid()}:
            raise CacheError(
                f"{self.folder}: belongs to another user (expected user ID {os.geteuid()}): not used as a cache",
                hint=f"Name another folder: {VARIABLE}=DIR",
            )
        if stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
            raise CacheError(
                f"{self.folder}: others may write to it (expected only its owner): not used as a cache",
                hint=f"Close it, if you know what it holds: chmod go-w {shlex.quote(str(self.folder))}",
            )

    def _tag(self, folder: int) -> None:
        """Mark a new folder as a cache, for programs that make backups; never one that held something before."""
        if not self._tagged:
            self._tagged = True
            if not os.listdir(folder):
                _write(folder, _TAG, _TAG_TEXT)

    def _prune(self, folder: int, fresh: str) -> None:
        entries: list[_Entry] = []
        for entry in _entries(folder):
            if entry.kind:
                entries.append(entry)
            else:
                _remove(folder, entry.name)
        excess = sum(entry.size for entry in entries) - self.limit
        if excess > 0:
            entries.sort(key=lambda entry: (entry.name == fresh, self._is_current(entry), entry.used, entry.name))
        for entry in entries:
            if excess <= 0:
                break
            _remove(folder, entry.name)
            excess -= entry.size

    def _is_current(self, entry: _Entry) -> bool:
        return self._versions.get(_stem(entry.kind), entry.kind) == entry.kind


def default_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The folder that the user's cache is in.

    ``ENVSYNC_CACHE_DIR``, else where the user keeps caches: ``~/Library/Caches`` on macOS, and what
    https://specifications.freedesktop.org/basedir-spec/latest/ says, which counts first where it is set.
    """
    if named := environment.get(VARIABLE):
        return Path(named).absolute()
    caches = Path(environment.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # to be ignored, says the specification
        caches = _home(environment) / ("Library/Caches" if platform == "darwin" else ".cache")
    return caches / "envsync"


def _home(environment: Mapping[str, str]) -> Path:
    """The user's home; the root, as in containers, for one who has none."""
    if home := environment.get("HOME"):
        return Path(home).absolute()
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def _stem(kind: str) -> str:
    return kind.partition("-")[0]


def _checksum(name: str, data: bytes) -> bytes:
    """Of the name too: an entry under another name is a damaged one."""
    hasher = hashlib.sha256(name.encode() + b"\0")
    hasher.update(data)
    return hasher.digest()


def _read(folder: int, name: str) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb", buffering=0) as stream:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            header = stream.read(len(_MAGIC) + hashlib.sha256().digest_size)
            data = stream.read()
            if header == _MAGIC + _checksum(name, data):
                with contextlib.suppress(OSError):
                    os.utime(stream.fileno())
                return data
    _remove(folder, name)
    return None


def _write(folder: int, name: str, *parts: bytes) -> None:
    temporary = temporary_name(name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as stream:
            stream.writelines(parts)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        _remove(folder, temporary)


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _entries(folder: int) -> Iterator[_Entry]:
    """The files that a cache made, this one or one of another process; none of any other name."""
    with os.scandir(folder) as listed:
        for found in listed:
            match = _ENTRY.fullmatch(found.name)
            left = None if match else leftover_of(found.name)
            if not match and not (left and (left == _TAG or _ENTRY.fullmatch(left))):
                continue
            with contextlib.suppress(OSError):  # another process may just have removed it
                status = found.stat(follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    kind = match["kind"] if match else ""
                    yield _Entry(name=found.name, kind=kind, size=status.st_size, used=status.st_mtime_ns)
