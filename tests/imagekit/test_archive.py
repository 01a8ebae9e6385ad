"""Archives made without an engine: right by their own digests, and by what an engine makes of them."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imagekit import engine
from tests.imagekit.archive import ImageSpec, write_docker_archive, write_oci_archive, write_oci_layout
from tests.imagekit.layer import Compression, Entry, File, Folder, HardLink, Link, layer_bytes, opaque, tree, whiteout

TAG = "envsync-test/archive:1"
LAYERS: list[list[Entry]] = [
    [
        File(path="app/one", data=b"1"),
        HardLink(path="app/same", target="app/one"),
        File(path="app/two", data=b"2", mode=0o755, uid=1000),
        Link(path="current", target="app/two"),
        Folder(path="old", mode=0o700),
        File(path="old/gone", data=b"3"),
    ],
    [whiteout("app/one"), opaque("old"), File(path="old/new", data=b"4")],
]
IMAGE = ImageSpec(layers=LAYERS, tags=[TAG], env={"PATH": "/bin", "A": "b=c"}, user="1000", workdir="/app")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: stream.read() for member in tar if (stream := tar.extractfile(member)) is not None}


def test_a_layer_is_the_same_each_time() -> None:
    assert layer_bytes(LAYERS[0]) == layer_bytes(LAYERS[0])
    assert layer_bytes(LAYERS[0], "gzip") == layer_bytes(LAYERS[0], "gzip")


def test_a_layer_has_the_folders_above_its_entries() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer_bytes([File(path="a/b/c"), File(path="a/d")]))) as tar:
        assert [(member.name, member.isdir()) for member in tar] == [
            ("a", True),
            ("a/b", True),
            ("a/b/c", False),
            ("a/d", False),
        ]


def test_tree_keeps_links_and_modes(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_bytes(b"#!")
    (tmp_path / "bin" / "tool").chmod(0o755)
    (tmp_path / "lib").symlink_to("bin")
    (tmp_path / "skipped").mkdir()
    (tmp_path / "skipped" / "file").touch()
    assert list(tree(tmp_path, "usr", leave_out=lambda path: path.name == "skipped")) == [
        Link(path="usr/lib", target="bin"),
        File(path="usr/bin/tool", data=tmp_path / "bin" / "tool", mode=0o755),
    ]


@pytest.mark.parametrize("layout", ["classic", "oci"])
def test_docker_archive_names_its_own_digests(tmp_path: Path, layout: str) -> None:
    out = tmp_path / "image.tar"
    write_docker_archive(out, IMAGE, layout="oci" if layout == "oci" else "classic")
    members = _members(out)
    [entry] = json.loads(members["manifest.json"])
    config = json.loads(members[entry["Config"]])
    assert entry["RepoTags"] == [TAG]
    assert [_digest(members[path]) for path in entry["Layers"]] == config["rootfs"]["diff_ids"]
    assert config["config"]["Env"] == ["PATH=/bin", "A=b=c"]
    assert ("index.json" in members) == (layout == "oci")
    again = tmp_path / "again.tar"
    write_docker_archive(again, IMAGE, layout="oci" if layout == "oci" else "classic")
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_oci_layout_has_exactly_what_it_names(tmp_path: Path, compression: Compression) -> None:
    arm = ImageSpec(layers=LAYERS[:1], tags=["1"], architecture="arm64", variant="v8")
    write_oci_layout(tmp_path, ImageSpec(layers=LAYERS, tags=["1"]), arm, compression=compression)
    blobs = {f"sha256:{path.name}": path.read_bytes() for path in (tmp_path / "blobs" / "sha256").iterdir()}
    assert all(_digest(data) == digest for digest, data in blobs.items())
    [root] = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert root["annotations"] == {"org.opencontainers.image.ref.name": "1"}
    index = json.loads(blobs[root["digest"]])
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    assert set(_named(blobs, root)) == set(blobs)


def _named(blobs: dict[str, bytes], descriptor: dict[str, object]) -> Iterator[str]:
    digest = str(descriptor["digest"])
    assert len(blobs[digest]) == descriptor["size"]
    yield digest
    if str(descriptor["mediaType"]).endswith("+json") and "config" not in str(descriptor["mediaType"]):
        value = json.loads(blobs[digest])
        for part in [*value.get("manifests", ()), *value.get("layers", ()), *filter(None, [value.get("config")])]:
            yield from _named(blobs, part)


def test_oci_archive_is_a_tar_of_a_layout(tmp_path: Path) -> None:
    write_oci_archive(tmp_path / "image.tar", ImageSpec(layers=LAYERS, tags=["1"]))
    write_oci_layout(tmp_path / "layout", ImageSpec(layers=LAYERS, tags=["1"]))
    on_disk = {str(p.relative_to(tmp_path / "layout")): p.read_bytes() for p in (tmp_path / "layout").rglob("*.*")}
    assert on_disk.items() <= _members(tmp_path / "image.tar").items()


@pytest.mark.engine
@pytest.mark.parametrize("layout", ["classic", "oci"])
def test_an_engine_takes_the_archive(tmp_path: Path, layout: str) -> None:
    tag = f"envsync-test/archive-{layout}:{secrets.token_hex(4)}"
    image = ImageSpec(layers=LAYERS, tags=[tag], env=IMAGE.env, user="1000", workdir="/app")
    write_docker_archive(tmp_path / "image.tar", image, layout="oci" if layout == "oci" else "classic")
    engine.docker("load", "--input", tmp_path / "image.tar")
    container = engine.docker("create", tag, "none").strip()
    try:
        engine.docker("export", "--output", tmp_path / "files.tar", container)
        with tarfile.open(tmp_path / "files.tar") as tar:
            files = {member.name: member for member in tar}
        assert {"app/same", "app/two", "current", "old/new"} <= files.keys()
        assert not {"app/one", "old/gone"} & files.keys()
        assert (files["app/two"].uid, files["app/two"].mode & 0o7777) == (1000, 0o755)
    finally:
        engine.docker("rm", container)
        engine.docker("rmi", tag)
