"""Reading an image from an OCI image layout, wherever its files are.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from envsync.errors import CorruptImageError, ImageError
from envsync.image.blob import Blob, StoredLayer
from envsync.image.manifest import (
    CONFIG_LIMIT,
    INDEX_TYPES,
    MANIFEST_LIMIT,
    Descriptor,
    Index,
    Manifest,
    check_layer_count,
    check_layout_version,
    parse_config,
    parse_manifest,
)
from envsync.image.protocol import ConfigFile
from envsync.image.selection import (
    check_platform,
    choose_platform,
    default_platforms,
    full_name,
    listed,
    same_image_name,
)
from envsync.image.stored import BlobStore, StoredImage
from envsync.reference import Digest, Platform

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_DEPTH_LIMIT = 8
_MANIFEST_COUNT_LIMIT = 1000


class _Leaf(Struct, frozen=True, kw_only=True):
    """A manifest of an index, which may be nested, and whose blob is at hand."""

    descriptor: Descriptor
    blob: Blob


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
    leaf = _choose_leaf(store, named, platform)
    name = _name_of(named[0])
    return _open_manifest(store, leaf, platform, name)


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


def _choose_leaf(store: BlobStore, named: tuple[Descriptor, ...], platform: Platform | None) -> _Leaf:
    leaves = list(_leaves(store, named, _DEPTH_LIMIT, [0]))
    if not leaves:
        raise CorruptImageError(f"{store.place}: the manifest {named[0].digest} is missing")
    if len(leaves) == 1:
        return leaves[0]
    candidates = [(leaf.descriptor.platform or _platform_of(store, leaf), leaf) for leaf in leaves]
    return choose_platform(candidates, platform, where=store.place, defaults=default_platforms())


def _leaves(store: BlobStore, descriptors: tuple[Descriptor, ...], depth: int, count: list[int]) -> Iterator[_Leaf]:
    """Manifests below ``descriptors``. Those that the store lacks (another platform's, mostly) are left out."""
    for descriptor in descriptors:
        blob = store.find(_blob_path(descriptor.digest))
        if descriptor.attestation or blob is None:
            continue
        count[0] += 1
        if count[0] > _MANIFEST_COUNT_LIMIT or not depth:
            raise CorruptImageError(f"{store.place}: its indexes are nested too deeply, or too many")
        if descriptor.media_type in INDEX_TYPES:
            index = _manifest(store, descriptor, blob)
            if isinstance(index, Manifest):
                raise CorruptImageError(f"{store.place}: index {descriptor.digest.short}: a manifest")
            yield from _leaves(store, index.manifests, depth - 1, count)
        else:
            yield _Leaf(descriptor=descriptor, blob=blob)


def _blob_path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _manifest(store: BlobStore, descriptor: Descriptor, blob: Blob) -> Manifest | Index:
    where = f"{store.place}: manifest {descriptor.digest.short}"
    return parse_manifest(_read(blob, descriptor, MANIFEST_LIMIT, where), where=where)


def _config(store: BlobStore, descriptor: Descriptor) -> ConfigFile:
    where = f"{store.place}: config {descriptor.digest.short}"
    blob = store.find(_blob_path(descriptor.digest))
    if blob is None:
        raise CorruptImageError(f"{store.place}: the config {descriptor.digest} is missing")
    return parse_config(_read(blob, descriptor, CONFIG_LIMIT, where), where=where)


def _read(blob: Blob, descriptor: Descriptor, limit: int, where: str) -> bytes:
    _check_size(blob, descriptor, where)
    return blob.read_verified(descriptor.digest, limit=limit, where=where)


def _check_size(blob: Blob, descriptor: Descriptor, where: str) -> None:
    if blob.size != descriptor.size:
        problem = "truncated" if blob.size < descriptor.size else "too long"
        raise CorruptImageError(
            f"{where}: {problem}: {blob.size} bytes (expected {descriptor.size}, {descriptor.digest})",
            hint="Save or copy the image again.",
        )


def _platform_of(store: BlobStore, leaf: _Leaf) -> Platform:
    manifest = _manifest(store, leaf.descriptor, leaf.blob)
    if isinstance(manifest, Index):
        raise CorruptImageError(f"{store.place}: manifest {leaf.descriptor.digest.short}: an index")
    return _config(store, manifest.config).platform


def _open_manifest(store: BlobStore, leaf: _Leaf, platform: Platform | None, name: str | None) -> StoredImage:
    manifest = _manifest(store, leaf.descriptor, leaf.blob)
    if isinstance(manifest, Index):
        raise CorruptImageError(f"{store.place}: manifest {leaf.descriptor.digest.short}: an index")
    config = _config(store, manifest.config)
    check_platform(platform, config.platform, where=store.place)
    check_layer_count(config, len(manifest.layers), where=store.place)
    return StoredImage(
        name=name,
        digest=leaf.descriptor.digest,
        config=config,
        layers=tuple(
            _open_layer(store, descriptor, diff_id, f"{store.place}: layer {number} of {len(manifest.layers)}")
            for number, (descriptor, diff_id) in enumerate(zip(manifest.layers, config.diff_ids, strict=True), 1)
        ),
        release=store.close,
    )


def _open_layer(store: BlobStore, descriptor: Descriptor, diff_id: Digest, place: str) -> StoredLayer:
    if descriptor.encrypted:
        raise ImageError(f"{place}: encrypted ({descriptor.media_type})", hint="Decrypt the image first.")
    blob = store.find(_blob_path(descriptor.digest))
    if blob is None and descriptor.foreign:
        raise ImageError(
            f"{place}: a foreign layer ({descriptor.media_type}), which is not in the image",
            hint="Ask its vendor for it.",
        )
    if blob is None:
        raise CorruptImageError(f"{place}: its blob {descriptor.digest} is missing")
    _check_size(blob, descriptor, place)
    return StoredLayer(diff_id=diff_id, digest=descriptor.digest, blob=blob, place=place)
