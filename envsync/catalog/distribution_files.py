"""Finding the files that describe installed distributions, as raw bytes."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog.egg import EggError, parse_egg_link, read_zipped_egg
from envsync.catalog.freeze import FolderName
from envsync.files import FileReadError, FileTree
from envsync.model import Skipped
from envsync.names import normalized
from envsync.redaction import printable
from envsync.reference import Digest

FILES: tuple[str, ...] = (
    "METADATA",
    "PKG-INFO",
    "WHEEL",
    "direct_url.json",
    "INSTALLER",
    "REQUESTED",
    "entry_points.txt",
    "requires.txt",
)
"""What is read of a ``.dist-info``, ``.egg-info`` or ``EGG-INFO`` folder; its ``RECORD`` is only hashed."""

LIMIT = 4 * 1024 * 1024
"""Bytes that each of :data:`FILES` may have; the largest on the Python Package Index are a tenth of it."""

_NAMES = "|".join(name.replace(".", r"\.") for name in (*FILES, "RECORD"))
PATTERNS: tuple[str, ...] = (
    rf".*/[^/]+\.(?:dist|egg)-info/(?:{_NAMES})",
    r".*/[^/]+\.egg-(?:info|link)",
    r".*/[^/]+\.egg",
    rf".*/[^/]+\.egg/EGG-INFO/(?:{_NAMES})",
)
"""For :func:`re.fullmatch` on absolute paths: the files whose bytes :func:`collect` may ask for."""


class DistributionFiles(Struct, frozen=True, kw_only=True):
    """What one installed distribution says of itself, as found."""

    location: PurePosixPath
    """The ``sys.path`` entry that makes it importable."""
    path: PurePosixPath
    """Its ``.dist-info`` or ``.egg-info`` (folder or file), or the ``EGG-INFO`` folder of an ``.egg``."""
    files: dict[str, bytes]
    """By name inside the folder, of :data:`FILES`; of an ``.egg-info`` file, itself as ``PKG-INFO``."""
    record: Digest | None
    """SHA-256 of the bytes of ``RECORD``."""
    layer: Digest | None = None
    """Diff ID of the layer that holds it."""
    editable_from: PurePosixPath | None = None
    """The project folder, where an ``.egg-link`` led to it."""
    link_name: str | None = None
    """The name of that ``.egg-link``, without its suffix."""
    empty: bool = False
    """The folder holds nothing at all."""

    @property
    def filename(self) -> str:
        """What tells name and version: of ``foo.egg/EGG-INFO`` it is ``foo.egg``."""
        return self.path.parent.name if self.path.name.upper() == "EGG-INFO" else self.path.name


Collected = tuple[tuple[DistributionFiles, ...], tuple[Skipped, ...]]


def collect(tree: FileTree, sys_path: Sequence[PurePosixPath]) -> Collected:
    """Read the files of all distributions on ``sys_path``: in its order, then by file name."""
    collector = _Collector(tree)
    for location in sys_path:
        collector.visit(location)
    return collector.finish()


class _Collector:
    def __init__(self, tree: FileTree) -> None:
        self._tree = tree
        self._seen: dict[PurePosixPath, PurePosixPath] = {}
        """By real path, the ``sys.path`` entry that led there first (``lib64`` is often ``lib``)."""
        self._found: list[DistributionFiles] = []
        self._links: list[PurePosixPath] = []
        self._skipped: list[Skipped] = []

    def visit(self, location: PurePosixPath) -> None:
        info = self._tree.stat(location)
        if info is None or info.path in self._seen:
            return
        self._seen[info.path] = location
        is_egg = location.name.lower().endswith(".egg")
        if info.kind == "file":
            if is_egg:
                self._read_zipped(location, info.layer)
            return
        for name in self._tree.list(location):
            lower = name.lower()
            if lower.endswith(".dist-info") or (is_egg and lower == "egg-info"):
                self._read_folder(location, location / name)
            elif lower.endswith(".egg-info"):
                self._read_folder(location, location / name, may_be_file=True)
            elif lower.endswith(".egg-link"):
                self._links.append(location / name)

    def _read_folder(self, location: PurePosixPath, path: PurePosixPath, *, may_be_file: bool = False) -> None:
        present = self._tree.list(path)
        if not present:
            self._read_lone(location, path, may_be_file=may_be_file)
            return
        files: dict[str, bytes] = {}
        names: Collection[str] = set(present)
        for name in FILES:
            if name in names:
                data = self._read(path / name)
                if data is not None:
                    files[name] = data
        record = self._read(path / "RECORD", hashed=True) if "RECORD" in names else None
        main = next((name for name in FILES if name in files), present[0])
        self._found.append(
            DistributionFiles(
                location=location,
                path=path,
                files=files,
                record=_digest(record) if record is not None else None,
                layer=self._layer(path / main),
            )
        )

    def _read_lone(self, location: PurePosixPath, path: PurePosixPath, *, may_be_file: bool) -> None:
        """Read what is no folder, or an empty one."""
        info = self._tree.stat(path)
        if info is None or info.kind == "other":
            self._skip(path, "leads nowhere, or to no regular file")
        elif info.kind == "directory":
            self._add(location, path, {}, info.layer, empty=True)
        elif not may_be_file:
            self._skip(path, "a file (expected a folder)")
        else:
            data = self._read(path)
            if data is not None:
                self._add(location, path, {"PKG-INFO": data}, info.layer)

    def _read_zipped(self, location: PurePosixPath, layer: Digest | None) -> None:
        try:
            files = read_zipped_egg(self._tree.read(location), FILES, limit=LIMIT)
        except (EggError, FileReadError) as error:
            self._skip(location, error.message)
            return
        if files:
            self._add(location, location / "EGG-INFO", files, layer)

    def _add(
        self,
        location: PurePosixPath,
        path: PurePosixPath,
        files: dict[str, bytes],
        layer: Digest | None,
        *,
        empty: bool = False,
    ) -> None:
        self._found.append(
            DistributionFiles(location=location, path=path, files=files, record=None, layer=layer, empty=empty)
        )

    def _read(self, path: PurePosixPath, *, hashed: bool = False) -> bytes | None:
        try:
            return self._tree.read(path) if hashed else self._tree.read(path, limit=LIMIT)
        except FileReadError as error:
            self._skip(path, error.message)
            return None

    def _layer(self, path: PurePosixPath) -> Digest | None:
        info = self._tree.stat(path)
        return info.layer if info is not None else None

    def _skip(self, path: PurePosixPath, reason: str) -> None:
        self._skipped.append(
            Skipped(subject=printable(path.name), place=printable(str(path)), reason=printable(reason))
        )

    def finish(self) -> Collected:
        """Mark what an ``.egg-link`` leads to, once all of ``sys.path`` is known."""
        for link in self._links:
            self._follow(link)
        return tuple(self._found), tuple(self._skipped)

    def _follow(self, link: PurePosixPath) -> None:
        data = self._read(link)
        if data is None:
            return
        parsed = parse_egg_link(data)
        if parsed is None or "\0" in parsed.target:
            self._skip(link, "names no folder")
            return
        target = PurePosixPath(posixpath.normpath(link.parent / parsed.target))
        info = self._tree.stat(target)
        entry = self._seen.get(info.path) if info is not None else None
        name = normalized(link.name.rpartition(".")[0])
        places = [
            index
            for index, raw in enumerate(self._found)
            if raw.location == entry and normalized(FolderName.parse(raw.filename).name) == name
        ]
        if not places:
            why = "which is not on sys.path" if entry is None else "which describes no such distribution"
            self._skip(link, f"leads to {target}, {why}: it cannot be imported")
        for index in places:
            self._found[index] = replace(
                self._found[index],
                editable_from=PurePosixPath(posixpath.normpath(target / parsed.project)),
                link_name=link.name.rpartition(".")[0],
            )


def _digest(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())
