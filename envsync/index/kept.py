"""What the indexes said, kept for the next time: written by threads that nobody waits for."""

from __future__ import annotations

from threading import Lock

from envsync.cache import Cache


class Kept:
    """A cache that nothing is written to once it is closed; closing waits for what is being written.

    A process that ends in the middle of a write would leave a file behind.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._lock = Lock()
        self._closed = False

    def get(self, kind: str, key: str) -> bytes | None:
        """See :meth:`envsync.cache.Cache.get`."""
        return self._cache.get(kind, key)

    def put(self, kind: str, key: str, data: bytes) -> None:
        """See :meth:`envsync.cache.Cache.put`."""
        with self._lock:
            if not self._closed:
                self._cache.put(kind, key, data)

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._closed = True
