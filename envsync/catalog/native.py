"""What the shared objects of an environment need of the operating system, as the image's loader finds it.

The rules of the loader are in :mod:`envsync.loader`.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog.elf_owners import Owners
from envsync.elf import Elf
from envsync.files import ElfTree, HostTree, ImageTree
from envsync.loader import Libraries, Loaded
from envsync.model import PYTHON, Interpreter, NeededBy, NeededLibrary, Needs, Skipped

PATTERNS: tuple[str, ...] = (r"/etc/ld\.so\.(?:cache|conf)", r"/etc/ld\.so\.conf\.d/[^/]+", r"/etc/ld-musl-[^/]+\.path")
"""For :func:`re.fullmatch` on absolute paths: what tells where the loader looks."""

_LIBRARY = r".*\.so(?:\.[0-9A-Za-z._-]+)?"
_IS_LIBRARY = re.compile(_LIBRARY, re.DOTALL).fullmatch
_IS_PYTHON = re.compile(r"python[0-9.]*[a-z]*").fullmatch
_LIBPYTHON = re.compile(r"libpython[23][0-9.]*[a-z]*\.so(?:\.[0-9.]+)?").fullmatch
_EXTENSION = re.compile(r".*\.(?:cpython-[0-9]+[a-z]*-[^.]*|abi3)\.so").fullmatch
_NEEDS = 20_000
"""Pairs of a library and who needs it. An honest environment of a thousand distributions has some thousands."""
_NAMES = 2_000
_STEPS = 300_000
"""Names that are followed, again and again where another file needs them."""
_VERSIONS = 500
_LONGEST = 300


def is_native(path: str) -> bool:
    """Whether the file at an absolute path is a shared library or a Python, by its name."""
    at = path.rfind("/") + 1
    if path.find(".so", at) >= 0:
        return _IS_LIBRARY(path, at) is not None
    return path.startswith("python", at) and path.endswith("/bin/", 0, at) and _IS_PYTHON(path, at) is not None


def find_needs(
    tree: ImageTree, interpreter: Interpreter, env: Mapping[str, str], machine: str
) -> tuple[int, tuple[NeededLibrary, ...], tuple[Skipped, ...]]:
    """Which libraries the files of an environment need that are not part of it.

    Args:
        tree: the image's files.
        interpreter: the environment.
        env: of the image's config.
        machine: as ``uname -m`` spells it.

    Returns:
        The number of ELF files that were looked at, the libraries by soname, without the packages that own them, and
        what could not be looked at.
    """
    search = _Search(tree, interpreter, libraries_of(tree, env, machine))
    return search.objects(), *search.libraries()


def libraries_of(tree: ElfTree, env: Mapping[str, str], machine: str) -> Libraries:
    """The libraries that a process with these variables finds."""
    return Libraries(tree, machine, first=re.split("[:;]", env.get("LD_LIBRARY_PATH", "")))


def closure(
    tree: ElfTree, path: PurePosixPath, env: Mapping[str, str] | None = None
) -> dict[str, PurePosixPath | None]:
    """All that loading one ELF file brings, as ldd(1) lists it: real paths by soname, ``None`` where none is found."""
    elf = tree.elf(path)
    if elf is None:
        return {}
    libraries = libraries_of(tree, env or {}, elf.machine)
    root = libraries.open(path)
    found = libraries.closure(root) if root is not None else {}
    return {soname: one.real if one is not None else None for soname, one in found.items()}


def ask_host(
    needs: Needs,
    python: PurePosixPath,
    tree: HostTree,
    env: Mapping[str, str],
    machine: str,
    *,
    sys_path: Collection[PurePosixPath],
) -> tuple[NeededLibrary, ...] | None:
    """The same libraries asked of this machine; ``None`` where it is no Linux, and cannot be asked.

    What no file here asks for is left out: another build of Python, or of a distribution, has needs of its own.

    Args:
        needs: of an image.
        python: the interpreter of the local environment.
        tree: this machine's files.
        env: of this process: LD_LIBRARY_PATH counts.
        machine: this one, as ``uname -m`` spells it.
        sys_path: of the interpreter: where the files are that may ask.
    """
    if sys.platform != "linux":
        return None
    here = _Here(tree, libraries_of(tree, env, machine), python, machine, sys_path)
    answers: dict[str, Loaded | None] = {}
    needed_by: dict[str, tuple[NeededBy, ...]] = {}
    for one in needs.libraries:
        asked = [(own, here.find(one.soname, file)) for own, file in here.asking(one)]
        lacking = [(by, found) for by, found in asked if found is None]
        if asked:
            answers[one.soname] = None if lacking else asked[0][1]
            needed_by[one.soname] = tuple(by for by, _ in lacking or asked)
    return _described(here.libraries, answers, needed_by)


class _Here:
    """The files of the local environment that ask for libraries as those of the image do."""

    def __init__(
        self,
        tree: HostTree,
        libraries: Libraries,
        python: PurePosixPath,
        machine: str,
        sys_path: Collection[PurePosixPath],
    ) -> None:
        self._tree = tree
        self.libraries = libraries
        self._sys_path = sys_path
        found = tree.stat(python)
        self._program = libraries.open(found.path if found is not None else python)
        self._nobody = nobody(machine, at=python, rpath=self._program.rpath if self._program is not None else ())
        self._started = libraries.closure(self._program) if self._program is not None else {}
        self._python = list(self._files_of_python())

    def _files_of_python(self) -> Iterator[Loaded]:
        if self._program is not None:
            yield self._program
        yield from (one for name, one in self._started.items() if one is not None and _LIBPYTHON(name))
        for folder in self._sys_path:
            for name in self._tree.list(folder) if folder.name == "lib-dynload" else ():
                one = self.libraries.open(folder / name, self._program) if is_native(f"/{name}") else None
                if one is not None:
                    yield one

    def asking(self, library: NeededLibrary) -> Iterator[tuple[NeededBy, Loaded | None]]:
        """Who asks for it here, too, and with which file, where that is known."""
        for by in library.needed_by:
            if by.name == PYTHON and self._python:
                files = [one for one in self._python if library.soname in one.elf.needed]
                versions = {name for one in files for name in one.elf.version_needed.get(library.soname, ())}
                if files:
                    yield replace(by, versions=tuple(sorted(versions))), files[0]
                continue
            file = self._file(by)
            if file is None or library.soname in file.elf.needed:
                yield by, file

    def _file(self, by: NeededBy) -> Loaded | None:
        parts = by.file.parts if by.file is not None else ()
        site = max((at for at, part in enumerate(parts) if part in ("site-packages", "dist-packages")), default=-1)
        if site < 0 or ".." in parts:
            return None
        files = (self.libraries.open(folder.joinpath(*parts[site + 1 :]), self._program) for folder in self._sys_path)
        return next(filter(None, files), None)

    def find(self, soname: str, file: Loaded | None) -> Loaded | None:
        """What the loader takes for the name, unless the interpreter has loaded it before."""
        return self._started.get(soname) or self.libraries.find(soname, file or self._nobody)


def nobody(machine: str, *, at: PurePosixPath | None = None, rpath: tuple[str, ...] = ()) -> Loaded:
    """Who asks for a library that no ELF file names."""
    at = at or PurePosixPath("/")
    return Loaded(path=at, real=at, elf=Elf(bits=64, endianness="little", machine=machine), rpath=rpath)


class _Asked(Struct):
    """By whom one library is needed."""

    versions: dict[str, set[str]]
    """By the name of the distribution."""
    files: dict[str, PurePosixPath]
    """The first of its files, likewise."""


class _Search:
    def __init__(self, tree: ImageTree, interpreter: Interpreter, libraries: Libraries) -> None:
        self._tree = tree
        self._libraries = libraries
        self._owners = Owners(tree, interpreter, system=libraries.defaults)
        self._program = self._open_program(interpreter)
        self._started = libraries.closure(self._program) if self._program is not None else {}
        self._asked: dict[str, _Asked] = {}
        self._found: dict[str, Loaded | None] = {}
        self._own: set[str] = set()
        self._seen: set[tuple[PurePosixPath, tuple[str, ...], str]] = set()
        self._skipped: list[Skipped] = []
        self._pairs, self._steps = _NEEDS, _STEPS

    def _open_program(self, interpreter: Interpreter) -> Loaded | None:
        found = self._tree.stat(interpreter.executable) if interpreter.executable is not None else None
        return self._libraries.open(found.path) if found is not None else None

    def objects(self) -> int:
        """Follow what is needed from all files of the environment; returns how many there are."""
        waiting = deque(self._roots())
        self._own = {one.elf.soname or one.path.name for one, _ in waiting} | {one.path.name for one, _ in waiting}
        self._seen.update((one.real, one.rpath, name) for one, name in waiting)
        while waiting:
            for one, name in self._follow(*waiting.popleft()):
                if (one.real, one.rpath, name) not in self._seen:
                    self._seen.add((one.real, one.rpath, name))
                    waiting.append((one, name))
        return len({real for real, _, _ in self._seen})

    def _roots(self) -> Iterator[tuple[Loaded, str]]:
        """The interpreter, and all libraries in the folders of the environment; names of a file but once."""
        if self._program is not None:
            yield self._program, PYTHON
        known: set[PurePosixPath] = set()
        for path in self._tree.search(_LIBRARY):
            name = self._owners.owner(path)
            found = self._tree.stat(path) if name is not None else None
            if name is None or found is None or found.kind != "file" or found.path in known:
                continue
            known.add(found.path)
            one = self._libraries.open(path, self._program)
            if one is not None:
                yield one, name
            elif _EXTENSION(path.name):
                self._skip(path)

    def _skip(self, path: PurePosixPath) -> None:
        elf = self._tree.elf(path)
        what = f"for {elf.machine}, not for the image's machine" if elf is not None else "no ELF file, or a damaged one"
        self._skipped.append(Skipped(subject="extension module", place=str(path), reason=what))

    def _follow(self, one: Loaded, name: str) -> Iterator[tuple[Loaded, str]]:
        """Note what a file needs of the system; yields what it needs of the environment."""
        self._steps -= len(one.elf.needed)
        for soname in one.elf.needed if self._steps >= 0 else ():
            found = self._started.get(soname) or self._libraries.find(soname, one)
            if self._libraries.is_exhausted:
                return
            if found is None and soname in self._own:
                continue  # by then, what the distribution itself has loaded
            owner = self._owner(found) if found is not None else None
            if found is not None and (owner is not None or _LIBPYTHON(soname)):
                yield found, owner or PYTHON
            elif found is not None and self._owners.is_beside(found.real):
                yield found, name
            else:
                self._note(soname, found, one, name)

    def _owner(self, found: Loaded) -> str | None:
        """By its real path; or by that of the link, where installers link to a cache."""
        return self._owners.owner(found.real) or self._owners.owner(_plain(found))

    def _note(self, soname: str, found: Loaded | None, one: Loaded, name: str) -> None:
        asked = self._asked.get(soname)
        if asked is None or name not in asked.versions:
            self._pairs -= 1 if len(self._asked) < _NAMES and len(soname) <= _LONGEST else _NEEDS
            if self._pairs < 0:
                return
        asked = self._asked.setdefault(soname, _Asked({}, {}))
        versions = asked.versions.setdefault(name, set())
        versions.update(one.elf.version_needed.get(soname, ())[: _VERSIONS - len(versions)])
        asked.files[name] = min(_plain(one), asked.files.get(name, _plain(one)))
        self._found[soname] = self._found.get(soname) or found

    def libraries(self) -> tuple[tuple[NeededLibrary, ...], tuple[Skipped, ...]]:
        """What was noted by then."""
        needed_by = {
            soname: tuple(
                NeededBy(name=name, versions=tuple(sorted(asked.versions[name])), file=asked.files[name])
                for name in sorted(asked.versions)
            )
            for soname, asked in self._asked.items()
        }
        described = _described(self._libraries, self._found, needed_by)
        if min(self._pairs, self._steps) < 0 or self._libraries.is_exhausted:
            reason = "more that are needed than any honest environment does: the others are left out"
            self._skipped.append(Skipped(subject="shared libraries", place="/", reason=reason))
        return described, tuple(self._skipped)


def _plain(found: Loaded) -> PurePosixPath:
    """As it was found, unless the way there goes up and down."""
    return found.real if ".." in found.path.parts else found.path


def _described(
    libraries: Libraries,
    found: Mapping[str, Loaded | None],
    needed_by: Mapping[str, tuple[NeededBy, ...]],
) -> tuple[NeededLibrary, ...]:
    described: list[NeededLibrary] = []
    for soname, one in sorted(found.items()):
        library = NeededLibrary(soname=soname, needed_by=needed_by[soname])
        if one is not None:
            versions: Iterable[str] = (version for by in needed_by[soname] for version in by.versions)
            library = replace(
                library,
                path=one.real,
                lacking=libraries.lacking(soname, one, versions),
                broken=tuple(sorted(name for name, its in libraries.closure(one).items() if its is None)),
            )
        described.append(library)
    return tuple(described)
