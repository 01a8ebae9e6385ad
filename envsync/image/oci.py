"""Reading an image from an OCI image layout, wherever its files are.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

from envsync.errors import CorruptImageError, ImageError
from envsync.image.blob import Blob, StoredLayer
from envsync.image.manifest import (
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    Descriptor,
    Index,
    Manifest,
    check_layout_version,
    check_readable,
    parse_config,
    parse_manifest,
)
from envsync.image.protocol import ConfigFile
from envsync.image.selection import (
    choose_manifest,
    default_platforms,
    full_name,
    listed,
    named_layers,
    read_config,
    read_manifest,
    same_image_name,
)
from envsync.image.stored import BlobStore, StoredImage
from envsync.reference import Digest, Platform

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"


def read_layout(store: BlobStore, tag: str | None, platform: Platform | None) -> StoredImage:
    """Open the image that ``tag`` and ``platform`` choose.

    Raises:
        ImageError: no such tag or platform, several images and no tag, or a kind of image that is not supported.
        CorruptImageError: a file is missing, malformed or has a wrong digest.
    """
    where = store.place
    version, top = store.find("oci-layout"), store.find("index.json")
    if top is None:
        raise ImageError(f"{where}: no index.json (expected an OCI image layout)", hint=_other_format(store))
    if version is not None:
        check_layout_version(
            version.read_verified(None, limit=MANIFEST_LIMIT, where=f"{where}: oci-layout"),
            where=f"{where}: oci-layout",
        )
    place = f"{where}: index.json"
    index = parse_manifest(top.read_verified(None, limit=MANIFEST_LIMIT, where=place), where=place)
    if isinstance(index, Manifest):
        raise CorruptImageError(f"{place}: a manifest (expected an index)")
    named = _choose_name(index, tag, where)
    documents = _Documents(store)
    chosen = choose_manifest(documents, named, platform, default_platforms())
    return _open_manifest(store, documents, chosen, platform, _name_of(named[0]))


def _other_format(store: BlobStore) -> str | None:
    if store.find("manifest.json") is not None:
        return f"It was made by docker save: use docker-archive:{store.place}"
    return None


def _choose_name(index: Index, tag: str | None, where: str) -> tuple[Descriptor, ...]:
    images = tuple(each for each in index.manifests if not each.attestation)
    if not images:
        raise ImageError(f"{where}: holds no image")
    names = {label: None for each in images for label in _labels(each)}
    if tag is not None:
        chosen = tuple(each for each in images if any(same_image_name(tag, label) for label in _labels(each)))
        if not chosen:
            raise ImageError(f"{where}: no image tagged {tag!r} (at hand: {listed(names)})", hint=_CHOOSE)
        return chosen
    if len({_labels(each)[:1] for each in images}) > 1:
        raise ImageError(f"{where}: holds several images (at hand: {listed(names)})", hint=_CHOOSE)
    return images


_CHOOSE = "Name one of these after a colon."


def _labels(descriptor: Descriptor) -> tuple[str, ...]:
    """The names by which a user may call it, the fullest one first."""
    found = (descriptor.annotations.get(_CONTAINERD_NAME), descriptor.annotations.get(_REF_NAME))
    return tuple(dict.fromkeys(label for label in found if label))


def _name_of(descriptor: Descriptor) -> str | None:
    return next((name for name in map(full_name, _labels(descriptor)) if name), None)


class _Documents:
    """Manifests and configs in files: a :class:`envsync.image.selection.Documents`."""

    def __init__(self, store: BlobStore) -> None:
        self.place = store.place
        self._store = store

    def holds(self, descriptor: Descriptor) -> bool:
        return self._store.find(_blob_path(descriptor.digest)) is not None

    def manifest(self, descriptor: Descriptor) -> Manifest | Index:
        where = f"{self.place}: manifest {descriptor.digest.short}"
        return parse_manifest(self._read(descriptor, "manifest", MANIFEST_LIMIT, where), where=where)

    def config(self, descriptor: Descriptor) -> ConfigFile:
        where = f"{self.place}: config {descriptor.digest.short}"
        return parse_config(self._read(descriptor, "config", CONFIG_LIMIT, where), where=where)

    def _read(self, descriptor: Descriptor, kind: str, limit: int, where: str) -> bytes:
        blob = self._store.find(_blob_path(descriptor.digest))
        if blob is None:
            raise CorruptImageError(f"{self.place}: the {kind} {descriptor.digest} is missing")
        _check_size(blob, descriptor, where)
        return blob.read_verified(descriptor.digest, limit=limit, where=where)


def _blob_path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _check_size(blob: Blob, descriptor: Descriptor, where: str) -> None:
    if blob.size != descriptor.size:
        problem = "truncated" if blob.size < descriptor.size else "too long"
        raise CorruptImageError(
            f"{where}: {problem}: {blob.size} bytes (expected {descriptor.size}, {descriptor.digest})",
            hint="Save or copy the image again.",
        )


def _open_manifest(
    store: BlobStore, documents: _Documents, chosen: Descriptor, platform: Platform | None, name: str | None
) -> StoredImage:
    manifest = read_manifest(documents, chosen)
    config = read_config(documents, manifest, platform)
    return StoredImage(
        name=name,
        digest=chosen.digest,
        config=config,
        layers=tuple(
            _open_layer(store, descriptor, diff_id, layer)
            for descriptor, diff_id, layer in named_layers(manifest, config, store.place)
        ),
        release=store.close,
    )


def _open_layer(store: BlobStore, descriptor: Descriptor, diff_id: Digest, place: str) -> StoredLayer:
    blob = store.find(_blob_path(descriptor.digest))
    check_readable(descriptor, held=blob is not None, where=place)
    if blob is None:
        raise CorruptImageError(f"{place}: its blob {descriptor.digest} is missing")
    _check_size(blob, descriptor, place)
    return StoredLayer(diff_id=diff_id, digest=descriptor.digest, blob=blob, place=place)
