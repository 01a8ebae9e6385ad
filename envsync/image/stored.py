"""An image whose blobs lie in files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from envsync.image.blob import Blob, StoredLayer
from envsync.image.protocol import ConfigFile
from envsync.reference import Digest


class BlobStore(Protocol):
    """Files of an image layout, in a folder or an archive, by path relative to its top."""

    place: str
    """How messages name it."""

    def find(self, path: str) -> Blob | None:
        """The file at ``path``; ``None`` where there is none."""

    def close(self) -> None:
        """Close all files."""


class StoredImage(Struct, frozen=True, kw_only=True):
    """Implements :class:`envsync.image.protocol.Image`."""

    name: str | None
    digest: Digest | None
    config: ConfigFile
    layers: tuple[StoredLayer, ...]
    release: Callable[[], None]

    def stop(self) -> None:
        """See :meth:`envsync.image.protocol.Image.stop`: files do not keep anyone waiting."""

    def close(self) -> None:
        """See :meth:`envsync.image.protocol.Image.close`."""
        self.release()
