"""What every origin of an image offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from envsync.model import ImageConfig
from envsync.reference import Digest, Platform


class ConfigFile(Struct, frozen=True, kw_only=True):
    """The parsed image config: https://github.com/opencontainers/image-spec/blob/main/config.md."""

    digest: Digest
    platform: Platform
    created: str | None
    config: ImageConfig
    diff_ids: tuple[Digest, ...]
    layer_commands: tuple[str, ...] = ()
    """What made each layer, without credentials; empty where the history does not tell of exactly these."""


class LayerProgress(Struct, frozen=True, kw_only=True):
    """How far one layer is."""

    id: str
    """What people know the layer by: the first digits of its digest."""
    status: str
    """In words: ``Downloading``, ``Extracting``, ``Pull complete``."""
    current: int | None = None
    """Bytes."""
    total: int | None = None
    """Bytes."""


class Layer(Protocol):
    """One layer: a tar stream, compressed or not."""

    @property
    def diff_id(self) -> Digest:
        """Digest of the uncompressed tar, from the config."""

    @property
    def digest(self) -> Digest | None:
        """Digest of the blob as stored, from the manifest; ``None`` where the origin records none."""

    @property
    def size(self) -> int:
        """Bytes of the blob as stored."""

    def __str__(self) -> str:
        """How messages name it: ``image.tar: layer 2 of 5``."""

    def open(self) -> AbstractContextManager[Iterator[memoryview]]:
        """The blob's bytes as stored, in chunks, each valid until the next but one is asked for.

        Raises:
            CorruptImageError: the bytes end early or cannot be found.
        """


class Image(Protocol):
    """An image whose config is known and whose layers can be opened any number of times."""

    @property
    def name(self) -> str | None:
        """What the origin calls it (``digdag/digdag-python:3.7``); ``None`` where it is unnamed."""

    @property
    def digest(self) -> Digest | None:
        """Digest of the manifest (or index) in a registry; ``None`` where the origin does not tell."""

    @property
    def config(self) -> ConfigFile:
        """The image's config."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Lowest first."""

    def stop(self) -> None:
        """Make threads that wait for bytes of its layers give up soon: nobody wants them any more."""

    def close(self) -> None:
        """Release files and connections."""
