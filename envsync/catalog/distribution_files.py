"""Finding the files that describe installed distributions, as raw bytes."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog.bounds import Allowance, Notes, is_path
from envsync.catalog.egg import EggError, parse_egg_link, read_zipped_egg
from envsync.catalog.freeze import FolderName
from envsync.catalog.metadata import only_headers
from envsync.files import FileReadError, FileTree
from envsync.model import Skipped
from envsync.names import normalized
from envsync.redaction import printable
from envsync.reference import Digest

LIMIT = 4 * 1024 * 1024
"""Bytes of metadata, description included; the largest on the Python Package Index are a tenth of it."""

_LIMITS = {
    "METADATA": LIMIT,
    "PKG-INFO": LIMIT,
    "WHEEL": 64 * 1024,  # 30 KB with a tag for each Python and platform
    "direct_url.json": 64 * 1024,  # one URL and its hashes
    "INSTALLER": 4 * 1024,  # one word
    "REQUESTED": 4 * 1024,  # empty
    "entry_points.txt": 1024 * 1024,  # 20 KB with hundreds of commands
    "requires.txt": 1024 * 1024,  # 80 KB with an extra for each of hundreds of providers
}
FILES: tuple[str, ...] = tuple(_LIMITS)
"""What is read of a ``.dist-info``, ``.egg-info`` or ``EGG-INFO`` folder; its ``RECORD`` is only hashed."""

RECORD_LIMIT = 32 * 1024 * 1024
"""Bytes; 4 MB with 30,000 files."""
_LINK_LIMIT = 64 * 1024
_METADATA = ("METADATA", "PKG-INFO")

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
    """By name inside the folder, of :data:`FILES`; of an ``.egg-info`` file, itself as ``PKG-INFO``. Of metadata
    the headers only."""
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


def collect(tree: FileTree, sys_path: Sequence[PurePosixPath], allowance: Allowance | None = None) -> Collected:
    """Read the files of all distributions on ``sys_path``: in its order, then by file name.

    Beyond what ``allowance`` has left they are passed over, and noted.
    """
    collector = _Collector(tree, allowance or Allowance())
    for location in sys_path:
        collector.visit(location)
    return collector.finish()


class _Collector:
    def __init__(self, tree: FileTree, allowance: Allowance) -> None:
        self._tree = tree
        self._allowance = allowance
        self._seen: dict[PurePosixPath, PurePosixPath] = {}
        """By real path, the ``sys.path`` entry that led there first (``lib64`` is often ``lib``)."""
        self._found: list[DistributionFiles] = []
        self._links: list[PurePosixPath] = []
        self._notes = Notes("distributions", "sys.path")
        self._left_out = 0
        self._by_name: dict[tuple[PurePosixPath, str], list[int]] | None = None

    def visit(self, location: PurePosixPath) -> None:
        info = self._tree.stat(location)
        if info is None or info.path in self._seen:
            return
        self._seen[info.path] = location
        is_egg = location.name.lower().endswith(".egg")
        if info.kind == "file":
            if is_egg and self._may_take():
                self._read_zipped(location, info.layer)
            return
        for name in self._tree.list(location):
            lower = name.lower()
            may_be_file = lower.endswith(".egg-info")
            if may_be_file or lower.endswith(".dist-info") or (is_egg and lower == "egg-info"):
                if self._may_take():
                    self._read_folder(location, location / name, may_be_file=may_be_file)
            elif lower.endswith(".egg-link") and self._may_take():
                self._links.append(location / name)

    def _may_take(self) -> bool:
        if self._allowance.take_distribution():
            return True
        self._left_out += 1
        return False

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
        record = self._hash(path / "RECORD") if "RECORD" in names else None
        main = next((name for name in FILES if name in files), present[0])
        self._found.append(
            DistributionFiles(
                location=location,
                path=path,
                files=files,
                record=record,
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
            data = self._read(path, kind="PKG-INFO")
            if data is not None:
                self._add(location, path, {"PKG-INFO": data}, info.layer)

    def _read_zipped(self, location: PurePosixPath, layer: Digest | None) -> None:
        try:
            files = read_zipped_egg(self._tree.read(location), _LIMITS)
        except (EggError, FileReadError) as error:
            self._skip(location, error.message)
            return
        files = {name: only_headers(data) if name in _METADATA else data for name, data in files.items()}
        if not self._allowance.take_metadata(sum(map(len, files.values()))):
            self._skip(location, _TOO_MUCH)
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

    def _read(self, path: PurePosixPath, *, kind: str = "") -> bytes | None:
        kind = kind or path.name
        try:
            data = self._tree.read(path, limit=_LIMITS.get(kind, _LINK_LIMIT))
        except FileReadError as error:
            self._skip(path, error.message)
            return None
        if kind in _METADATA:
            data = only_headers(data)
        if not self._allowance.take_metadata(len(data)):
            self._skip(path, _TOO_MUCH)
            return None
        return data

    def _hash(self, path: PurePosixPath) -> Digest | None:
        try:
            data = self._tree.read(path, limit=RECORD_LIMIT)
        except FileReadError as error:
            self._skip(path, error.message)
            return None
        return Digest("sha256:" + hashlib.sha256(data).hexdigest())

    def _layer(self, path: PurePosixPath) -> Digest | None:
        info = self._tree.stat(path)
        return info.layer if info is not None else None

    def _skip(self, path: PurePosixPath, reason: str) -> None:
        self._notes.add(Skipped(subject=printable(path.name), place=printable(str(path)), reason=printable(reason)))

    def finish(self) -> Collected:
        """Mark what an ``.egg-link`` leads to, once all of ``sys.path`` is known."""
        for link in self._links:
            self._follow(link)
        if self._left_out:
            self._notes.left_out(f"{self._left_out} more of them than any honest image has: they are left out")
        return tuple(self._found), self._notes.all()

    def _follow(self, link: PurePosixPath) -> None:
        data = self._read(link)
        if data is None:
            return
        parsed = parse_egg_link(data)
        if parsed is None or not is_path(parsed.target) or not is_path(parsed.project):
            self._skip(link, "names no folder")
            return
        if self._by_name is None:
            self._by_name = self._index()
        target = PurePosixPath(posixpath.normpath(link.parent / parsed.target))
        info = self._tree.stat(target)
        entry = self._seen.get(info.path) if info is not None else None
        name = normalized(link.name.rpartition(".")[0])
        places = self._by_name.get((entry, name), ()) if entry is not None else ()
        if not places:
            why = "which is not on sys.path" if entry is None else "which describes no such distribution"
            self._skip(link, f"leads to {target}, {why}: it cannot be imported")
        for index in places:
            self._found[index] = replace(
                self._found[index],
                editable_from=PurePosixPath(posixpath.normpath(target / parsed.project)),
                link_name=link.name.rpartition(".")[0],
            )

    def _index(self) -> dict[tuple[PurePosixPath, str], list[int]]:
        """Where what was found is, by location and normalised name: links may be as many as distributions."""
        found: dict[tuple[PurePosixPath, str], list[int]] = {}
        for index, raw in enumerate(self._found):
            found.setdefault((raw.location, normalized(FolderName.parse(raw.filename).name)), []).append(index)
        return found


_TOO_MUCH = "all metadata together is more than any honest image has: left out"
