"""Which files of an image make its interpreter, and where they go. Pure."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.build.python.source import NotProvidedError
from envsync.catalog.getpath import Layout
from envsync.elf import Elf
from envsync.files import SearchableTree
from envsync.loader import Libraries, is_libc
from envsync.redaction import printable

FILES = 20_000
BYTES = 2 << 30
ENTRIES = 100_000
_DEPTH = 24
_ROUNDS = 20
_LIBRARIES = 200
_CANDIDATES = 4
_LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "idlelib", "turtledemo"})
"""Of the standard library's own folder: what is installed, and what no environment needs."""
_MODULE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\.[A-Za-z0-9_-]+)?\.so")
_NAME = re.compile(r"[^/\0-\x1f\x7f]{1,255}")
_GLIBC_VERSION = re.compile(r"GLIBC_(2)\.(\d{1,3})(?:\.\d{1,3})?")
_BIN, _LIB = PurePosixPath("bin"), PurePosixPath("lib")

ReadElf = Callable[[Sequence[PurePosixPath]], Mapping[PurePosixPath, Elf]]
"""What the ELF files among some paths say."""


class Taken(Struct, frozen=True, kw_only=True):
    """One file of the image."""

    source: PurePosixPath
    """Its real path there."""
    target: PurePosixPath
    """Relative to the folder of the interpreter."""
    executable: bool
    size: int


class Plan(Struct, frozen=True, kw_only=True):
    """All that is taken, and what is changed of it."""

    files: tuple[Taken, ...]
    runpaths: Mapping[PurePosixPath, str]
    """By target, the new ``DT_RUNPATH``; empty where there is to be none."""
    libraries: tuple[str, ...]
    """Sonames of the libraries that this machine lacks."""
    modules: tuple[str, ...]
    """Extension modules that the image itself could import."""
    glibc: tuple[int, int]
    """The newest version of symbols of glibc that is asked for; 0.0: none."""


def python_files(tree: SearchableTree, executable: PurePosixPath, layout: Layout) -> tuple[Taken, ...]:
    """The executable, the standard library and the headers.

    Raises:
        NotProvidedError: there is no executable, or more than any honest interpreter has.
    """
    program = tree.stat(executable)
    if program is None or program.kind != "file":
        raise NotProvidedError(f"{printable(str(executable))}: not in the image (expected the interpreter)")
    walk = _Walk(tree)
    taken = [Taken(source=program.path, target=_BIN / layout.tail, executable=True, size=program.size)]
    stdlib = PurePosixPath(layout.libdir, layout.tail)
    taken += walk.files(layout.stdlib, stdlib, left_out=_LEFT_OUT)
    if layout.dynload.parent != layout.stdlib:
        taken += walk.files(layout.dynload, stdlib / "lib-dynload")
    headers = layout.base_prefix / "include"
    for folder in (PurePosixPath(), *(PurePosixPath(name) for name in tree.list(headers) if name.endswith("-gnu"))):
        for name in tree.list(headers / folder):
            if re.fullmatch(re.escape(layout.tail) + "[a-z]{0,3}", name):
                taken += walk.files(headers / folder / name, PurePosixPath("include", folder, name))
    unique = {one.target: one for one in taken}
    if sum(one.size for one in unique.values()) > BYTES:
        raise NotProvidedError(f"{layout.stdlib}: more than {BYTES >> 30} GiB (expected a standard library)")
    return tuple(unique.values())


class _Walk:
    def __init__(self, tree: SearchableTree) -> None:
        self._tree = tree
        self._entries = 0
        self._files = 0

    def files(
        self, source: PurePosixPath, target: PurePosixPath, *, left_out: frozenset[str] = frozenset(), depth: int = 0
    ) -> Iterator[Taken]:
        for name in self._tree.list(source):
            self._entries += 1
            if self._entries > ENTRIES or self._files > FILES or depth > _DEPTH:
                raise NotProvidedError(f"{printable(str(source))}: more files than any honest interpreter has")
            if name in left_out or name == "__pycache__" or name in (".", "..") or not _NAME.fullmatch(name):
                continue
            found = self._tree.stat(source / name)
            if found is None:
                continue
            if found.kind == "directory":
                yield from self.files(source / name, target / name, depth=depth + 1)
            elif found.kind == "file" and not name.endswith(".a"):
                self._files += 1
                executable = bool(found.mode & 0o100)
                yield Taken(source=found.path, target=target / name, executable=executable, size=found.size)


def may_be_elf(file: Taken) -> bool:
    """Whether to look into a file for what it needs."""
    return file.target.parts[0] == "bin" or ".so" in file.target.suffixes or file.target.suffix == ".so"


def plan_files(
    files: tuple[Taken, ...],
    tree: SearchableTree,
    *,
    machine: str,
    image: Libraries,
    here: Libraries,
    read: ReadElf,
) -> Plan:
    """Add the libraries that are needed and not here.

    Args:
        files: of :func:`python_files`.
        tree: the image's files.
        machine: as ``uname -m`` spells it.
        image: its libraries.
        here: those of this machine.
        read: of the image.

    Raises:
        NotProvidedError: the executable is no program for ``machine``, or there are too many libraries.
    """
    elves = read([file.source for file in files if may_be_elf(file)])
    program = elves.get(files[0].source)
    if program is None or program.machine != machine:
        what = f"is for {program.machine}" if program is not None else "is no ELF program"
        raise NotProvidedError(f"{printable(str(files[0].source))}: {what} (expected one for {machine})")
    work = _Closure(tree, machine, image, here, read)
    work.follow({file: elves[file.source] for file in files if file.source in elves})
    return Plan(
        files=(*files, *work.taken.values()),
        runpaths=dict(_runpaths(work.elves, frozenset(work.taken), frozenset(here.folders))),
        libraries=tuple(sorted(work.taken)),
        modules=tuple(sorted(_modules(work.elves, work.lacking))),
        glibc=max((_newest_glibc(elf) for elf in work.elves.values()), default=(0, 0)),
    )


class _Closure:
    """Follows what ELF files need until nothing is new."""

    def __init__(self, tree: SearchableTree, machine: str, image: Libraries, here: Libraries, read: ReadElf) -> None:
        self._tree = tree
        self._machine = machine
        self._image = image
        self._here = here
        self._read = read
        self.elves: dict[Taken, Elf] = {}
        self.taken: dict[str, Taken] = {}
        """By soname."""
        self.lacking: set[str] = set()
        """Neither here nor in the image."""

    def follow(self, fresh: Mapping[Taken, Elf]) -> None:
        for _ in range(_ROUNDS):
            if not fresh:
                return
            self.elves.update(fresh)
            wanted: dict[str, list[PurePosixPath]] = {}
            for file, elf in fresh.items():
                for soname in elf.needed:
                    if soname not in self.taken and soname not in wanted and self._is_wanted(soname, elf):
                        found = self._image.candidates(soname, elf, file.source.parent)
                        wanted[soname] = [path for _, path in zip(range(_CANDIDATES), found, strict=False)]
            fresh = self._take(wanted)
        raise NotProvidedError("its shared libraries: need one another without end")

    def _is_wanted(self, soname: str, elf: Elf) -> bool:
        if is_libc(soname):
            return False
        return soname.startswith("libpython") or not self._here.has(soname, elf.version_needed.get(soname, ()))

    def _take(self, wanted: Mapping[str, Sequence[PurePosixPath]]) -> dict[Taken, Elf]:
        elves = self._read(sorted({path for paths in wanted.values() for path in paths}))
        fresh: dict[Taken, Elf] = {}
        for soname, paths in wanted.items():
            path = next((p for p in paths if p in elves and elves[p].machine == self._machine), None)
            found = self._tree.stat(path) if path is not None else None
            if path is None or found is None:
                self.lacking.add(soname)
                continue
            file = Taken(source=path, target=_LIB / soname, executable=True, size=found.size)
            self.taken[soname] = file
            fresh[file] = elves[path]
        if len(self.taken) > _LIBRARIES:
            raise NotProvidedError(f"its shared libraries: more than {_LIBRARIES} that this machine lacks")
        return fresh


def _runpaths(
    elves: Mapping[Taken, Elf], taken: frozenset[str], usual: frozenset[PurePosixPath]
) -> Iterator[tuple[PurePosixPath, str]]:
    """Only where a file needs what is taken, or names other folders than those that the loader looks in anyway."""
    for file, elf in elves.items():
        if not elf.dynamic:
            continue
        if taken & frozenset(elf.needed):
            way = os.path.relpath(_LIB, file.target.parent)
            yield file.target, "$ORIGIN" if way == "." else f"$ORIGIN/{way}"
        elif not all(_is_harmless(folder, file.target.parent, usual) for folder in (*elf.runpath, *elf.rpath)):
            yield file.target, ""


def _is_harmless(folder: str, origin: PurePosixPath, usual: frozenset[PurePosixPath]) -> bool:
    """Whether nothing is found in a folder that would not be found without it: then the file stays the image's."""
    if folder.startswith("/"):
        return PurePosixPath(os.path.normpath(folder)) in usual
    start, slash, rest = folder.replace("${ORIGIN}", "$ORIGIN").partition("/")
    if start != "$ORIGIN" or "$" in rest:
        return False
    return not os.path.normpath(f"{origin}{slash}{rest}").startswith("..")


def _modules(elves: Mapping[Taken, Elf], lacking: set[str]) -> Iterator[str]:
    for file, elf in elves.items():
        match = _MODULE.fullmatch(file.target.name)
        if match and file.target.parent.name == "lib-dynload" and not lacking & frozenset(elf.needed):
            yield match["name"]


def _newest_glibc(elf: Elf) -> tuple[int, int]:
    versions: Iterable[str] = (version for names in elf.version_needed.values() for version in names)
    matches = (_GLIBC_VERSION.fullmatch(version) for version in versions)
    return max(((int(match[1]), int(match[2])) for match in matches if match), default=(0, 0))


def with_places(files: Iterable[Taken]) -> dict[PurePosixPath, list[Taken]]:
    """By source: one file of the image may be needed in several places."""
    found: dict[PurePosixPath, list[Taken]] = {}
    for file in files:
        found.setdefault(file.source, []).append(file)
    return found


def is_safe(file: Taken) -> bool:
    """Whether its place is inside the folder that it belongs to."""
    return not file.target.is_absolute() and all(
        _NAME.fullmatch(part) and part not in (".", "..") for part in file.target.parts
    )
