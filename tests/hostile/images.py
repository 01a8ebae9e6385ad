"""Images that nobody means well with: headers written by hand, bombs that are small until they are unpacked.

Layers are made in pieces, so that gigabytes of zeros cost neither this process's memory nor its time.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.image.layers import as_json, sha, tar_layer

TAG = "acme/job:1"
SITE = "usr/lib/python3.11/site-packages"
END = bytes(1024)
"""Two zero blocks end an archive."""

_CHUNK = 1 << 24


@dataclass(frozen=True)
class Zeros:
    """So many zero bytes, never in memory at once."""

    size: int


Part = bytes | Zeros


@dataclass(frozen=True)
class Case:
    """An image, and what ``envsync pull`` makes of it."""

    name: str
    make: Callable[[Path], None]
    """Writes the archive."""
    status: int
    said: tuple[str, ...] = ()
    """Parts of what is said on stderr."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Place and reason of each ``Skipped`` record, in the order of places; of long reasons the beginning."""
    more: bool = False
    """Whether there are more of them than these."""
    found: tuple[str, ...] | None = None
    """The distributions, ``name==version``; ``None``: that does not matter."""
    form: str = "docker-archive"


@dataclass(frozen=True)
class Layer:
    """A layer as stored, and the digest of its tar."""

    stored: bytes
    diff_id: str


# --- tar ---------------------------------------------------------------------------------------------


def header(
    name: str | bytes, kind: bytes = b"0", *, size: int | bytes = 0, link: bytes = b"", mode: int = 0o644
) -> bytes:
    """A header with a right checksum and anything else in it; ``size`` may be the raw bytes of its field."""
    block = bytearray(512)
    for offset, data in (
        (0, name.encode() if isinstance(name, str) else name),
        (100, b"%07o\0" % mode),
        (124, b"%011o\0" % size if isinstance(size, int) else size),
        (148, b" " * 8),
        (156, kind),
        (157, link),
        (257, b"ustar\x0000"),
    ):
        block[offset : offset + len(data)] = data
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def file(name: str | bytes, data: bytes = b"", *, mode: int = 0o644) -> bytes:
    """A regular file."""
    return header(name, size=len(data), mode=mode) + _padded(data)


def symlink(name: str | bytes, target: str | bytes) -> bytes:
    return header(name, b"2", link=target.encode() if isinstance(target, str) else target)


def hardlink(name: str | bytes, target: str) -> bytes:
    return header(name, b"1", link=target.encode())


def pax(kind: bytes = b"x", **records: bytes) -> bytes:
    """An extended header; ``__`` in a keyword stands for a dot."""
    data = b"".join(_record(keyword.replace("__", ".").encode(), value) for keyword, value in records.items())
    return header("pax", kind, size=len(data)) + _padded(data)


def gnu_long(kind: bytes, text: bytes) -> bytes:
    """The ``L`` (name) or ``K`` (link) entry that GNU tar puts before one."""
    return header("././@LongLink", kind, size=len(text) + 1) + _padded(text + b"\0")


def _record(keyword: bytes, value: bytes) -> bytes:
    length = len(keyword) + len(value) + 3
    while len(b"%d" % length) + len(keyword) + len(value) + 3 != length:
        length += 1
    return b"%d %s=%s\n" % (length, keyword, value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


# --- what makes it an image with Python --------------------------------------------------------------

PROGRAM = b"\x7fELF\0\0\0\x003.11.7\0"
"""All that the catalogs look for in an executable."""


def python(prefix: str = "usr", name: str = "python3.11") -> bytes:
    """An interpreter that is never run."""
    return file(f"{prefix}/bin/{name}", PROGRAM, mode=0o755) + file(f"{prefix}/lib/python3.11/os.py")


SYSTEM = python() + file("etc/os-release", b'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n')


def distribution(
    name: str = "six", version: str = "1.0", metadata: bytes = b"", *, site: str = SITE, **files: bytes
) -> bytes:
    """The files of one distribution; ``__`` in a file's name stands for a dot."""
    info = f"{site}/{name}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    found = file(f"{info}/METADATA", head + metadata)
    return found + b"".join(file(f"{info}/{path.replace('__', '.')}", data) for path, data in files.items())


# --- layers ------------------------------------------------------------------------------------------


def plain(*parts: bytes) -> Layer:
    """A layer that is stored as it is."""
    data = b"".join(parts)
    return Layer(data, sha(data))


def whole(*parts: bytes) -> Layer:
    """A layer of a small image that is right but for ``parts``."""
    return plain(SYSTEM, *parts, END)


def gzipped(*parts: Part) -> Layer:
    """A layer of gzip members, one a part."""
    return packed(parts)


def packed(parts: Iterable[Part]) -> Layer:
    """See :func:`gzipped`; for more parts than fit into memory."""
    digest, stored = hashlib.sha256(), bytearray()
    for part in parts:
        match part:
            case bytes():
                digest.update(part)
                stored += gzip_member([part])
            case Zeros(size=size):
                for length in _lengths(size):
                    digest.update(_zeros(length))
                    stored += _zero_member(length)
    return Layer(bytes(stored), f"sha256:{digest.hexdigest()}")


def gzip_member(chunks: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([packer.compress(chunk) for chunk in chunks] + [packer.flush()])


def _lengths(size: int) -> Iterator[int]:
    yield from [_CHUNK] * (size // _CHUNK)
    if size % _CHUNK:
        yield size % _CHUNK


@cache
def _zeros(size: int) -> bytes:
    return bytes(size)


@cache
def _zero_member(size: int) -> bytes:
    return gzip_member([_zeros(size)])


# --- archives ----------------------------------------------------------------------------------------


def config_of(*layers: Layer, **more: object) -> bytes:
    """The config of these layers."""
    ids = [layer.diff_id for layer in layers]
    return as_json({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ids}, **more})


def save(out: Path, *layers: Layer, config: bytes | None = None, manifest: bytes | None = None) -> None:
    """Write what ``docker save`` would, with another config or manifest where one is given."""
    config = config_of(*layers) if config is None else config
    files = {f"{number}/layer.tar": layer.stored for number, layer in enumerate(layers)}
    entry = {"Config": "config.json", "RepoTags": [TAG], "Layers": list(files)}
    with out.open("wb") as stream:
        stream.write(file("config.json", config))
        stream.write(file("manifest.json", as_json([entry]) if manifest is None else manifest))
        for name, data in files.items():
            stream.write(header(name, size=len(data)))
            stream.write(data)
            stream.write(bytes(-len(data) % 512))
        stream.write(END)


def saved(*parts: bytes, **config: object) -> Callable[[Path], None]:
    """Writes a small image that is right but for ``parts`` of its layer, or for its config."""

    def make(out: Path) -> None:
        layer = whole(*parts)
        save(out, layer, config=config_of(layer, **config))

    return make


def save_layout(out: Path, *, index: bytes) -> None:
    """Write an OCI archive that has nothing but an index."""
    out.write_bytes(tar_layer({"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index}))
