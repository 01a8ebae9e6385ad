"""OCI image layouts: tags, indexes with platforms, and what is refused."""

from __future__ import annotations

import platform as machine
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envsync.errors import CorruptImageError, ImageError
from envsync.image.layout import open_layout
from envsync.image.protocol import Image
from envsync.image.selection import choose_platform, default_platforms
from envsync.reference import LayoutFolder, Platform
from tests.image.layers import (
    DOCKER_LIST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    MadeImage,
    as_json,
    blob_path,
    descriptor,
    index,
    layout,
    sha,
    tar_layer,
    write_folder,
)

ONE = tar_layer({"file": b"one"})
TWO = tar_layer({"file": b"two"})
INTEL = MadeImage(layers=[ONE])
ARM = MadeImage(layers=[TWO], architecture="arm64", variant="v8")


def opened(path: Path, tag: str | None = None, platform: str | None = None) -> Image:
    """An image that was closed again: all but its layers' bytes is known."""
    image = open_layout(LayoutFolder(path=path, tag=tag), Platform.parse(platform) if platform else None)
    image.close()
    return image


def failure(path: Path, tag: str | None = None, platform: str | None = None) -> ImageError:
    with pytest.raises(ImageError) as caught:
        opened(path, tag, platform)
    return caught.value


def indexed(path: Path, *manifests: Mapping[str, Any], media_type: str = OCI_INDEX, tag: str = "1") -> Path:
    """A layout of one image index, tagged, beside the blobs of both images."""
    inner = index(*map(dict, manifests), media_type=media_type)
    top = index(descriptor(inner, media_type, annotations={"org.opencontainers.image.ref.name": tag}))
    files = layout((INTEL, None), (ARM, None), top=top)
    return write_folder(path, {**files, blob_path(inner): inner})


@pytest.mark.parametrize("oci", [True, False])
def test_an_image_of_either_kind_of_media_types(oci: bool, tmp_path: Path) -> None:
    made = MadeImage(layers=[ONE, TWO], oci=oci)
    image = open_layout(LayoutFolder(path=write_folder(tmp_path, layout((made, "3.7")))), None)
    assert (image.name, image.digest) == (None, sha(made.manifest))
    for layer, expected in zip(image.layers, (ONE, TWO), strict=True):
        with layer.open() as chunks:
            assert b"".join(map(bytes, chunks)) == expected
    image.close()
    image.close()


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("3.7", None),
        ("digdag/digdag-python:3.7", "digdag/digdag-python:3.7"),
        ("docker.io/library/python:3.12", "python:3.12"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("Not A Name", None),
    ],
)
def test_the_name_is_the_tag_where_that_is_a_full_name(ref: str, name: str | None, tmp_path: Path) -> None:
    assert opened(write_folder(tmp_path, layout((INTEL, ref))), ref).name == name


def test_one_of_several_tags(tmp_path: Path) -> None:
    path = write_folder(tmp_path, layout((INTEL, "1"), (ARM, "team/app:2")))
    assert opened(path, "1").digest == sha(INTEL.manifest)
    assert opened(path, "docker.io/team/app:2").digest == sha(ARM.manifest)
    error = failure(path, "3")
    assert error.message == f"{path}: no image tagged '3' (at hand: 1, team/app:2)"
    assert error.hint == "Name one of these after a colon."
    assert failure(path).message == f"{path}: holds several images (at hand: 1, team/app:2)"


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_has_an_image_for_each_platform(media_type: str, tmp_path: Path) -> None:
    path = indexed(tmp_path, INTEL.descriptor(), ARM.descriptor(), media_type=media_type)
    assert opened(path, "1", "linux/arm64").digest == sha(ARM.manifest)
    assert opened(path, "1", "linux/arm64/v8").digest == sha(ARM.manifest)
    assert opened(path, None, "linux/amd64").digest == sha(INTEL.manifest)
    here = {"x86_64": INTEL, "aarch64": ARM, "arm64": ARM}.get(machine.machine(), INTEL)
    assert opened(path).digest == sha(here.manifest)
    error = failure(path, None, "linux/ppc64le")
    assert error.message == f"{path}: no image for linux/ppc64le (at hand: linux/amd64, linux/arm64/v8)"
    assert error.hint == "Choose one of these with --platform."


def test_platforms_side_by_side_under_one_tag(tmp_path: Path) -> None:
    path = write_folder(tmp_path, layout((INTEL, "1"), (ARM, "1")))
    assert opened(path, "1", "linux/arm64").digest == sha(ARM.manifest)


def test_platforms_that_only_the_configs_tell(tmp_path: Path) -> None:
    path = indexed(tmp_path, INTEL.descriptor(platform=None), ARM.descriptor(platform=None))
    assert opened(path, None, "linux/arm64").digest == sha(ARM.manifest)


def test_attestations_are_no_images(tmp_path: Path) -> None:
    unknown = {"os": "unknown", "architecture": "unknown"}
    annotated = {"vnd.docker.reference.type": "attestation-manifest"}
    path = indexed(
        tmp_path,
        ARM.descriptor(platform=unknown),
        ARM.descriptor(platform=None, annotations=annotated),
        INTEL.descriptor(),
    )
    assert opened(path).digest == sha(INTEL.manifest)


def test_indexes_in_indexes(tmp_path: Path) -> None:
    inner = index(INTEL.descriptor(), ARM.descriptor())
    outer = index(descriptor(inner, OCI_INDEX))
    files = layout((INTEL, None), (ARM, None), top=index(descriptor(outer, OCI_INDEX)))
    path = write_folder(tmp_path, {**files, blob_path(inner): inner, blob_path(outer): outer})
    assert opened(path, None, "linux/arm64").digest == sha(ARM.manifest)


def test_endless_indexes(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    last = index()
    for _ in range(12):
        files[blob_path(last)] = last
        last = index(descriptor(last, OCI_INDEX))
    files["index.json"] = last
    path = write_folder(tmp_path, files)
    assert failure(path).message == f"{path}: its indexes are nested too deeply, or too many"


def test_platforms_whose_manifest_was_not_saved_are_not_at_hand(tmp_path: Path) -> None:
    absent = MadeImage(layers=[ONE], architecture="s390x")
    path = indexed(tmp_path, absent.descriptor(), INTEL.descriptor(), ARM.descriptor())
    error = failure(path, None, "linux/s390x")
    assert error.message == f"{path}: no image for linux/s390x (at hand: linux/amd64, linux/arm64/v8)"


def test_the_only_platform_is_taken_unless_another_one_is_asked_for(tmp_path: Path) -> None:
    path = indexed(tmp_path, ARM.descriptor())
    assert opened(path).digest == sha(ARM.manifest)
    assert failure(path, None, "linux/amd64").message == f"{path}: an image for linux/arm64/v8 (expected linux/amd64)"


def test_no_platform_asked_for_and_none_that_fits() -> None:
    platforms = [(Platform.parse(text), text) for text in ("windows/amd64", "linux/s390x")]
    usual = (Platform.parse("linux/arm64"), Platform.parse("linux/amd64"))
    with pytest.raises(ImageError) as caught:
        choose_platform(platforms, None, where="a", defaults=usual)
    expected = "a: no image for linux/arm64 or linux/amd64 (at hand: windows/amd64, linux/s390x)"
    assert caught.value.message == expected
    more = [*platforms, (usual[1], "amd"), (Platform.parse("linux/arm64/v8"), "v8")]
    assert choose_platform(more, None, where="a", defaults=usual) == "v8"
    assert choose_platform(more[:-1], None, where="a", defaults=usual) == "amd"


def test_this_machine_comes_first() -> None:
    assert default_platforms()[-1] == Platform.parse("linux/amd64")


def test_no_layout(tmp_path: Path) -> None:
    assert failure(tmp_path).message == f"{tmp_path}: no index.json (expected an OCI image layout)"
    assert failure(tmp_path / "absent").message == f"{tmp_path / 'absent'}: no such folder"
    file = tmp_path / "file"
    file.write_bytes(b"")
    error = failure(file)
    assert error.message == f"{file}: a file (expected a folder)"
    assert error.hint == f"For a tar of a layout: oci-archive:{file}"


def test_a_layout_of_another_version(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {**layout((INTEL, None)), "oci-layout": b'{"imageLayoutVersion": "2.0.0"}'})
    assert failure(path).message == f"{path}: oci-layout: OCI layout version 2.0.0 (expected 1.0.0)"


def test_an_empty_layout(tmp_path: Path) -> None:
    assert failure(write_folder(tmp_path, layout())).message == f"{tmp_path}: holds no image"


def short(data: bytes) -> str:
    return sha(data)[:19]


def test_blobs_with_another_digest(tmp_path: Path) -> None:
    for number, (blob, what) in enumerate(((INTEL.manifest, "manifest"), (INTEL.config, "config"))):
        changed = blob.replace(b'"', b"'", 1)
        path = write_folder(tmp_path / str(number), {**layout((INTEL, None)), blob_path(blob): changed})
        error = failure(path)
        assert isinstance(error, CorruptImageError)
        digests = f"its bytes have the digest {sha(changed)} (expected {sha(blob)})"
        assert error.message == f"{path}: {what} {short(blob)}: {digests}"


def test_missing_blobs(tmp_path: Path) -> None:
    for number, (blob, message) in enumerate(
        (
            (INTEL.manifest, f"the manifest {sha(INTEL.manifest)} is missing"),
            (INTEL.config, f"the config {sha(INTEL.config)} is missing"),
            (ONE, f"layer 1 of 1: its blob {sha(ONE)} is missing"),
        )
    ):
        files = layout((INTEL, None))
        del files[blob_path(blob)]
        path = write_folder(tmp_path / str(number), files)
        error = failure(path)
        assert isinstance(error, CorruptImageError)
        assert error.message == f"{path}: {message}"


def test_blobs_of_another_size(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {**layout((INTEL, None)), blob_path(ONE): ONE[:-1]})
    expected = f"layer 1 of 1: truncated: {len(ONE) - 1} bytes (expected {len(ONE)}, {sha(ONE)})"
    assert failure(path).message == f"{path}: {expected}"


def manifest_layout(path: Path, manifest: object, media_type: str = OCI_MANIFEST, **blobs: bytes) -> str:
    """A layout of a hand-made manifest; returns what an error about it begins with."""
    data = as_json(manifest)
    files = {"index.json": index(descriptor(data, media_type)), blob_path(data): data}
    write_folder(path, {**layout((INTEL, None)), **files, **{blob_path(blob): blob for blob in blobs.values()}})
    return f"{path}: manifest {short(data)}: "


CONFIG = descriptor(INTEL.config, OCI_CONFIG)
LAYER = descriptor(ONE, OCI_LAYER)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (
            {"schemaVersion": 1, "fsLayers": [], "name": "a"},
            "a manifest of Docker's schema 1, which is out of use (expected schema 2 or OCI)",
        ),
        ({"schemaVersion": 3}, "schemaVersion 3 (expected 2)"),
        (
            {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER], "manifests": []},
            "both an index and a manifest (has `manifests` and `layers`)",
        ),
        ({"schemaVersion": 2}, "neither an index nor a manifest (no `manifests`, no `config` and `layers`)"),
        (
            {
                "schemaVersion": 2,
                "config": {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"},
                "layers": [],
            },
            "its config is application/vnd.cncf.helm.config.v1+json (expected that of a container image)",
        ),
        (
            {"schemaVersion": 2, "config": CONFIG, "layers": [{**LAYER, "digest": "sha256:../../etc/passwd"}]},
            "layers[0].digest: digest 'sha256:../../etc/passwd': not of the form sha256:<64 lower-case hex digits>",
        ),
        (
            {"schemaVersion": 2, "config": CONFIG, "layers": [{**LAYER, "size": -1}]},
            "layers[0].size: -1 is negative",
        ),
        ({"schemaVersion": 2, "config": CONFIG, "layers": 5}, "Expected `array | null`, got `int` - at `$.layers`"),
        (
            {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER] * 1001},
            "1001 layers (expected at most 1000)",
        ),
        ({"schemaVersion": 2, "manifests": []}, None),
    ],
)
def test_manifests_that_are_refused(manifest: object, message: str | None, tmp_path: Path) -> None:
    start = manifest_layout(tmp_path, manifest)
    if message is None:
        start, message = start.removesuffix(": "), ": an index"
    assert failure(tmp_path).message == start + message


def test_foreign_and_encrypted_layers_are_refused_by_name(tmp_path: Path) -> None:
    for number, media_type in enumerate(
        (
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        )
    ):
        layer = descriptor(TWO, media_type, urls=["https://vendor.example/layer"])
        path = tmp_path / str(number)
        manifest_layout(path, {"schemaVersion": 2, "config": CONFIG, "layers": [layer]})
        expected = f"{path}: layer 1 of 1: a foreign layer ({media_type}), which is not in the image"
        assert failure(path).message == expected
    media_type = OCI_LAYER + "+gzip+encrypted"
    layer = descriptor(ONE, media_type)
    path = tmp_path / "encrypted"
    manifest_layout(path, {"schemaVersion": 2, "config": CONFIG, "layers": [layer]})
    assert failure(path).message == f"{path}: layer 1 of 1: encrypted ({media_type})"


def test_a_foreign_layer_that_is_there_is_a_layer(tmp_path: Path) -> None:
    layer = descriptor(ONE, "application/vnd.oci.image.layer.nondistributable.v1.tar")
    manifest_layout(tmp_path, {"schemaVersion": 2, "config": CONFIG, "layers": [layer]})
    assert len(opened(tmp_path).layers) == 1


def test_an_index_that_is_a_manifest(tmp_path: Path) -> None:
    path = write_folder(tmp_path, layout((INTEL, None), top=INTEL.manifest))
    assert failure(path).message == f"{path}: index.json: a manifest (expected an index)"


def test_an_endless_manifest(tmp_path: Path) -> None:
    path = write_folder(tmp_path, layout((INTEL, None), top=b" " * (5 << 20)))
    assert failure(path).message == f"{path}: index.json: 5242880 bytes (expected at most 4194304)"
