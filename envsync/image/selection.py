"""Choosing one of several images: by name, and by platform, also in nested indexes."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from envsync.errors import CorruptImageError, ImageError, ReferenceSyntaxError
from envsync.image.manifest import INDEX_TYPES, Descriptor, Index, Manifest, check_layer_count
from envsync.image.protocol import ConfigFile
from envsync.redaction import printable
from envsync.reference import Digest, ImageName, Platform

_T = TypeVar("_T")

_DEPTH_LIMIT = 8
_MANIFEST_COUNT_LIMIT = 1000


class Documents(Protocol):
    """Where the manifests and configs are that an index names."""

    place: str
    """How messages name it."""

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether a manifest or index may be there; of another platform, it is often left out."""

    def manifest(self, descriptor: Descriptor) -> Manifest | Index:
        """A manifest or index, its digest and size verified."""

    def config(self, descriptor: Descriptor) -> ConfigFile:
        """A config, its digest and size verified."""


def default_platforms() -> tuple[Platform, ...]:
    """What is taken where nobody asked for a platform: Linux on this machine's CPU, then on amd64."""
    usual = Platform(os="linux", architecture="amd64")
    try:
        return Platform.parse(f"linux/{machine.machine()}"), usual
    except ReferenceSyntaxError:
        return (usual,)


def choose_platform(
    candidates: Sequence[tuple[Platform, _T]],
    asked: Platform | None,
    *,
    where: str,
    defaults: tuple[Platform, ...],
) -> _T:
    """Choose the image for a platform, the first of several; the only one there is when nobody asked.

    Raises:
        ImageError: there is none; lists the platforms at hand.
    """
    if asked is None and len(candidates) == 1:
        return candidates[0][1]
    for wish in defaults if asked is None else (asked,):
        fitting = [candidate for candidate in candidates if wish.accepts(candidate[0])]
        exact = [candidate for candidate in fitting if candidate[0] == wish]
        if fitting:
            return (exact or fitting)[0][1]
    wished = " or ".join(dict.fromkeys(map(str, defaults))) if asked is None else str(asked)
    at_hand = listed(str(platform) for platform, _ in candidates)
    raise ImageError(
        f"{where}: no image for {wished} (at hand: {at_hand})",
        hint="Choose one of these with --platform." if candidates else None,
    )


def choose_manifest(
    documents: Documents,
    descriptors: Sequence[Descriptor],
    asked: Platform | None,
    defaults: tuple[Platform, ...],
) -> Descriptor:
    """Choose the manifest for a platform from what an index names, through indexes inside it.

    Raises:
        ImageError: no image is there, or none for that platform.
        CorruptImageError: a manifest is missing or malformed, or indexes are nested without end.
    """
    where = documents.place
    images = [each for each in descriptors if not each.attestation]
    if not images:
        raise ImageError(f"{where}: holds no image")
    leaves = list(_leaves(documents, images, _DEPTH_LIMIT, [0]))
    if not leaves:
        raise CorruptImageError(f"{where}: the manifest {images[0].digest} is missing")
    if len(leaves) == 1:
        return leaves[0]
    candidates = [(leaf.platform or _platform_of(documents, leaf), leaf) for leaf in leaves]
    return choose_platform(candidates, asked, where=where, defaults=defaults)


def _leaves(
    documents: Documents, descriptors: Sequence[Descriptor], depth: int, count: list[int]
) -> Iterator[Descriptor]:
    """Manifests below ``descriptors``. Those that are not held (another platform's, mostly) are left out."""
    for descriptor in descriptors:
        if descriptor.attestation or not documents.holds(descriptor):
            continue
        count[0] += 1
        if count[0] > _MANIFEST_COUNT_LIMIT or not depth:
            raise CorruptImageError(f"{documents.place}: its indexes are nested too deeply, or too many")
        if descriptor.media_type in INDEX_TYPES:
            index = documents.manifest(descriptor)
            if isinstance(index, Manifest):
                raise CorruptImageError(f"{documents.place}: index {descriptor.digest.short}: a manifest")
            yield from _leaves(documents, index.manifests, depth - 1, count)
        else:
            yield descriptor


def read_manifest(documents: Documents, descriptor: Descriptor) -> Manifest:
    """The manifest that a descriptor names.

    Raises:
        CorruptImageError: it is malformed, or an index.
    """
    manifest = documents.manifest(descriptor)
    if isinstance(manifest, Index):
        raise CorruptImageError(f"{documents.place}: manifest {descriptor.digest.short}: an index")
    return manifest


def read_config(documents: Documents, manifest: Manifest, platform: Platform | None) -> ConfigFile:
    """The config of a manifest, which fits its layers and the platform that was asked for, if one was.

    Raises:
        ImageError: it is for another platform.
        CorruptImageError: it is malformed, or of another number of layers.
    """
    config = documents.config(manifest.config)
    check_platform(platform, config.platform, where=documents.place)
    check_layer_count(config, len(manifest.layers), where=documents.place)
    return config


def named_layers(manifest: Manifest, config: ConfigFile, place: str) -> Iterator[tuple[Descriptor, Digest, str]]:
    """The layers of a manifest, lowest first, each with its diff ID and how messages name it."""
    for number, (descriptor, diff_id) in enumerate(zip(manifest.layers, config.diff_ids, strict=True), 1):
        yield descriptor, diff_id, f"{place}: layer {number} of {len(manifest.layers)}"


def _platform_of(documents: Documents, descriptor: Descriptor) -> Platform:
    return documents.config(read_manifest(documents, descriptor).config).platform


def check_platform(asked: Platform | None, actual: Platform, *, where: str) -> None:
    """Make sure that an image is for the platform that was asked for, if one was.

    Raises:
        ImageError: it is for another one.
    """
    if asked is not None and not asked.accepts(actual):
        raise ImageError(
            f"{where}: an image for {actual} (expected {asked})",
            hint=f"Leave out --platform, or use {actual}.",
        )


def listed(names: Iterable[str]) -> str:
    """Names for a message: each once, in their order, at most 20."""
    shown = [printable(name) for name in dict.fromkeys(names)]
    more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
    return ", ".join(shown[:20]) + more if shown else "none"


def same_image_name(one: str, other: str) -> bool:
    """Whether two full names mean the same, once Docker's defaults are filled in."""
    return one == other or (_parsed(one) is not None and _parsed(one) == _parsed(other))


def _parsed(text: str) -> ImageName | None:
    try:
        return ImageName.parse(text)
    except ReferenceSyntaxError:
        return None


def full_name(text: str) -> str | None:
    """``text`` in its familiar form where it is an image name with repository and tag; else ``None``."""
    name = _parsed(text)
    return str(name) if name is not None and (":" in text or "/" in text) else None
