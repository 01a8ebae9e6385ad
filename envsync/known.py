"""What earlier pulls learnt of images, by digest: see :mod:`envsync.cache` for where it is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from envsync.model import Distribution, ImageSource, ImageWheel, IndexFile, Snapshot
from envsync.reference import Digest
from envsync.rootfs.codec import SCANNER

if TYPE_CHECKING:
    from envsync.cache import Cache

_BLOB = "blob"
_REPACKED = "repacked-1"
_Place = tuple[str, str | None]


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


class Repacked(Struct, frozen=True, kw_only=True):
    """What was learnt of one distribution when wheels were made of an image."""

    name: str
    metadata: str | None = None
    """The path of its metadata in the image, which tells its copies apart."""
    wheel: ImageWheel | None = None
    file: IndexFile | None = None
    patched: tuple[str, ...] = ()
    wanted: bool = False
    """Whether a wheel was asked for, whatever indexes have: that there is none means that it cannot be made."""

    def applied(self, distribution: Distribution) -> Distribution:
        """The distribution, with what was learnt; where no index answered, it keeps the file that its lock names."""
        if self.file is None and distribution.file is not None:
            return msgspec.structs.replace(distribution, wheel=self.wheel)
        return msgspec.structs.replace(distribution, wheel=self.wheel, file=self.file, patched=self.patched)


Learnt = Mapping[_Place, Repacked]
"""By name and path of the metadata."""


class KnownWheels:
    """What making wheels of a lock's image gave, in a cache, by the image's ID and the interpreter."""

    def __init__(self, cache: Cache, lock: Snapshot, source: ImageSource) -> None:
        self._cache = cache
        self._key = hashlib.sha256(f"{source.config_digest}\0{lock.python.executable}".encode()).hexdigest()

    def get(self) -> Learnt:
        """What is known; nothing where there is none, or what is kept cannot be read."""
        data = self._cache.get(_REPACKED, self._key)
        try:
            found = msgspec.json.decode(data, type=tuple[Repacked, ...]) if data is not None else ()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}
        return {(one.name, one.metadata): one for one in found}

    def put(self, learnt: Learnt) -> None:
        """Keep what was learnt, beside what was before."""
        known = dict(self.get())
        for place, one in learnt.items():
            if one.wanted or place not in known or not known[place].wanted:
                known[place] = one
        self._cache.put(_REPACKED, self._key, msgspec.json.encode(list(known.values())))


def learnt_of(made: Snapshot, *, wanted: bool) -> Learnt:
    """What making wheels gave, of each distribution; ``wanted``: all wheels were asked for."""
    own = (one for one in made.distributions if one.conda is None)
    found = ((place_of(one), one) for one in own if one.wheel is not None or one.file is not None or wanted)
    return {
        place: Repacked(
            name=one.name, metadata=place[1], wheel=one.wheel, file=one.file, patched=one.patched, wanted=wanted
        )
        for place, one in found
    }


def place_of(distribution: Distribution) -> _Place:
    """What tells the copies of one distribution apart."""
    return distribution.name, str(distribution.metadata) if distribution.metadata is not None else None
