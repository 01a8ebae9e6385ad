"""Image archives assembled without an engine: docker-archive (both layouts), OCI layout, OCI archive.

Deterministic: the same layers give the same bytes, whatever the clock says.
Formats: https://github.com/opencontainers/image-spec and https://github.com/moby/docker-image-spec.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from tests.imagekit.layer import CHUNK, CREATED, Compression, Entry, compress, tree, write_layer

_MEDIA_TYPES = {
    "none": "application/vnd.oci.image.layer.v1.tar",
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSpec:
    """One image for one platform; ``layers`` lowest first."""

    layers: Sequence[Sequence[Entry]]
    tags: Sequence[str] = ()
    """``name:tag`` for a docker-archive; ``org.opencontainers.image.ref.name`` for OCI."""
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    command: Sequence[str] = ("python3",)
    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""
    created: str = CREATED


def write_docker_archive(out: Path, *images: ImageSpec, layout: Literal["classic", "oci"] = "classic") -> None:
    """What ``docker save`` writes: ``classic`` before Docker 25; ``oci``, an OCI layout with more, since."""
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".archive-") as staging:
        if layout == "oci":
            _write_layout(Path(staging), images, "none", for_docker=True)
        else:
            _write_classic(Path(staging), images)
        _pack(Path(staging), out)


def write_oci_layout(folder: Path, *images: ImageSpec, compression: Compression = "gzip") -> None:
    """An OCI layout; images that share a tag become one index with a manifest for each platform."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_layout(folder, images, compression)


def write_oci_archive(out: Path, *images: ImageSpec, compression: Compression = "gzip") -> None:
    """A tar of an OCI layout."""
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".archive-") as staging:
        _write_layout(Path(staging), images, compression)
        _pack(Path(staging), out)


# --- blobs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blob:
    """A file named by its own SHA-256."""

    path: Path
    digest: str
    size: int

    def descriptor(self, media_type: str, **more: Any) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": f"sha256:{self.digest}", "size": self.size, **more}


def _store(folder: Path, fill: Callable[[IO[bytes]], object]) -> _Blob:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
        fill(stream.file)
    written = Path(stream.name)
    hasher = hashlib.sha256()
    with written.open("rb") as again:
        while chunk := again.read(CHUNK):
            hasher.update(chunk)
    size = written.stat().st_size
    written.chmod(0o644)  # a temporary file is private to its owner
    path = written.replace(folder / hasher.hexdigest())
    return _Blob(path=path, digest=hasher.hexdigest(), size=size)


def _store_json(folder: Path, value: object) -> _Blob:
    data = json.dumps(value, sort_keys=True).encode()
    return _store(folder, lambda out: out.write(data))


def _store_layers(folder: Path, image: ImageSpec) -> list[_Blob]:
    return [_store(folder, partial(write_layer, entries=entries)) for entries in image.layers]


def _config(image: ImageSpec, diff_ids: Sequence[str]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "architecture": image.architecture,
        "os": image.os,
        "created": image.created,
        "config": {
            "Cmd": list(image.command),
            "Env": [f"{name}={value}" for name, value in image.env.items()],
            "User": image.user,
            "WorkingDir": image.workdir,
        },
        "history": [{"created": image.created, "created_by": f"layer {n}"} for n, _ in enumerate(diff_ids)],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}" for diff_id in diff_ids]},
    }
    return config | ({"variant": image.variant} if image.variant else {})


# --- the two families of containers for blobs --------------------------------------------------------


def _write_classic(staging: Path, images: Sequence[ImageSpec]) -> None:
    manifest = []
    repositories: dict[str, dict[str, str]] = {}
    for image in images:
        layers = _store_layers(staging / "new", image)
        for layer in layers:
            (staging / layer.digest).mkdir(exist_ok=True)
            (staging / layer.digest / "VERSION").write_text("1.0")
            layer.path.replace(staging / layer.digest / "layer.tar")
        config = _store_json(staging, _config(image, [layer.digest for layer in layers]))
        config.path.replace(config.path.with_suffix(".json"))
        manifest.append(
            {
                "Config": f"{config.digest}.json",
                "RepoTags": list(image.tags) or None,
                "Layers": [f"{layer.digest}/layer.tar" for layer in layers],
            }
        )
        for name in image.tags:
            repository, _, tag = name.rpartition(":")
            repositories.setdefault(repository, {})[tag] = layers[-1].digest
    (staging / "manifest.json").write_text(json.dumps(manifest))
    if repositories:
        (staging / "repositories").write_text(json.dumps(repositories))


def _write_layout(
    folder: Path, images: Sequence[ImageSpec], compression: Compression, *, for_docker: bool = False
) -> None:
    blobs = folder / "blobs" / "sha256"
    manifests: dict[str, list[dict[str, Any]]] = {}
    legacy = []
    for image in images:
        config, layers, manifest = _write_image(blobs, image, compression)
        for tag in image.tags or ("",):
            manifests.setdefault(tag, []).append(manifest)
        legacy.append(
            {
                "Config": f"blobs/sha256/{config.digest}",
                "RepoTags": list(image.tags) or None,
                "Layers": [f"blobs/sha256/{layer.digest}" for layer in layers],
            }
        )
    entries: list[dict[str, Any]] = []
    for tag, several in manifests.items():
        described = several if len(several) == 1 or not tag else [_write_index(blobs, several)]
        entries += [entry | _annotations(tag, for_docker) for entry in described]
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index, sort_keys=True))
    if for_docker:
        (folder / "manifest.json").write_text(json.dumps(legacy))


def _write_image(blobs: Path, image: ImageSpec, compression: Compression) -> tuple[_Blob, list[_Blob], dict[str, Any]]:
    plain = _store_layers(blobs, image)
    layers = plain if compression == "none" else [_packed(layer, blobs, compression) for layer in plain]
    config = _store_json(blobs, _config(image, [layer.digest for layer in plain]))
    manifest = _store_json(
        blobs,
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": config.descriptor(_CONFIG),
            "layers": [layer.descriptor(_MEDIA_TYPES[compression]) for layer in layers],
        },
    )
    platform = {"os": image.os, "architecture": image.architecture}
    platform |= {"variant": image.variant} if image.variant else {}
    return config, layers, manifest.descriptor(_MANIFEST, platform=platform)


def _packed(layer: _Blob, blobs: Path, compression: Compression) -> _Blob:
    with layer.path.open("rb") as source:
        packed = _store(blobs, partial(compress, source, compression=compression))
    layer.path.unlink()
    return packed


def _write_index(blobs: Path, manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    index = _store_json(blobs, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": list(manifests)})
    return index.descriptor(_INDEX)


def _annotations(tag: str, for_docker: bool) -> dict[str, Any]:
    if not tag:
        return {}
    if not for_docker:
        return {"annotations": {"org.opencontainers.image.ref.name": tag}}
    path = tag if "/" in tag else f"library/{tag}"
    names = {
        "io.containerd.image.name": f"docker.io/{path}",
        "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
    }
    return {"annotations": names}


def _pack(staging: Path, out: Path) -> None:
    unfinished = out.with_name(f"{out.name}.partial")
    with unfinished.open("wb") as stream:
        write_layer(stream, tree(staging, ""))
    unfinished.replace(out)
