"""Finding what the wheel of an installed distribution consists of: names and small files, no contents yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from envsync.catalog.direct_url import DirectUrlError, parse_direct_url
from envsync.catalog.distribution_files import LIMIT
from envsync.catalog.metadata import parse_headers
from envsync.files import FileReadError, FileTree
from envsync.model import DirectoryOrigin, Distribution, Interpreter
from envsync.names import is_distribution_name, normalized, pep440
from envsync.redaction import printable, without_credentials
from envsync.wheel import egg, owned
from envsync.wheel.layout import DIRECT_URL, Layout, OutsideError, is_bytecode
from envsync.wheel.legacy import LEFT_OUT, metadata_of
from envsync.wheel.owned import Owned
from envsync.wheel.parts import MOST_BYTES, MOST_FILES, Files, How, Notes, RepackError, WheelFile, is_safe

_LISTS = ("RECORD", "installed-files.txt", "top_level.txt", "namespace_packages.txt")
_SMALL = (*_LISTS, "METADATA", "PKG-INFO", "requires.txt", "WHEEL", DIRECT_URL)
_STEM = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[^-/\s]+)")


def small_files(distribution: Distribution, interpreter: Interpreter, tree: FileTree) -> tuple[PurePosixPath, ...]:
    """The files whose bytes :func:`files_of` will ask for, so that they can be fetched together."""
    info = distribution.metadata
    if info is None:
        return ()
    present = set(tree.list(info))
    if not present:
        return (info,) if tree.stat(info) else (info.parent,)
    found = [info / name for name in _SMALL if name in present]
    if not present & set(_LISTS[:2]):
        found += owned.other_records(distribution, interpreter)
    return tuple(found)


def files_of(distribution: Distribution, interpreter: Interpreter, tree: FileTree) -> Files:
    """Tell which files belong to a distribution, and where each goes in a wheel.

    By ``RECORD``; else by ``installed-files.txt``; else by ``top_level.txt``, or the folder of an egg.

    Raises:
        RepackError: nothing tells them, they are a project's own (an editable installation), or no wheel can have
            such a version, so many files or so many bytes.
    """
    info = distribution.metadata
    if info is None:
        raise RepackError(f"{distribution.name}: not known where it is installed (expected an image that was read)")
    origin = distribution.origin
    if isinstance(origin, DirectoryOrigin) and origin.editable:
        raise RepackError(f"{distribution.name}: installed editable: its files are those of {origin.url}")
    collector = _Collector(distribution, interpreter, tree, info)
    present = set(tree.list(info))
    if info.name.upper() == "EGG-INFO":
        archive = tree.stat(info.parent)
        if archive is not None and archive.kind == "file":
            return collector.zipped(archive.path)
        collector.add(owned.folder(tree, info.parent))
        return collector.finish("top-level")
    if "RECORD" in present:
        collector.add(owned.by_record(tree, info))
        return collector.finish("record")
    if "installed-files.txt" in present:
        collector.add(owned.by_installed_files(tree, info))
        return collector.finish("installed-files")
    collector.add(owned.by_top_level(tree, distribution, interpreter))
    if "top_level.txt" in present:
        return collector.finish("top-level")
    return collector.finish("name")


class _Collector:
    def __init__(
        self, distribution: Distribution, interpreter: Interpreter, tree: FileTree, info: PurePosixPath
    ) -> None:
        self._distribution = distribution
        self._tree = tree
        self._info = info
        self._stem = _stem(distribution, info)
        self._legacy = info.suffix != ".dist-info"
        self._layout = Layout.of(distribution, interpreter, info, self._stem)
        self._notes = Notes()
        self._files: dict[str, WheelFile] = {}
        self._bytes = 0
        self._sources: set[str] = set()
        self._real: dict[str, str] = {}

    def add(self, found: Iterable[Owned]) -> None:
        files: dict[str, Owned] = {}
        for one in found:
            files.setdefault(one.path, one)
            if len(files) > MOST_FILES * 2:
                raise RepackError(f"{self._info}: more than {MOST_FILES} files")
        self._sources = {path for path in files if path.endswith(".py")}
        for one in files.values():
            self._add(one)

    def _add(self, one: Owned) -> None:
        path = one.path
        if is_bytecode(path) or (path.endswith((".pyc", ".pyo")) and path[:-1] in self._sources):
            return
        try:
            target = self._legacy_target(path) if self._legacy else self._layout.target(path)
        except OutsideError:
            self._notes.add(f"{path}: outside of {self._layout.prefix}: left out")
            return
        if target is None or target in self._files:
            return
        if not is_safe(target):
            self._notes.add(f"{path}: not a name that a wheel can have: left out")
            return
        if target == f"{self._stem}.dist-info/{DIRECT_URL}" and not self._keeps_direct_url():
            return
        info = self._tree.stat(PurePosixPath(path))
        if info is None or info.kind != "file":
            if info is None or info.kind == "other":
                self._notes.add(f"{path}: not in the image" if info is None else f"{path}: no regular file: left out")
            return
        if str(info.path) != self._without_links(path):
            self._notes.add(f"{path}: a link: its place is taken by the file it leads to, {info.path}")
        self._take(
            WheelFile(
                path=info.path,
                target=target,
                size=info.size,
                executable=bool(info.mode & 0o111),
                script=target.startswith(f"{self._stem}.data/scripts/"),
                recorded=one.recorded,
            )
        )

    def _take(self, file: WheelFile) -> None:
        self._files[file.target] = file
        self._bytes += file.size
        if len(self._files) > MOST_FILES or self._bytes > MOST_BYTES:
            raise RepackError(f"{self._info}: more than {MOST_FILES} files or {MOST_BYTES} bytes")

    def _without_links(self, path: str) -> str:
        """The real path if neither the file nor a folder below the prefix is a link."""
        for base in (self._layout.site, self._layout.prefix):
            if path.startswith(base + "/"):
                if base not in self._real:
                    found = self._tree.stat(PurePosixPath(base or "/"))
                    self._real[base] = str(found.path).rstrip("/") if found else base
                return self._real[base] + path[len(base) :]
        return path

    def _legacy_target(self, path: str) -> str | None:
        """As :meth:`Layout.target`, with a ``.dist-info`` in the place of what setuptools wrote."""
        info = str(self._info)
        if path == info:
            return None
        if not path.startswith(info + "/"):
            return self._layout.target(path)
        name = path[len(info) + 1 :]
        if name.startswith("scripts/"):
            return f"{self._stem}.data/{name}"
        return None if name in LEFT_OUT else self._layout.metadata(name)

    def _keeps_direct_url(self) -> bool:
        data = self._read(DIRECT_URL)
        try:
            parse_direct_url(data)
            text = data.decode("utf-8")
        except (DirectUrlError, UnicodeDecodeError):
            self._notes.add(f"{DIRECT_URL}: not understood: left out")
            return False
        if without_credentials(text) != text:
            self._notes.add(f"{DIRECT_URL}: holds credentials: left out")
            return False
        return True

    def zipped(self, archive: PurePosixPath) -> Files:
        """What a zipped egg holds."""
        try:
            data = self._tree.read(archive)
        except FileReadError as error:
            raise RepackError(error.message) from error
        small: dict[str, int] = {"PKG-INFO": LIMIT, "requires.txt": LIMIT}
        inside = list(egg.members(data, str(archive)))
        sources = {name for name, _, _ in inside if name.endswith(".py")}
        for name, size, executable in inside:
            if is_bytecode(name) or (name.endswith((".pyc", ".pyo")) and name[:-1] in sources):
                continue
            target = self._egg_target(name)
            if target is None or target in self._files:
                continue
            if not is_safe(target):
                self._notes.add(f"{archive}/{name}: not a name that a wheel can have: left out")
                continue
            self._take(
                WheelFile(
                    path=archive,
                    target=target,
                    size=size,
                    executable=executable,
                    script=target.startswith(f"{self._stem}.data/scripts/"),
                    member=name,
                )
            )
        from envsync.catalog.egg import EggError, read_zipped_egg

        try:
            texts = read_zipped_egg(data, small)
        except EggError as error:
            raise RepackError(f"{archive}: {error.message}") from error
        return self.finish("top-level", texts)

    def _egg_target(self, name: str) -> str | None:
        folder, _, rest = name.partition("/")
        if folder != "EGG-INFO":
            return None if self._layout.is_special(name) else name
        if rest.startswith("scripts/"):
            return f"{self._stem}.data/{rest}"
        return None if rest in LEFT_OUT else self._layout.metadata(rest)

    def finish(self, how: How, texts: dict[str, bytes] | None = None) -> Files:
        if how == "name":
            self._notes.add("nothing lists its files: only modules of its name are in the wheel, no scripts or data")
        made: dict[str, bytes] = {}
        metadata = f"{self._stem}.dist-info/METADATA"
        if self._legacy:
            self._files.pop(metadata, None)
            info = texts.get("PKG-INFO", b"") if texts is not None else self._read("PKG-INFO", lone=True)
            requires = texts.get("requires.txt", b"") if texts is not None else self._read("requires.txt")
            made["METADATA"] = metadata_of(info, requires, self._distribution)
            self._check_version("PKG-INFO", info)
        elif metadata not in self._files:
            raise RepackError(f"{self._info}: no METADATA")
        else:
            self._check_version("METADATA", self._read("METADATA"))
        wheel = self._files.pop(f"{self._stem}.dist-info/WHEEL", None)
        return Files(
            stem=self._stem,
            how=how,
            files=tuple(self._files[target] for target in sorted(self._files)),
            wheel=self._read("WHEEL") if wheel is not None else None,
            made=made,
            notes=self._notes.all(),
        )

    def _check_version(self, name: str, data: bytes) -> None:
        """Installers refuse a wheel whose name and ``METADATA`` differ, and with it all that they were to install."""
        found = parse_headers(data, ("version",)).get("version")
        expected = self._stem.rpartition("-")[2]
        if found and pep440(found[0].strip()) != pep440(expected):
            version = printable(found[0].strip()[:80])
            raise RepackError(f"{self._info / name}: version {version} (expected {expected}, as its folder's name)")

    def _read(self, name: str, *, lone: bool = False) -> bytes:
        """A small file of the metadata; empty where there is none."""
        path = self._info / name
        if lone and self._tree.stat(path) is None:
            path = self._info
        try:
            return self._tree.read(path, limit=LIMIT)
        except FileReadError:
            return b""


def _stem(distribution: Distribution, info: PurePosixPath) -> str:
    """``NAME-VERSION`` of the ``.dist-info`` where ``METADATA`` says the same, since installers compare them."""
    match = _STEM.fullmatch(info.stem) if info.suffix == ".dist-info" else None
    version = pep440(distribution.version)
    if (
        match
        and version
        and (normalized(match["name"]), pep440(match["version"]))
        == (
            normalized(distribution.name),
            version,
        )
    ):
        return info.stem
    if version is None or not is_distribution_name(distribution.name):
        raise RepackError(
            f"{distribution.name}: version {distribution.version} is none of PEP 440: no wheel can have it"
        )
    return f"{normalized(distribution.name).replace('-', '_')}-{version}"
