"""Layers: what they hold, and writing them as a tar that depends on nothing but their content."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import zstandard

Compression = Literal["none", "gzip", "zstd"]

CREATED = "2024-01-01T00:00:00Z"
_MTIME = 1704067200  # the same moment, in seconds since 1970
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A regular file; ``path`` is relative to the root, ``data`` its bytes or a file on this machine."""

    path: str
    data: bytes | Path = b""
    mode: int = 0o644
    uid: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    path: str
    mode: int = 0o755
    uid: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A symbolic link; ``target`` is stored as it stands."""

    path: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HardLink:
    """``target`` is the path of another file of the image, relative to the root."""

    path: str
    target: str


Entry = File | Folder | Link | HardLink


def whiteout(path: str) -> File:
    """The entry that removes what lower layers have at ``path``."""
    place = PurePosixPath(path)
    return File(path=str(place.with_name(f".wh.{place.name}")))


def opaque(path: str) -> File:
    """The entry that hides everything lower layers have in the folder ``path``."""
    return File(path=f"{path}/.wh..wh..opq")


def tree(source: Path, into: str, *, leave_out: Callable[[PurePosixPath], bool] = lambda _: False) -> Iterator[Entry]:
    """Everything under a folder of this machine, sorted; ``leave_out`` gets paths relative to ``source``."""
    for here, folders, files in os.walk(source):
        inside = PurePosixPath(Path(here).relative_to(source).as_posix())
        links = [name for name in folders if Path(here, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in links and not leave_out(inside / name))
        for name in sorted(files + links):
            if not leave_out(inside / name):
                yield _entry(Path(here, name), str(PurePosixPath(into) / inside / name))


def _entry(source: Path, path: str) -> Entry:
    if source.is_symlink():
        return Link(path=path, target=str(source.readlink()))
    return File(path=path, data=source, mode=stat.S_IMODE(source.stat().st_mode))


def write_layer(out: IO[bytes], entries: Iterable[Entry]) -> None:
    """An uncompressed layer tar; folders that no entry names are added, as an engine does."""
    seen: set[str] = set()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            for parent in reversed(PurePosixPath(entry.path).parents):
                if str(parent) != "." and str(parent) not in seen:
                    seen.add(str(parent))
                    tar.addfile(_header(Folder(path=str(parent))))
            seen.add(entry.path)
            _add(tar, entry)


def layer_bytes(entries: Iterable[Entry], compression: Compression = "none") -> bytes:
    """A layer in memory, for tests that spoil it."""
    plain = io.BytesIO()
    write_layer(plain, entries)
    packed = io.BytesIO()
    compress(io.BytesIO(plain.getvalue()), packed, compression)
    return packed.getvalue()


def compress(source: IO[bytes], out: IO[bytes], compression: Compression) -> None:
    """Copy a stream, compressed; the same bytes every time."""
    match compression:
        case "none":
            shutil.copyfileobj(source, out, CHUNK)
        case "gzip":
            with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=1, mtime=0) as stream:
                shutil.copyfileobj(source, stream, CHUNK)
        case "zstd":
            zstandard.ZstdCompressor(level=1).copy_stream(source, out)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    header = _header(entry)
    if not isinstance(entry, File):
        tar.addfile(header)
    elif isinstance(entry.data, bytes):
        header.size = len(entry.data)
        tar.addfile(header, io.BytesIO(entry.data))
    else:
        with entry.data.open("rb") as stream:
            header.size = os.fstat(stream.fileno()).st_size
            tar.addfile(header, stream)


def _header(entry: Entry) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.path)
    header.mtime = _MTIME
    match entry:
        case File(mode=mode, uid=uid):
            header.mode, header.uid, header.gid = mode, uid, uid
        case Folder(mode=mode, uid=uid):
            header.type, header.mode, header.uid, header.gid = tarfile.DIRTYPE, mode, uid, uid
        case Link(target=target):
            header.type, header.mode, header.linkname = tarfile.SYMTYPE, 0o777, target
        case HardLink(target=target):
            header.type, header.linkname = tarfile.LNKTYPE, target
    return header
