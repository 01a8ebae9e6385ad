"""Which files of an image are a distribution's: what its ``RECORD`` lists, or what older installers left as a trace."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.catalog.distribution_files import LIMIT, RECORD_LIMIT
from envsync.files import FileInfo, FileReadError, FileTree
from envsync.model import Distribution, Interpreter
from envsync.names import normalized
from envsync.record import RecordError, parse_record
from envsync.wheel.parts import MOST_FILES, RepackError

_MOST_LINES = 500_000
"""Of a ``RECORD``: bytecode is listed too."""
_CLAIMS = 64 << 20
"""Bytes of other distributions' ``RECORD`` files that are read to tell whose a shared folder's files are."""
_METADATA = (".dist-info", ".egg-info", ".egg-link", ".egg")
_MODULE = re.compile(r"\.py[ico]?|(?:\.[A-Za-z0-9_-]{1,80})?\.so")
_NAME = re.compile(r"[^/\x00-\x1f]{1,200}")


class Owned(Struct, frozen=True):
    """One file, as it was told."""

    path: str
    """Absolute."""
    recorded: tuple[str, str] | None = None


def by_record(tree: FileTree, info: PurePosixPath) -> Iterator[Owned]:
    """What ``RECORD`` lists, and the metadata itself.

    Raises:
        RepackError: it cannot be read or parsed, or lists too many.
    """
    try:
        data = tree.read(info / "RECORD", limit=RECORD_LIMIT)
    except FileReadError as error:
        raise RepackError(error.message) from error
    if data.count(b"\n") > _MOST_LINES:
        raise RepackError(f"{info / 'RECORD'}: more than {_MOST_LINES} lines (expected at most {MOST_FILES} files)")
    try:
        entries = parse_record(data.decode("utf-8", "surrogateescape"))
    except RecordError as error:
        raise RepackError(f"{info}: {error.message}") from error
    for entry in entries:
        recorded = (entry.algorithm, entry.digest) if entry.algorithm and entry.digest else None
        yield Owned(_absolute(info.parent, entry.path), recorded)
    yield from folder(tree, info)


def by_installed_files(tree: FileTree, info: PurePosixPath) -> Iterator[Owned]:
    """What ``installed-files.txt`` lists: paths relative to the ``.egg-info``.

    Raises:
        RepackError: it cannot be read.
    """
    try:
        data = tree.read(info / "installed-files.txt", limit=RECORD_LIMIT)
    except FileReadError as error:
        raise RepackError(error.message) from error
    if data.count(b"\n") > _MOST_LINES:
        raise RepackError(f"{info / 'installed-files.txt'}: more than {_MOST_LINES} lines")
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        if line.strip():
            yield Owned(_absolute(info, line.rstrip("\r")))
    yield from folder(tree, info)


def by_top_level(tree: FileTree, distribution: Distribution, interpreter: Interpreter) -> Iterator[Owned]:
    """The modules that ``top_level.txt`` names, or that bear the distribution's own name.

    Of a folder that several distributions share, those files that came with the same layer and that no ``RECORD``
    of another distribution lists.

    Raises:
        RepackError: no such module is there.
    """
    info = distribution.metadata
    assert info is not None  # noqa: S101 - the caller has looked
    site = info.parent
    shared = {name.replace(".", "/") for name in _lines(tree, info / "namespace_packages.txt")}
    told = [name for name in _lines(tree, info / "top_level.txt") if _NAME.fullmatch(name) and name not in (".", "..")]
    names = set(told) or _by_name(distribution.name)
    walk = _Shared(tree, site, shared, distribution, interpreter)
    present = [name for name in tree.list(site) if not name.endswith(_METADATA)]
    found = False
    for name in present:
        module, dot, ending = name.partition(".")
        if name in names or (module in names and _MODULE.fullmatch(dot + ending)):
            for owned in walk.visit(name):
                found = True
                yield owned
    stem = info.name.rpartition(".")[0]
    for name in present:
        if name.startswith(stem) and name.endswith(("-nspkg.pth", ".pth")) and name[len(stem) :][:1] in ("-", "."):
            yield Owned(f"{site}/{name}")
    if not found:
        raise RepackError(
            f"{info}: nothing tells which files are of {distribution.name} (expected RECORD, installed-files.txt "
            "or top_level.txt)"
        )
    yield from folder(tree, info)


def folder(tree: FileTree, top: PurePosixPath) -> Iterator[Owned]:
    """All files below a folder; what a link leads back to is not visited again.

    Raises:
        RepackError: there are too many.
    """
    seen: set[PurePosixPath] = set()
    left = MOST_FILES * 2
    waiting = [str(top)]
    while waiting:
        path = waiting.pop()
        here = tree.stat(PurePosixPath(path))
        if here is None or here.path in seen:
            continue
        seen.add(here.path)
        for name in tree.list(here.path):
            left -= 1
            if left < 0:
                raise RepackError(f"{top}: more than {MOST_FILES} files")
            info = tree.stat(here.path / name)
            if info is not None and info.kind == "directory":
                waiting.append(f"{path}/{name}")
            else:
                yield Owned(f"{path}/{name}")


class _Shared:
    """Folders that several distributions may have files in."""

    def __init__(
        self,
        tree: FileTree,
        site: PurePosixPath,
        namespaces: set[str],
        distribution: Distribution,
        interpreter: Interpreter,
    ) -> None:
        self._tree = tree
        self._site = site
        self._namespaces = namespaces
        self._distribution = distribution
        self._interpreter = interpreter
        self._claimed: set[str] | None = None

    def visit(self, inner: str) -> Iterator[Owned]:
        path = self._site / inner
        info = self._tree.stat(path)
        if info is None or info.kind != "directory":
            yield Owned(str(path))
            return
        names = self._tree.list(path)
        if inner not in self._namespaces and any(name.startswith("__init__.") for name in names):
            yield from folder(self._tree, path)
            return
        if inner.count("/") > 50:
            return
        for name in names:
            below = self._tree.stat(path / name)
            if below is None or not self._is_own(f"{inner}/{name}", below):
                continue
            if below.kind == "directory":
                yield from self.visit(f"{inner}/{name}")
            else:
                yield Owned(str(path / name))

    def _is_own(self, inner: str, info: FileInfo) -> bool:
        if info.kind == "directory":
            files = [self._tree.stat(info.path / name) for name in self._tree.list(info.path)]
            layers = {one.layer for one in files if one is not None and one.kind == "file"}
        else:
            layers = {info.layer}
        if layers and self._distribution.layer is not None and self._distribution.layer not in layers:
            return False
        if self._claimed is None:
            self._claimed = self._claims()
        return f"{self._site}/{inner}" not in self._claimed

    def _claims(self) -> set[str]:
        """Files and folders that other distributions in the same place list, below the first level."""
        found: set[str] = set()
        room = _CLAIMS
        for record in other_records(self._distribution, self._interpreter):
            stat = self._tree.stat(record)
            if stat is None or stat.size > room:
                continue
            room -= stat.size
            try:
                for owned in by_record(self._tree, record.parent):
                    found.add(owned.path)
                    if owned.path.endswith("/__init__.py"):
                        found.add(owned.path.rpartition("/")[0])
            except RepackError:
                continue
        return found - {f"{self._site}/{name}" for name in self._namespaces}


def other_records(distribution: Distribution, interpreter: Interpreter) -> Iterator[PurePosixPath]:
    """The ``RECORD`` files that tell what of a shared folder is not the distribution's."""
    own = distribution.metadata
    for other in interpreter.distributions:
        info = other.metadata
        if info is None or own is None or info == own or other.record is None:
            continue
        if info.parent == own.parent:
            yield info / "RECORD"


def _by_name(name: str) -> set[str]:
    """Modules that a distribution without ``top_level.txt`` may be."""
    modules = {name, normalized(name), normalized(name).replace("-", "_"), name.replace("-", "_")}
    return modules | {f"_{one}" for one in modules}  # as compiled parts are often called


def _absolute(base: PurePosixPath, path: str) -> str:
    return "/" + posixpath.normpath(posixpath.join(str(base), path)).lstrip("/")


def _lines(tree: FileTree, path: PurePosixPath) -> list[str]:
    try:
        data = tree.read(path, limit=LIMIT)
    except FileReadError:
        return []
    return [line.strip() for line in data.decode("utf-8", "surrogateescape").splitlines() if line.strip()]
