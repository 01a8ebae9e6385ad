"""Installed Python distributions, as their own files describe them, spelt as their pip prints them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from envsync.catalog.distribution_files import FILES, DistributionFiles
from envsync.catalog.freeze import Spelling
from envsync.catalog.metadata import parse_entry_points, parse_headers
from envsync.errors import EnvsyncError
from envsync.files import FileTree
from envsync.model import Distribution, Skipped

__all__ = [
    "FILES",
    "DistributionError",
    "DistributionFiles",
    "collect",
    "find_distributions",
    "finish",
    "parse_distribution",
]

Found = tuple[tuple[Distribution, ...], tuple[Skipped, ...]]


class DistributionError(EnvsyncError):
    """The files of one distribution make no sense. Callers turn it into ``Skipped``."""


_WANTED = frozenset({"name", "version", "requires-dist", "requires-python", "tag"})


def parse_distribution(raw: DistributionFiles, spelling: Spelling) -> Distribution:
    """Describe one installed distribution.

    Raises:
        DistributionError: it has no usable name or version.
    """
    metadata = raw.files.get("METADATA") or raw.files.get("PKG-INFO") or b""
    fields = parse_headers(metadata, _WANTED)
    name, version = (fields.get(key, [""])[0].strip() for key in ("name", "version"))
    if not name or not version:
        raise DistributionError(f"{raw.path}: no Name or no Version in its metadata")
    wheel = parse_headers(raw.files.get("WHEEL", b""), _WANTED)
    return Distribution(
        name=name,
        version=version,
        location=raw.location,
        metadata=raw.path,
        requires=tuple(" ".join(value.split()) for value in fields.get("requires-dist", ())),
        requires_python=next(iter(fields.get("requires-python", ())), None),
        installer=raw.files.get("INSTALLER", b"").decode("utf-8", "replace").strip() or None,
        requested="REQUESTED" in raw.files,
        tags=tuple(value.strip() for value in wheel.get("tag", ())),
        entry_points=parse_entry_points(raw.files.get("entry_points.txt", b"")),
        record=raw.record,
        layer=raw.layer,
    )


def finish(raws: Sequence[DistributionFiles], skipped: Sequence[Skipped], *, python: str | None = None) -> Found:
    """Describe all distributions of one interpreter.

    Args:
        raws: in ``sys.path`` order.
        skipped: what could not be read so far.
        python: the interpreter's version, ``3.7.16``; ``None``: told by the folders' names.
    """
    found: list[Distribution] = []
    notes = list(skipped)
    spelling = Spelling.of(None, python)
    for raw in raws:
        try:
            found.append(parse_distribution(raw, spelling))
        except DistributionError as error:
            notes.append(Skipped(subject=raw.path.name, place=str(raw.path), reason=error.message))
    return tuple(found), tuple(notes)


def collect(
    tree: FileTree, sys_path: Sequence[PurePosixPath]
) -> tuple[tuple[DistributionFiles, ...], tuple[Skipped, ...]]:
    """Read the files of all distributions on ``sys_path``, in its order."""
    raws: list[DistributionFiles] = []
    for location in sys_path:
        for name in tree.list(location):
            if name.endswith((".dist-info", ".egg-info")):
                path = location / name
                present = set(tree.list(path))
                files = {file: tree.read(path / file) for file in FILES if file in present}
                raws.append(DistributionFiles(location=location, path=path, files=files, record=None))
    return tuple(raws), ()


def find_distributions(tree: FileTree, sys_path: Sequence[PurePosixPath], *, python: str | None = None) -> Found:
    """Describe all distributions on ``sys_path``: in its order, then by normalised name, shadowed copies included."""
    raws, skipped = collect(tree, sys_path)
    return finish(raws, skipped, python=python)
