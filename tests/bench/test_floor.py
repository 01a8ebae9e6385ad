"""The floor reads all there is to read, or says that it could not."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import floor
from bench.floor import FloorError, read_archive, read_registry
from tests.imagekit.archive import ImageSpec, write_docker_archive
from tests.imagekit.layer import File, layer_bytes
from tests.imagekit.pushing import push
from tests.imagekit.registries import Registry, open_registry

LAYERS = [
    [File(path=f"a/{number}", data=b"x" * (number * 997)) for number in range(60)],
    [File(path="large", data=bytes(range(256)) * 5000)],
    [File(path="l" * 150)],  # whose name takes two more headers
]
IMAGE = ImageSpec(layers=LAYERS, tags=["a/b:1"])


def blocks() -> int:
    """Headers of all layers, with the empty ones that tar files end in."""
    total = 0
    for layer in LAYERS:
        data = layer_bytes(layer)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            content = sum(-(-member.size // 512) for member in tar)
            total += len(data) // 512 - content
    return total - 1  # the long name itself is content, too


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_docker_archive(tmp_path / "image.tar", IMAGE)
    return tmp_path / "image.tar"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path / "registry") as running:
        yield running


@pytest.mark.parametrize("layout", ["classic", "oci"])
def test_all_of_an_archive(tmp_path: Path, layout: str) -> None:
    archive = tmp_path / "image.tar"
    write_docker_archive(archive, IMAGE, layout="oci" if layout == "oci" else "classic")
    assert read_archive(str(archive)) == blocks()
    archive.write_bytes(archive.read_bytes().replace(bytes(range(256)), bytes(256), 1))
    with pytest.raises(FloorError, match=r"^sha256:[0-9a-f]{64} \(expected sha256:[0-9a-f]{64}\)$"):
        read_archive(str(archive))


@pytest.mark.registry
def test_all_of_an_image_in_a_registry(registry: Registry, archive: Path) -> None:
    push(archive, registry.address, "x", "1")
    assert read_registry(f"http://{registry.address}/v2/x/manifests/1") == blocks()


@pytest.mark.registry
def test_every_byte_in_a_registry_counts(registry: Registry, archive: Path) -> None:
    pushed = push(archive, registry.address, "spoilt", "1")
    layer = registry.blob(pushed.digest).read_text().rpartition("sha256:")[2][:64]
    spoilt = registry.blob(f"sha256:{layer}")
    data = bytearray(spoilt.read_bytes())
    data[4] ^= 1  # of the time in the gzip header, which inflating does not look at
    spoilt.write_bytes(data)
    with pytest.raises(FloorError, match=rf"^sha256:[0-9a-f]{{64}} \(expected sha256:{layer}\)$"):
        read_registry(f"http://{registry.address}/v2/spoilt/manifests/1")


@pytest.mark.registry
def test_only_what_it_can_read(registry: Registry, archive: Path) -> None:
    push(archive, registry.address, "several", "1", index=True, media_types="oci")
    with pytest.raises(FloorError, match=r"/several/manifests/1: status 404, no manifest of one image$"):
        read_registry(f"http://{registry.address}/v2/several/manifests/1")
    push(archive, registry.address, "zstd", "1", compression="zstd", media_types="oci")
    with pytest.raises(FloorError, match=r"/zstd/manifests/1: a layer of .*\.tar\+zstd \(expected gzip\)$"):
        read_registry(f"http://{registry.address}/v2/zstd/manifests/1")


def test_sizes_in_octal_and_in_binary() -> None:
    assert floor._size(b"00000000017\0") == 15
    assert floor._size(b"        17 \0") == 15
    assert floor._size(b"\0" * 12) == 0
    assert floor._size((0x80 << 88 | 1 << 40).to_bytes(12, "big")) == 1 << 40


def test_headers_that_begin_in_one_piece_and_end_in_the_next() -> None:
    data = layer_bytes(LAYERS[0])
    digest = hashlib.sha256(data).hexdigest()
    counts = {
        floor._walk((data[at : at + size] for at in range(0, len(data), size)), f"sha256:{digest}")
        for size in (1, 100, 512, 700, 5000, len(data))
    }
    assert len(counts) == 1
