"""Finding conda prefixes in a file tree, and reading what describes them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from msgspec.structs import replace

from envsync.catalog import distribution_files
from envsync.catalog.bounds import Notes
from envsync.catalog.conda import condarc, history
from envsync.catalog.conda.prefix import Found, Prefix, RecordFile, describe_prefix
from envsync.files import FileReadError, FileTree, SearchableTree
from envsync.model import CondaEnvironment, Distribution, Interpreter, Skipped
from envsync.redaction import printable

RECORD_LIMIT = 32 * 1024 * 1024
"""Bytes of one record; that of a package with 30,000 files has 12 MB."""
PREFIXES = 200
"""Prefixes that are described; an image with an environment for each of its programs has dozens."""
RECORDS = 5_000
"""Of one prefix; a full Anaconda has 500."""

_ROOT = PurePosixPath("/root")

PATTERNS: tuple[str, ...] = (
    r".*/conda-meta/[^/]+\.json",
    r".*/conda-meta/(?:history|pinned)",
    r".*/\.condarc",
    r"/etc/conda/condarc",
)
"""Files whose bytes the functions here ask for (regular expressions on whole absolute paths)."""

Conda = tuple[tuple[CondaEnvironment, ...], tuple[Interpreter, ...], tuple[Skipped, ...]]


def find_prefixes(tree: SearchableTree) -> tuple[PurePosixPath, ...]:
    """All folders of an image with a ``conda-meta`` that says something; package caches are none."""
    found = {
        path.parent.parent
        for path in tree.search(r"history|[^/]+-[^-/]+-[^-/]+\.json")
        if path.parent.name == "conda-meta"
    }
    return tuple(sorted(path for path in found if not _is_packed(tree, path)))


def _is_packed(tree: FileTree, path: PurePosixPath) -> bool:
    """Whether a folder is an unpacked package, or inside of one."""
    return any(
        tree.stat(folder / "info" / "index.json") is not None or (folder.name == "pkgs" and _is_cache(tree, folder))
        for folder in (path, *path.parents)
    )


def _is_cache(tree: FileTree, folder: PurePosixPath) -> bool:
    return any(tree.stat(folder / name) is not None for name in ("urls.txt", "urls"))


def find_conda(
    tree: FileTree,
    prefixes: Sequence[PurePosixPath],
    interpreters: Sequence[Interpreter],
    *,
    home: PurePosixPath | None = None,
) -> Conda:
    """Describe conda environments, the environment's own first, and mark the distributions that conda brought.

    Args:
        tree: where the files are.
        prefixes: the folders that hold a ``conda-meta``.
        interpreters: the first is the environment.
        home: of the image's user, for ``.condarc``.

    Returns:
        The environments, the interpreters with :attr:`Distribution.conda` filled in, and what could not be read.
    """
    notes = Notes("conda environments", "/")
    if len(prefixes) > PREFIXES:
        notes.left_out(f"{len(prefixes)} conda environments, more than any honest image has: {PREFIXES} are described")
    return put_together((_read(tree, path, home, notes) for path in prefixes[:PREFIXES]), interpreters, notes)


def put_together(prefixes: Iterable[Prefix], interpreters: Sequence[Interpreter], notes: Notes) -> Conda:
    """The same, of prefixes that were read already."""
    described: list[Found] = []
    marked = list(interpreters)
    for prefix in prefixes:
        mine = [index for index, one in enumerate(marked) if one.prefix == prefix.path]
        found = describe_prefix(prefix, [d for index in mine for d in marked[index].distributions])
        described.append(found)
        for index in mine:
            marked[index] = _marked(marked[index], found)
    first = interpreters[0].prefix if interpreters else None
    described.sort(key=lambda found: (found.environment.prefix != first, str(found.environment.prefix)))
    skipped = [*notes.all(), *(note for found in described for note in found.skipped)]
    return tuple(found.environment for found in described), tuple(marked), tuple(skipped)


def _marked(interpreter: Interpreter, found: Found) -> Interpreter:
    return replace(
        interpreter,
        distributions=tuple(replace(one, conda=found.owners.of(one)) for one in interpreter.distributions),
    )


def _read(tree: FileTree, path: PurePosixPath, home: PurePosixPath | None, notes: Notes) -> Prefix:
    meta = path / "conda-meta"
    names = [name for name in tree.list(meta) if name.endswith(".json")]
    if len(names) > RECORDS:
        notes.left_out(
            f"{printable(str(meta))}: {len(names)} records, more than any honest image has: {RECORDS} are read"
        )
    return assemble(
        tree,
        path,
        _records(tree, meta, names[:RECORDS], notes),
        notes,
        home=home,
        absent=lambda paths: absent(tree, path, paths),
        recorded=lambda distribution: recorded(tree, distribution),
    )


def _records(tree: FileTree, meta: PurePosixPath, names: Iterable[str], notes: Notes) -> Iterator[RecordFile]:
    for name in names:
        data = _bytes(tree, meta / name, RECORD_LIMIT, notes)
        if data is not None:
            info = tree.stat(meta / name)
            yield RecordFile(name=name, data=data, layer=info.layer if info is not None else None)


def assemble(
    tree: FileTree,
    path: PurePosixPath,
    records: Iterable[RecordFile],
    notes: Notes,
    *,
    absent: Callable[[Sequence[str]], Iterable[str]],
    recorded: Callable[[Distribution], Iterable[str]],
    home: PurePosixPath | None = None,
) -> Prefix:
    """A prefix of its records and of what else in ``tree`` describes it; what cannot be read goes to ``notes``."""
    places = (
        (home or _ROOT) / ".condarc",
        path / ".condarc",
        *([path.parent.parent / ".condarc"] if path.parent.name == "envs" else []),  # of the conda that made it
        PurePosixPath("/etc/conda/condarc"),
        PurePosixPath("/etc/conda/.condarc"),
    )
    condarcs = (_optional(tree, place, condarc.LIMIT, notes) for place in dict.fromkeys(places))
    return Prefix(
        path=path,
        records=records,
        history=_optional(tree, path / "conda-meta/history", history.LIMIT, notes),
        pinned=_optional(tree, path / "conda-meta/pinned", history.LIMIT, notes),
        condarcs=tuple(data for data in condarcs if data is not None),
        absent=absent,
        recorded=recorded,
    )


def _optional(tree: FileTree, path: PurePosixPath, limit: int, notes: Notes) -> bytes | None:
    return _bytes(tree, path, limit, notes) if tree.stat(path) is not None else None


def _bytes(tree: FileTree, path: PurePosixPath, limit: int, notes: Notes) -> bytes | None:
    try:
        return tree.read(path, limit=limit)
    except FileReadError as error:
        notes.add(Skipped(subject=printable(path.name), place=printable(str(path)), reason=printable(error.message)))
        return None


def absent(tree: FileTree, prefix: PurePosixPath, paths: Iterable[str]) -> Iterator[str]:
    """Those of some paths under ``prefix`` at which nothing is; asked folder by folder."""
    by_folder: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_folder[path.rpartition("/")[0]].append(path)
    for folder, inside in by_folder.items():
        present = frozenset(tree.list(prefix / folder))
        yield from (path for path in inside if path.rpartition("/")[2] not in present)


def recorded(tree: FileTree, distribution: Distribution) -> tuple[str, ...]:
    """The absolute paths that a distribution's RECORD lists; empty where it has none that can be read.

    Follows https://packaging.python.org/en/latest/specifications/recording-installed-packages/.
    """
    if distribution.metadata is None or distribution.location is None or distribution.record is None:
        return ()
    try:
        data = tree.read(distribution.metadata / "RECORD", limit=distribution_files.RECORD_LIMIT)
        rows = list(csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
    except (FileReadError, csv.Error):
        return ()
    return tuple(str(distribution.location / row[0]) for row in rows if row and row[0])
