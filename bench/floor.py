"""``python -m bench.floor URL|ARCHIVE``: only what no reader of an image can leave out, as a measure of all else.

Every layer is received, its digest and its diff ID are verified, it is decompressed and its tar headers are walked,
in two threads; nothing is kept. ``URL`` is that of a manifest in a registry that speaks plain HTTP and asks for no
login (``http://127.0.0.1:5000/v2/NAME/manifests/TAG``), ``ARCHIVE`` what ``docker save`` wrote.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import urllib3
from isal import isal_zlib

CHUNK = 1 << 18
THREADS = 2
BLOCK = 512
_ACCEPTED = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


class FloorError(Exception):
    """The image is damaged, or none that this program reads."""


def read_registry(url: str) -> int:
    """Read an image from a registry; how many tar headers it has."""
    place = urllib3.util.parse_url(url)
    repository = url.rpartition("/manifests/")[0]
    pool = urllib3.HTTPConnectionPool(str(place.host), place.port, maxsize=THREADS, retries=False)
    answer = pool.request("GET", url, headers={"Accept": _ACCEPTED})
    manifest = answer.json()
    if answer.status != 200 or "layers" not in manifest:
        raise FloorError(f"{url}: status {answer.status}, no manifest of one image")
    config = pool.request("GET", f"{repository}/blobs/{manifest['config']['digest']}").json()

    def read(layer: dict[str, Any], diff_id: str) -> int:
        if not layer["mediaType"].endswith("gzip"):
            raise FloorError(f"{url}: a layer of {layer['mediaType']} (expected gzip)")
        answer = pool.request(
            "GET", f"{repository}/blobs/{layer['digest']}", preload_content=False, decode_content=False
        )
        received = hashlib.sha256()
        count = _walk(_inflated(_received(answer, received)), diff_id)
        answer.release_conn()
        _verify(received.hexdigest(), layer["digest"])
        return count

    layers = zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    return _in_threads([(layer["size"], partial(read, layer, diff_id)) for layer, diff_id in layers])


def read_archive(path: str) -> int:
    """Read an archive whose layers are not compressed; how many tar headers they have."""
    with tarfile.open(path) as tar:
        [image] = json.load(_file(tar, "manifest.json"))
        config = json.load(_file(tar, image["Config"]))
        members = [tar.getmember(name) for name in image["Layers"]]
    layers = zip(members, config["rootfs"]["diff_ids"], strict=True)

    def read(member: tarfile.TarInfo, diff_id: str) -> int:
        return _walk(_part(path, member.offset_data, member.size), diff_id)

    return _in_threads([(member.size, partial(read, member, diff_id)) for member, diff_id in layers])


def _in_threads(jobs: Sequence[tuple[int, Callable[[], int]]]) -> int:
    """Run jobs, the largest first."""
    with ThreadPoolExecutor(THREADS) as threads:
        largest_first = sorted(jobs, key=lambda job: -job[0])
        return sum(threads.map(lambda job: job[1](), largest_first))


def _received(answer: Any, hasher: Any) -> Iterator[bytes]:
    while data := answer.read(CHUNK):
        hasher.update(data)
        yield data


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = isal_zlib.decompressobj(wbits=31)
    for chunk in chunks:
        yield stream.decompress(chunk)


def _part(path: str, start: int, size: int) -> Iterator[memoryview]:
    """Part of a file, in pieces that are valid until the next one is asked for."""
    buffer = memoryview(bytearray(CHUNK))
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - Path.open is the same, a call later
        stream.seek(start)
        while size and (count := stream.readinto(buffer[: min(size, CHUNK)])):
            size -= count
            yield buffer[:count]


def _walk(pieces: Iterable[bytes | memoryview], diff_id: str) -> int:
    """Verify a tar stream's digest and count its headers."""
    hasher = hashlib.sha256()
    count = 0
    skip = 0  # bytes until the next header
    head = b""  # of a header that began in the piece before
    for piece in pieces:
        hasher.update(piece)
        data: bytes | memoryview = piece
        if head:
            data = head + bytes(piece)
            head = b""
        while skip + BLOCK <= len(data):
            size = _size(bytes(data[skip + 124 : skip + 136]))
            count += 1
            skip += BLOCK + -(-size // BLOCK) * BLOCK
        if skip < len(data):
            head = bytes(data[skip:])
            skip = 0
        else:
            skip -= len(data)
    _verify(hasher.hexdigest(), diff_id)
    return count


def _size(field: bytes) -> int:
    if field[0] & 0x80:  # base-256, of files of 8 GiB and more
        return int.from_bytes(field, "big") & ~(0x80 << 88)
    return int(field.rstrip(b" \0") or b"0", 8)


def _verify(found: str, expected: str) -> None:
    if f"sha256:{found}" != expected:
        raise FloorError(f"sha256:{found} (expected {expected})")


def _file(tar: tarfile.TarFile, name: str) -> Any:
    stream = tar.extractfile(name)
    if stream is None:
        raise FloorError(f"{name}: no file")
    return stream


def main() -> int:
    [source] = sys.argv[1:]
    print(read_registry(source) if source.startswith("http://") else read_archive(source))
    return 0


if __name__ == "__main__":
    sys.exit(main())
