"""Whose a shared object is: a distribution's, Python's, of the conda prefix, or not the environment's."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from envsync.catalog.distribution_files import LIMIT, RECORD_LIMIT
from envsync.files import FileReadError, FileTree
from envsync.model import PYTHON, Distribution, Interpreter
from envsync.names import normalized
from envsync.record import RecordError, parse_record
from envsync.redaction import printable

PATTERNS: tuple[str, ...] = (r".*(?:\.egg-info|/EGG-INFO)/(?:installed-files|top_level)\.txt",)
"""For :func:`re.fullmatch` on absolute paths: what tells which files are a distribution's that has no RECORD."""

_LONGEST = 200
_SITES = frozenset({"site-packages", "dist-packages"})


class Owners:
    """Tells of a path whether it belongs to an environment, and to what of it."""

    def __init__(self, tree: FileTree, interpreter: Interpreter, *, system: Collection[PurePosixPath]) -> None:
        """``system``: folders of the loader; what holds one of them is no folder of the environment."""
        self._tree = tree
        self._python: set[str] = set()
        self._sites: set[str] = set()
        self._beside = self._conda_prefix(interpreter)
        outside = {str(above) for folder in system for above in (folder, *folder.parents)}
        for entry in interpreter.sys_path:
            found = tree.stat(entry)
            if found is not None and found.kind == "directory" and str(found.path) not in outside:
                standard = entry.name == "lib-dynload" or tree.stat(found.path / "os.py") is not None
                (self._python if standard else self._sites).add(str(found.path))
        self._files: dict[str, str] = {}
        self._tops: dict[str, str] = {}
        for distribution in interpreter.distributions:
            if distribution.shadowed_by is None:
                self._learn(distribution)

    def _conda_prefix(self, interpreter: Interpreter) -> str | None:
        for prefix in (interpreter.prefix, interpreter.base_prefix):
            found = self._tree.stat(prefix) if prefix is not None else None
            if found is not None and self._tree.stat(found.path / "conda-meta") is not None:
                return f"{found.path}/"
        return None

    def _learn(self, distribution: Distribution) -> None:
        """Files that it lists, and names of its folders where it lists none."""
        if distribution.metadata is None or distribution.location is None:
            return
        name, info = distribution.name, distribution.metadata
        record, installed = (self._text(info / file, RECORD_LIMIT) for file in ("RECORD", "installed-files.txt"))
        listed = [*self._recorded(info, record), *self._installed(info, installed)]
        for path in listed:
            self._files.setdefault(path, name)
        found = self._tree.stat(distribution.location)
        if not listed and found is not None:
            # Of an image it is not kept, and reading it would receive its layer once more.
            more = "" if record or installed else self._text(info / "top_level.txt")
            for top in (name, *more.split()):
                self._tops.setdefault(f"{found.path}/{normalized(top)}", name)

    def _recorded(self, info: PurePosixPath, record: str) -> Iterator[str]:
        lines = record.splitlines()
        try:
            entries = parse_record("\n".join(line for line in lines if ".so" in line))
        except RecordError:
            return
        for entry in entries:
            yield self._absolute(info.parent, entry.path)

    def _installed(self, info: PurePosixPath, files: str) -> Iterator[str]:
        for line in files.splitlines():
            if ".so" in line:
                yield self._absolute(info, line)

    def _absolute(self, base: PurePosixPath, path: str) -> str:
        found = self._tree.stat(base)
        return posixpath.normpath(posixpath.join(str(found.path if found is not None else base), path))

    def _text(self, path: PurePosixPath, limit: int = LIMIT) -> str:
        try:
            return self._tree.read(path, limit=limit).decode("utf-8", "surrogateescape")
        except FileReadError:
            return ""

    def owner(self, path: PurePosixPath) -> str | None:
        """The distribution, or :data:`PYTHON`; ``None``: it is not of the environment."""
        text = str(path)
        name = self._files.get(text)
        folder, inner = posixpath.dirname(text), [posixpath.basename(text)]
        while name is None and folder not in ("", "/"):
            if folder in self._sites:
                return self._by_top(folder, inner[-1])
            if folder in self._python:
                return PYTHON if _SITES.isdisjoint(inner) else None
            folder, _, last = folder.rpartition("/")
            inner.append(last)
        return name

    def _by_top(self, folder: str, top: str) -> str:
        """Of a file that no distribution lists: by the folder that it is in, or its own name."""
        stem = top.removesuffix(".libs").partition(".")[0]
        return self._tops.get(f"{folder}/{normalized(stem)}") or printable(stem or top)[:_LONGEST]

    def is_beside(self, path: PurePosixPath) -> bool:
        """Whether a file is none of a distribution, but of the prefix that a conda environment consists of."""
        return self._beside is not None and str(path).startswith(self._beside)
