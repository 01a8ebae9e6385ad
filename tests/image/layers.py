"""Layers and images built in memory, and written as archives and layouts, for the tests of reading them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstandard.ZstdCompressor().compress,
}


@dataclass(frozen=True)
class Link:
    target: str
    hard: bool = False


@dataclass(frozen=True)
class Folder:
    mode: int = 0o755


Item = bytes | Link | Folder
"""What a name in a layer is: contents of a file, a link or a folder."""


def tar_layer(items: Mapping[str, Item], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A layer with these names, in this order; no parents are added."""
    return tar_of([(name, item) for name, item in items.items()], form)


def tar_of(items: list[tuple[str, Item]], form: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for name, item in items:
            info = tarfile.TarInfo(name)
            match item:
                case bytes():
                    info.size = len(item)
                    tar.addfile(info, io.BytesIO(item))
                case Link(target=target, hard=hard):
                    info.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
                    info.linkname = target
                    tar.addfile(info)
                case Folder(mode=mode):
                    info.type, info.mode = tarfile.DIRTYPE, mode
                    tar.addfile(info)
    return stream.getvalue()


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass(kw_only=True)
class MadeImage:
    """A config and layers, and the blobs of their OCI form."""

    layers: list[bytes]
    os: str = "linux"
    architecture: str = "amd64"
    variant: str | None = None
    compression: str = "none"
    process: dict[str, Any] = field(default_factory=dict)
    oci: bool = True
    config_changes: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> bytes:
        variant = {"variant": self.variant} if self.variant else {}
        return as_json(
            {
                "os": self.os,
                "architecture": self.architecture,
                "created": "2024-05-06T07:08:09.123456789Z",
                "config": self.process,
                "rootfs": {"type": "layers", "diff_ids": [sha(layer) for layer in self.layers]},
                "history": [{"created_by": "test"}],
                **variant,
                **self.config_changes,
            }
        )

    @property
    def stored_layers(self) -> list[bytes]:
        return [COMPRESS[self.compression](layer) for layer in self.layers]

    @property
    def manifest(self) -> bytes:
        suffix = "" if self.compression == "none" else f"+{self.compression}"
        return as_json(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST if self.oci else DOCKER_MANIFEST,
                "config": descriptor(self.config, OCI_CONFIG if self.oci else DOCKER_CONFIG),
                "layers": [descriptor(layer, OCI_LAYER + suffix) for layer in self.stored_layers],
            }
        )

    @property
    def blobs(self) -> dict[str, bytes]:
        return {blob_path(data): data for data in (self.manifest, self.config, *self.stored_layers)}

    def descriptor(self, name: str | None = None, **more: object) -> dict[str, Any]:
        """As it stands in an index, with its platform."""
        platform = {"os": self.os, "architecture": self.architecture}
        if self.variant:
            platform["variant"] = self.variant
        annotations = {"org.opencontainers.image.ref.name": name} if name else {}
        media = OCI_MANIFEST if self.oci else DOCKER_MANIFEST
        return {**descriptor(self.manifest, media), "platform": platform, "annotations": annotations, **more}


def descriptor(data: bytes, media_type: str, **more: object) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha(data), "size": len(data), **more}


def blob_path(data: bytes) -> str:
    return "blobs/" + sha(data).replace(":", "/")


def index(*descriptors: dict[str, Any], media_type: str = OCI_INDEX) -> bytes:
    return as_json({"schemaVersion": 2, "mediaType": media_type, "manifests": list(descriptors)})


def layout(*images: tuple[MadeImage, str | None], top: bytes | None = None) -> dict[str, bytes]:
    """The files of an OCI layout; ``top`` instead of an ``index.json`` of the images."""
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    for image, _ in images:
        files.update(image.blobs)
    files["index.json"] = top or index(*(image.descriptor(name) for image, name in images))
    return files


def docker_old(*images: tuple[MadeImage, list[str] | None], shared_links: bool = True) -> dict[str, Item]:
    """Members as Docker before 25 saves them; a layer that was saved before is a symbolic link."""
    members: dict[str, Item] = {}
    entries = []
    where: dict[str, str] = {}
    for image, tags in images:
        paths = []
        for number, layer in enumerate(image.stored_layers):
            folder = hashlib.sha256(f"{number}{sha(image.config)}".encode()).hexdigest()
            paths.append(f"{folder}/layer.tar")
            members[folder + "/"] = Folder()
            members[f"{folder}/VERSION"] = b"1.0"
            first = where.setdefault(sha(layer), paths[-1])
            members[paths[-1]] = layer if first == paths[-1] or not shared_links else Link(f"../{first}")
        name = sha(image.config)[7:] + ".json"
        members[name] = image.config
        entries.append({"Config": name, "RepoTags": tags, "Layers": paths})
    members["manifest.json"] = as_json(entries)
    members["repositories"] = b"{}"
    return members


def docker_new(*images: tuple[MadeImage, list[str] | None]) -> dict[str, Item]:
    """Members as Docker 25 and later saves them: an OCI layout with a ``manifest.json``."""
    files = layout(*((image, None) for image, _ in images))
    descriptors = []
    entries = []
    for image, tags in images:
        annotations = {}
        if tags:
            annotations = {
                "io.containerd.image.name": f"docker.io/{tags[0]}",
                "org.opencontainers.image.ref.name": tags[0].partition(":")[2],
            }
        descriptors.append({**image.descriptor(), "annotations": annotations})
        paths = [blob_path(layer) for layer in image.stored_layers]
        sources = {sha(layer): descriptor(layer, OCI_LAYER) for layer in image.stored_layers}
        entry = {"Config": blob_path(image.config), "RepoTags": tags, "Layers": paths, "LayerSources": sources}
        entries.append(entry)
    files["index.json"] = index(*descriptors)
    return {"blobs/": Folder(), "blobs/sha256/": Folder(), **files, "manifest.json": as_json(entries)}


def write_archive(path: Path, members: Mapping[str, Item]) -> Path:
    path.write_bytes(tar_layer(members))
    return path


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
