"""What earlier pulls learnt of images, by digest: see :mod:`envsync.cache` for where it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envsync.reference import Digest
from envsync.rootfs.codec import SCANNER

if TYPE_CHECKING:
    from envsync.cache import Cache

_BLOB = "blob"


class KnownLayers:
    """A :class:`envsync.rootfs.reading.KnownLayers` in a cache."""

    def __init__(self, cache: Cache, wanted: str) -> None:
        """``wanted`` tells one choice of files whose contents are kept from another."""
        self._cache = cache
        self._kind = f"layer-{SCANNER}-{wanted}"

    def get(self, diff_id: Digest) -> bytes | None:
        """See :meth:`envsync.rootfs.reading.KnownLayers.get`."""
        return self._cache.get(self._kind, diff_id.hex)

    def put(self, diff_id: Digest, data: bytes) -> None:
        """See :meth:`envsync.rootfs.reading.KnownLayers.put`."""
        self._cache.put(self._kind, diff_id.hex, data)


class KnownBlobs:
    """Manifests and configs in a cache: a :class:`envsync.image.registry.access.KnownBlobs`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get(self, digest: Digest) -> bytes | None:
        """See :meth:`envsync.image.registry.access.KnownBlobs.get`."""
        return self._cache.get(_BLOB, digest.hex)

    def put(self, digest: Digest, data: bytes) -> None:
        """See :meth:`envsync.image.registry.access.KnownBlobs.put`."""
        self._cache.put(_BLOB, digest.hex, data)
