"""Which interpreter a path is: its version, ABI and folders, from the bytes of files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog import binary
from envsync.catalog.binary import Series
from envsync.catalog.buildvars import BuildVariables, abi_tag, read_build_variables
from envsync.catalog.getpath import LIBDIRS, Layout, locate
from envsync.files import READ_LIMIT, FileReadError, FileTree
from envsync.model import Skipped

PATTERNS: tuple[str, ...] = (*binary.PATTERNS, r".*/include/python[23]\.\d{1,2}[a-z]{0,3}/patchlevel\.h")
"""Files whose bytes an :class:`Identifier` asks for."""

_PATCHLEVEL_LIMIT = 64 * 1024
_PATCHLEVEL = re.compile(r'(?m)^#define\s+PY_VERSION\s+"([23]\.\d{1,2}\.\d{1,3}(?:(?:a|b|c|rc)\d{1,3})?\+?)"')
_OTHERS = re.compile(r"(pypy|graalpy|graalpython|jython|micropython|rustpython|pyston)[\d.a-z-]*")
_LIBRARY_BASES = tuple(map(PurePosixPath, ("/usr/local", "/usr", "/")))
_MULTIARCH = 16
_LINUX_FOLDER = re.compile(r"[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9]*")


class Identity(Struct, frozen=True, kw_only=True):
    """One interpreter under one of its names."""

    path: PurePosixPath
    """Absolute, links not followed."""
    version: str
    abi: str
    layout: Layout
    key: tuple[str, ...]
    """Equal for all names of one interpreter."""
    doubts: tuple[Skipped, ...] = ()


class _Facts(Struct, frozen=True, kw_only=True):
    """What a file's bytes told, kept instead of the bytes: many names lead to one file."""

    file: PurePosixPath
    native: bool
    pypy: bool
    candidates: tuple[binary.BinaryName, ...]
    library: str | None
    versions: Mapping[Series, tuple[str, ...]]
    search_path: tuple[str, ...]
    wide_unicode: bool


class Identifier:
    """Identifies paths of one tree; files that many names lead to are parsed once."""

    def __init__(self, tree: FileTree, env: Mapping[str, str]) -> None:
        self._tree = tree
        self._env = env
        self._facts: dict[PurePosixPath, _Facts | str] = {}
        # What else is learnt of files and folders that thousands of names may lead to.
        self._found_folders: dict[PurePosixPath, tuple[str, ...]] = {}
        self._prefixes: dict[tuple[PurePosixPath, tuple[binary.BinaryName, ...]], tuple[str, ...]] = {}
        self._known_libraries: dict[str, frozenset[str]] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._other_versions: dict[tuple[PurePosixPath, Series], tuple[str, ...]] = {}
        self._headers: dict[tuple[PurePosixPath, str], str | None] = {}
        self._variables: dict[tuple[PurePosixPath, bool], BuildVariables] = {}
        self._multiarch: dict[PurePosixPath, tuple[str, ...]] = {}

    def identify(self, path: PurePosixPath) -> Identity | Skipped | None:
        """The interpreter that ``path`` starts; ``None`` where it is no program: a folder, a script."""
        found = self._tree.stat(path)
        if found is None:
            return _skipped(path, "a link that leads nowhere") if self._tree.readlink(path) is not None else None
        if found.kind != "file" or not found.mode & 0o111:
            return None
        other = _OTHERS.fullmatch(found.path.name)
        if other:
            return _skipped(path, f"leads to {found.path.name}: only CPython is supported")
        if found.size > READ_LIMIT:
            facts: _Facts | str = _parse_executable(b"", found.path)
        else:
            facts = self._parsed(found.path)
        if isinstance(facts, str):
            return _skipped(path, facts)
        if found.size <= READ_LIMIT and not facts.native:
            return None
        if facts.pypy:
            return _skipped(path, "PyPy: only CPython is supported")
        return self._place(path, found.path, facts)

    def _parsed(self, path: PurePosixPath) -> _Facts | str:
        if path not in self._facts:
            parse = _parse_library if path.name.startswith("libpython") else _parse_executable
            try:
                self._facts[path] = parse(self._tree.read(path), path)
            except FileReadError as error:
                self._facts[path] = str(error)
        return self._facts[path]

    def _place(self, path: PurePosixPath, real: PurePosixPath, facts: _Facts) -> Identity | Skipped:
        names = list(facts.candidates)
        named = [binary.parse_name(link.name) for link in self._chain(path)]
        names.extend(name for name in named if name is not None and name not in names)
        if not names:
            return _skipped(path, "a program that names no Python version")
        for folders in self._compiled(real, facts, names):
            for name in names:
                for threads in ("t",) if "t" in name.flags else ("", "t"):
                    layout = locate(self._tree, path, name.series, threads=threads, env=self._env, compiled=folders)
                    if layout is not None:
                        return self._describe(path, layout, name, facts)
        wanted = f"python{names[0].series[0]}.{names[0].series[1]}"
        return _skipped(path, f"its standard library was not found (looked for lib/{wanted}/os.py above it)")

    def _chain(self, path: PurePosixPath) -> Iterator[PurePosixPath]:
        """The name itself and the links it leads through."""
        for _ in range(40):
            yield path
            target = self._tree.readlink(path)
            if target is None:
                return
            path = path.parent / target

    def _describe(self, path: PurePosixPath, layout: Layout, name: binary.BinaryName, facts: _Facts) -> Identity:
        library = self._library(layout, facts, path)
        flags = name.flags.replace("t", "") + layout.threads
        built = (layout.stdlib, "d" in flags)
        if built not in self._variables:
            self._variables[built] = read_build_variables(self._tree, layout.stdlib, debug="d" in flags)
        variables = self._variables[built]
        wide = facts.wide_unicode or bool(library and library.wide_unicode)
        version, doubts = self._version(layout, facts, library)
        abi = abi_tag(layout.series, variables, flags=flags, wide_unicode=wide)
        extra = facts.search_path or (library.search_path if library else ())
        return Identity(
            path=path,
            version=version,
            abi=abi,
            layout=_with_extra(layout, extra),
            key=(version, abi, self._real(layout.prefix), self._real(layout.base_prefix)),
            doubts=tuple(_skipped(path, doubt) for doubt in doubts),
        )

    def _version(self, layout: Layout, facts: _Facts, library: _Facts | None) -> tuple[str, tuple[str, ...]]:
        """The library is what runs; the headers decide where it holds several strings that could be it."""
        header = self._patchlevel(layout)
        for source in (library, facts):
            versions = self._versions(source, layout.series) if source else ()
            if len(versions) == 1:
                return versions[0], ()
            if versions:
                return header if header in versions else versions[-1], ()
        if header is not None:
            return header, ()
        series = f"{layout.series[0]}.{layout.series[1]}"
        noted = layout.pyvenv.version if layout.pyvenv else None
        if noted is not None and noted.startswith(f"{series}."):
            return noted, ("its version is not in its files; it is what pyvenv.cfg noted when it was made",)
        return series, ("its exact version is not in its files",)

    def _versions(self, facts: _Facts, series: Series) -> tuple[str, ...]:
        if series in facts.versions:
            return facts.versions[series]
        place = (facts.file, series)
        if place not in self._other_versions:
            self._other_versions[place] = binary.find_versions(self._bytes(facts.file), series)
        return self._other_versions[place]

    def _patchlevel(self, layout: Layout) -> str | None:
        place = (layout.base_prefix / "include", layout.tail)
        if place not in self._headers:
            self._headers[place] = self._read_patchlevel(*place)
        return self._headers[place]

    def _read_patchlevel(self, include: PurePosixPath, tail: str) -> str | None:
        for name in self._tree.list(include):
            if name.startswith(tail) and not name[len(tail) :].isdecimal():
                try:
                    data = self._tree.read(include / name / "patchlevel.h", limit=_PATCHLEVEL_LIMIT)
                except FileReadError:
                    continue
                return parse_patchlevel(data.decode("utf-8", "replace"))
        return None

    def _library(self, layout: Layout, facts: _Facts, path: PurePosixPath) -> _Facts | None:
        places = self._library_places(facts.file, layout.base_prefix, layout.home, path.parent)
        found = self._find_library(facts.library, places)
        parsed = self._parsed(found) if found is not None else None
        return parsed if isinstance(parsed, _Facts) else None

    def _library_places(self, real: PurePosixPath, *folders: PurePosixPath) -> Iterator[PurePosixPath]:
        """Where the library of a program may lie: in its runpath, beside ``bin``, where every library may lie.

        The program of a shared build is small, and its runpath is among the few absolute paths in it.
        """
        yield from map(PurePosixPath, self._folders(real))
        bases = (folders[0], *(folder.parent for folder in folders[1:]), *_LIBRARY_BASES)
        for base in dict.fromkeys(bases):
            yield base / "lib"
            yield base / "lib64"
            if base not in self._multiarch:
                fitting = (name for name in self._tree.list(base / "lib") if _LINUX_FOLDER.fullmatch(name))
                self._multiarch[base] = tuple(islice(fitting, _MULTIARCH))
            for name in self._multiarch[base]:
                yield base / "lib" / name

    def _folders(self, file: PurePosixPath) -> tuple[str, ...]:
        if file not in self._found_folders:
            self._found_folders[file] = binary.find_folders(self._bytes(file))
        return self._found_folders[file]

    def _standing(self, file: PurePosixPath, names: Sequence[binary.BinaryName]) -> tuple[str, ...]:
        """The folders in a file's bytes that have a standard library: of hundreds, mostly one or none."""
        key = (file, tuple(names))
        if key not in self._prefixes:
            wanted = {f"python{name.series[0]}.{name.series[1]}{threads}" for name in names for threads in ("", "t")}
            self._prefixes[key] = tuple(
                folder for folder in self._folders(file) if not wanted.isdisjoint(self._libraries(folder))
            )
        return self._prefixes[key]

    def _libraries(self, prefix: str) -> frozenset[str]:
        """The folders ``python3.11`` and so on in the library folders of a prefix."""
        if prefix not in self._known_libraries:
            names: set[str] = set()
            for libdir in {*LIBDIRS, self._env.get("PYTHONPLATLIBDIR") or "lib"}:
                found = self._tree.stat(PurePosixPath(prefix, libdir))
                if found is not None:
                    real = str(found.path)
                    if real not in self._listed:
                        listed = self._tree.list(found.path)
                        self._listed[real] = frozenset(name for name in listed if name.startswith("python"))
                    names |= self._listed[real]
            self._known_libraries[prefix] = frozenset(names)
        return self._known_libraries[prefix]

    def _compiled(
        self, real: PurePosixPath, facts: _Facts, names: Sequence[binary.BinaryName]
    ) -> Iterator[tuple[str, ...]]:
        """Nothing; then, only where the search needs it, folders that may be the prefix it was compiled for."""
        yield ()
        library = self._find_library(facts.library, self._library_places(real, real.parent.parent))
        if library is not None:
            yield (str(library.parent.parent),)
            yield self._standing(library, names)
        yield self._standing(real, names)

    def _find_library(self, name: str | None, folders: Iterator[PurePosixPath]) -> PurePosixPath | None:
        for folder in folders if name is not None else ():
            found = self._tree.stat(folder / str(name))
            if found is not None and found.kind == "file":
                return found.path
        return None

    def _bytes(self, path: PurePosixPath) -> bytes:
        try:
            return self._tree.read(path)
        except FileReadError:
            return b""

    def _real(self, path: PurePosixPath) -> str:
        found = self._tree.stat(path)
        return str(found.path if found else path)


def parse_patchlevel(text: str) -> str | None:
    """PY_VERSION of a ``patchlevel.h``. Never raises."""
    match = _PATCHLEVEL.search(text)
    return match[1] if match else None


def _parse_executable(data: bytes, path: PurePosixPath) -> _Facts:
    library = binary.find_library(data)
    named = (library[1] if library else None, binary.parse_name(path.name))
    candidates = tuple(dict.fromkeys(item for item in named if item is not None))
    if not candidates:
        candidates = tuple(binary.BinaryName(series=series, flags="") for series in binary.find_series(data))
    return _facts(data, path, candidates, library[0] if library else None)


def _parse_library(data: bytes, path: PurePosixPath) -> _Facts:
    named = binary.parse_name(path.name.removeprefix("lib").partition(".so")[0])
    return _facts(data, path, (named,) if named else (), None)


def _facts(data: bytes, path: PurePosixPath, candidates: tuple[binary.BinaryName, ...], library: str | None) -> _Facts:
    old = any(item.series < (3, 6) for item in candidates)
    return _Facts(
        file=path,
        native=binary.is_native(data),
        pypy=binary.is_pypy(data),
        candidates=candidates,
        library=library,
        versions={item.series: binary.find_versions(data, item.series) for item in candidates},
        search_path=binary.find_search_path(data) if old else (),
        wide_unicode=old and binary.has_wide_unicode(data),
    )


def _with_extra(layout: Layout, extra: tuple[str, ...]) -> Layout:
    return replace(layout, extra=extra) if extra and layout.series < (3, 6) else layout


def _skipped(path: PurePosixPath, reason: str) -> Skipped:
    return Skipped(subject=path.name, place=str(path), reason=reason)
