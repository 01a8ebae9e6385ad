"""Archives of ``docker save`` and of OCI layouts: what is in them, which image is meant, and every kind of damage."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from envsync.errors import CorruptImageError, ImageError
from envsync.image.archive import open_archive, open_saved
from envsync.image.protocol import Image
from envsync.model import EnvironmentVariable
from envsync.reference import ArchiveFile, Platform
from tests.image.layers import (
    COMPRESS,
    Folder,
    Item,
    Link,
    MadeImage,
    as_json,
    docker_new,
    docker_old,
    layout,
    sha,
    tar_layer,
    write_archive,
)

ONE = tar_layer({"etc/": Folder(), "etc/os-release": b"ID=test\n"})
TWO = tar_layer({"usr/": Folder(), "usr/file": b"two"})


@contextmanager
def opened(
    path: Path,
    form: Literal["docker-archive", "oci-archive"] = "docker-archive",
    name: str | None = None,
    platform: str | None = None,
) -> Iterator[Image]:
    asked = Platform.parse(platform) if platform else None
    image = open_archive(ArchiveFile(format=form, path=path, name=name), asked)
    try:
        yield image
    finally:
        image.close()


def failure(path: Path, *args: str | None, kind: type[ImageError] = ImageError) -> ImageError:
    with pytest.raises(ImageError) as caught, opened(path, *args):  # type: ignore[arg-type]
        pass
    assert type(caught.value) is kind
    return caught.value


def blobs(image: Image) -> list[bytes]:
    found = []
    for layer in image.layers:
        with layer.open() as chunks:
            found.append(b"".join(map(bytes, chunks)))
    return found


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["old", "new", "oci"])
def test_all_forms_hold_the_same(form: str, compression: str, tmp_path: Path) -> None:
    process = {"User": "digdag", "WorkingDir": "/work", "Env": ["PATH=/usr/bin", "LANG=C.UTF-8"]}
    made = MadeImage(layers=[ONE, TWO], compression=compression, process=process)
    members: dict[str, Mapping[str, Item]] = {
        "old": docker_old((made, ["digdag/digdag-python:3.7"])),
        "new": docker_new((made, ["digdag/digdag-python:3.7"])),
        "oci": layout((made, "digdag/digdag-python:3.7")),
    }
    path = write_archive(tmp_path / "a.tar", members[form])
    with opened(path, "oci-archive" if form == "oci" else "docker-archive") as image:
        assert image.name == "digdag/digdag-python:3.7"
        assert image.digest == (sha(made.manifest) if form == "oci" else None)
        assert image.config.digest == sha(made.config)
        assert image.config.platform == Platform(os="linux", architecture="amd64")
        assert image.config.created == "2024-05-06T07:08:09.123456789Z"
        assert (image.config.config.user, image.config.config.workdir) == ("digdag", "/work")
        assert image.config.config.env == (
            EnvironmentVariable(name="LANG", value="C.UTF-8"),
            EnvironmentVariable(name="PATH", value="/usr/bin"),
        )
        assert image.config.diff_ids == (sha(ONE), sha(TWO))
        assert [layer.diff_id for layer in image.layers] == [sha(ONE), sha(TWO)]
        recorded = [None, None] if form == "old" else [sha(layer) for layer in made.stored_layers]
        assert [layer.digest for layer in image.layers] == recorded
        assert blobs(image) == made.stored_layers == blobs(image)


def test_the_new_form_of_docker_is_an_oci_layout_too(tmp_path: Path) -> None:
    made = MadeImage(layers=[ONE])
    path = write_archive(tmp_path / "a.tar", docker_new((made, ["team/app:1.2"])))
    with opened(path, "oci-archive", "1.2") as image:
        assert (image.name, image.digest) == ("team/app:1.2", sha(made.manifest))
    with opened(path, "oci-archive", "team/app:1.2") as image:
        assert image.name == "team/app:1.2"


def test_layers_that_docker_saved_as_links(tmp_path: Path) -> None:
    first, second = MadeImage(layers=[ONE, TWO]), MadeImage(layers=[ONE, TWO, ONE], architecture="arm64")
    members = docker_old((first, ["a:1"]), (second, ["b:1"]))
    assert any(isinstance(member, Link) for member in members.values())
    with opened(write_archive(tmp_path / "a.tar", members), name="b:1") as image:
        assert blobs(image) == [ONE, TWO, ONE]


def test_links_that_lead_nowhere_or_round_are_missing_layers(tmp_path: Path) -> None:
    for target in ("../elsewhere/layer.tar", "layer.tar", "../../../../etc/passwd"):
        members = docker_old((MadeImage(layers=[ONE]), None))
        layer = next(name for name in members if name.endswith("/layer.tar"))
        members[layer] = Link(target)
        path = write_archive(tmp_path / "a.tar", members)
        error = failure(path, kind=CorruptImageError)
        assert error.message == f"{path}: layer 1 of 1: {layer} is missing"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_archive_itself_may_be_compressed(compression: str, tmp_path: Path) -> None:
    made = MadeImage(layers=[ONE, TWO])
    path = tmp_path / "a.tar.compressed"
    path.write_bytes(COMPRESS[compression](tar_layer(docker_old((made, None)))))
    with opened(path) as image:
        assert blobs(image) == [ONE, TWO]
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_that_an_engine_gave(tmp_path: Path) -> None:
    made = MadeImage(layers=[ONE])
    path = write_archive(tmp_path / "a.tar", docker_old((made, None)))
    with path.open("rb") as stream:
        image = open_saved(stream)
        assert (image.name, image.digest) == (None, None)
        assert blobs(image) == [ONE]


def test_one_of_several_images_by_name(tmp_path: Path) -> None:
    first, second = MadeImage(layers=[ONE]), MadeImage(layers=[TWO])
    unnamed = MadeImage(layers=[ONE, TWO])
    tags = ["team/app:1", "docker.io/library/app:latest"]
    path = write_archive(tmp_path / "a.tar", docker_old((first, tags), (second, ["team/other:2"]), (unnamed, None)))
    for name, shown, expected in (
        ("team/app:1", "team/app:1", first),
        ("docker.io/team/app:1", "team/app:1", first),
        ("app", "app:latest", first),
        ("team/other:2", "team/other:2", second),
        (sha(unnamed.config), None, unnamed),
        (sha(unnamed.config)[7:19], None, unnamed),
    ):
        with opened(path, name=name) as image:
            assert (image.name, image.config.digest) == (shown, sha(expected.config))
    at_hand = f"(at hand: team/app:1, docker.io/library/app:latest, team/other:2, {sha(unnamed.config)[7:19]})"
    error = failure(path)
    assert error.message == f"{path}: holds several images {at_hand}"
    assert error.hint == "Name one of these after a colon."
    error = failure(path, "docker-archive", "team/app:2")
    assert error.message == f"{path}: no image named 'team/app:2' {at_hand}"


def test_one_image_for_several_platforms(tmp_path: Path) -> None:
    intel, arm = MadeImage(layers=[ONE]), MadeImage(layers=[ONE], architecture="arm64", variant="v8")
    path = write_archive(tmp_path / "a.tar", docker_new((intel, ["a:1"]), (arm, ["a:1"])))
    with opened(path, platform="linux/arm64") as image:
        assert image.config.platform == Platform(os="linux", architecture="arm64", variant="v8")
    error = failure(path, "docker-archive", None, "linux/s390x")
    assert error.message == f"{path}: no image for linux/s390x (at hand: linux/amd64, linux/arm64/v8)"


def test_another_platform_than_the_only_one(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar", docker_old((MadeImage(layers=[ONE]), None)))
    error = failure(path, "docker-archive", None, "linux/arm64")
    assert error.message == f"{path}: an image for linux/amd64 (expected linux/arm64)"
    assert error.hint == "Leave out --platform, or use linux/amd64."


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", "b")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"", "an empty file"),
        (zipped(), "a zip file"),
        (b"\x7fELF\x02\x01\x01" + bytes(600), "an ELF program"),
        (b"<!DOCTYPE html><title>404</title>", "HTML or XML, such as the error page of a failed download"),
        (b'{"schemaVersion": 2}', "JSON"),
        (b"Error response from daemon: no such image\n" * 20, "text"),
        (b"#!/bin/sh\n", "a script"),
        (bytes(700), "a file of zeros"),
        (bytes(range(128, 256)) * 8, "unknown binary data"),
        (b"hsqs" + bytes(600), "a SquashFS image"),
    ],
)
def test_not_an_archive(data: bytes, looks: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    expected = f"{path}: not an image archive: it looks like {looks}"
    assert failure(path).message == f"{expected} (expected a tar made by docker save, podman save, skopeo or buildx)"


def test_not_an_archive_inside_a_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"some text"))
    assert failure(path).message.startswith(f"{path}: not an image archive: it looks like text")


@pytest.mark.parametrize(
    ("magic", "name"), [(b"BZh91AY&SY", "bzip2"), (b"\xfd7zXZ\0\0\4", "xz"), (b"\x04\x22\x4d\x18dd", "lz4")]
)
def test_unknown_compression_of_the_archive(magic: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(magic + bytes(100))
    assert failure(path).message == f"{path}: compressed with {name} (expected gzip, zstd or none)"


def test_damaged_compression_of_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    whole = gzip.compress(tar_layer(docker_old((MadeImage(layers=[ONE]), None))))
    path.write_bytes(whole[:-20])
    assert failure(path, kind=CorruptImageError).message == f"{path}: truncated: the gzip data ends too early"
    path.write_bytes(whole[:-8] + b"\0\0\0\0" + whole[-4:])
    assert failure(path, kind=CorruptImageError).message.startswith(f"{path}: damaged gzip data: ")


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "absent.tar"
    assert failure(path).message == f"{path}: cannot be opened: No such file or directory"


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    error = failure(tmp_path)
    assert (error.message, error.hint) == (f"{tmp_path}: a folder (expected a file)", f"For a layout: oci:{tmp_path}")


def test_no_regular_file() -> None:
    error = failure(Path("/dev/null"))
    assert error.message == "/dev/null: not a regular file"
    assert error.hint == "Save the image to a file first."


def test_truncated_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    whole = tar_layer(docker_old((MadeImage(layers=[ONE, TWO]), None)))
    path.write_bytes(whole[: 512 * 6 + 100])
    error = failure(path, kind=CorruptImageError)
    assert error.message == f"{path}: truncated: the tar archive ends 9116 bytes too early"
    assert error.hint == "Save or copy the image again."
    path.write_bytes(whole[: 512 * 3])
    error = failure(path, kind=CorruptImageError)
    assert error.message == f"{path}: truncated: no manifest.json, and no mark of the archive's end"


def test_garbage_within_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    whole = bytearray(tar_layer(docker_old((MadeImage(layers=[ONE]), None))))
    whole[512] ^= 1
    path.write_bytes(whole)
    message = f"{path}: malformed tar archive: at byte 512: its checksum does not fit"
    assert failure(path, kind=CorruptImageError).message == message


def test_archives_of_another_form(tmp_path: Path) -> None:
    made = MadeImage(layers=[ONE])
    path = write_archive(tmp_path / "oci.tar", layout((made, None)))
    error = failure(path)
    assert error.message == f"{path}: no manifest.json (expected what docker save writes)"
    assert error.hint == f"It is an OCI layout: use oci-archive:{path}"
    path = write_archive(tmp_path / "docker.tar", docker_old((made, None)))
    error = failure(path, "oci-archive")
    assert error.message == f"{path}: no index.json (expected an OCI image layout)"
    assert error.hint == f"It was made by docker save: use docker-archive:{path}"
    path = write_archive(tmp_path / "exported.tar", {"etc/": Folder(), "etc/passwd": b"root"})
    assert failure(path).hint == "It looks like a file system, as docker export writes it: use docker save instead."
    path = write_archive(tmp_path / "ancient.tar", {"repositories": b"{}"})
    assert failure(path).hint is not None
    assert "older than 1.10" in str(failure(path).hint)


def test_a_config_with_another_digest(tmp_path: Path) -> None:
    made = MadeImage(layers=[ONE])
    members = docker_old((made, None))
    name = sha(made.config)[7:] + ".json"
    members[name] = made.config + b" "
    path = write_archive(tmp_path / "a.tar", members)
    error = failure(path, kind=CorruptImageError)
    actual, expected = sha(made.config + b" "), sha(made.config)
    assert error.message == f"{path}: config {name}: its bytes have the digest {actual} (expected {expected})"
    assert error.hint == "The image is damaged, or was changed after it was made. Save or copy it again."
    del members[name]
    path = write_archive(tmp_path / "a.tar", members)
    assert failure(path, kind=CorruptImageError).message == f"{path}: config {name}: missing"


def test_other_numbers_of_layers_and_diff_ids(tmp_path: Path) -> None:
    members = docker_old((MadeImage(layers=[ONE], config_changes={"rootfs": {"diff_ids": []}}), None))
    path = write_archive(tmp_path / "a.tar", members)
    message = f"{path}: 1 layers, but its config has 0 diff IDs"
    assert failure(path, kind=CorruptImageError).message == message


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (b"[]", "{path}: holds no image"),
        (b"{}", "{path}: manifest.json: Expected `array`, got `object`"),
        (b'[{"Config": 5}]', "{path}: manifest.json: Expected `str`, got `int` - at `$[0].Config`"),
        (b"[", "{path}: manifest.json: Input data was truncated"),
        (as_json([{"Config": "../etc/passwd", "Layers": []}]), "{path}: config ../etc/passwd: missing"),
    ],
)
def test_a_damaged_docker_manifest(manifest: bytes, problem: str, tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar", {"manifest.json": manifest})
    with pytest.raises(ImageError) as caught, opened(path):
        pass
    assert caught.value.message == problem.format(path=path)


def test_a_file_that_changes_under_the_reader(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar", docker_old((MadeImage(layers=[ONE]), None)))
    with opened(path) as image:
        with path.open("r+b") as stream:
            stream.truncate(1024)
        with pytest.raises(CorruptImageError) as caught:
            blobs(image)
    assert caught.value.message.startswith(f"{path}: ended ")
    assert caught.value.hint == "It changed while it was read: try again once nothing writes to it."
