"""Digests of files of this machine, remembered by inode, size and time of change, as git's index does.

Installers link the same files from their cache into one environment after the other: what was read and hashed once
need not be read again for the next. The time of change of the inode (``ctime``) does not count, since each link
changes it. So an edit that keeps the size and puts the time back is not seen; ``diff --verify`` reads everything.
"""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable, Sequence

from envsync.cache import Cache

KIND = "hashed-1"
_KEY = struct.Struct("<QQqq")
_DIGEST = 32
_RECORD = _KEY.size + _DIGEST
_FRESH_NS = 2_000_000_000
"""What was changed this short a time ago may be changed again within the same tick of its file system's clock."""


class Remembered:
    """What one environment's files were, kept in the cache under the lock that it is made from."""

    def __init__(self, cache: Cache, key: str) -> None:
        """``key``: hex digits; where two environments of one lock share no files, the later one's are kept."""
        self._cache, self._key = cache, key
        data = cache.get(KIND, key) or b""
        starts = range(0, len(data) - len(data) % _RECORD, _RECORD)
        self._known = {data[at : at + _KEY.size]: data[at + _KEY.size : at + _RECORD] for at in starts}
        self._used: dict[bytes, bytes] = {}
        self._news = False

    def digests(
        self, paths: Sequence[str], read: Callable[[Sequence[str]], Sequence[bytes | None]]
    ) -> list[bytes | None]:
        """SHA-256 of each file; those that are new or changed are read, and are ``None`` where they cannot be."""
        before = time.time_ns()
        keys = [_key(path, before) for path in paths]
        found = [self._known.get(key) if key else None for key in keys]
        unknown = [position for position, digest in enumerate(found) if digest is None]
        for position, digest in zip(unknown, read([paths[position] for position in unknown]), strict=True):
            found[position] = digest
            # Not what was changed while it was read.
            if digest is not None and (key := keys[position]) and _key(paths[position], before) == key:
                self._news = True
            else:
                keys[position] = b""
        self._used.update((key, digest) for key, digest in zip(keys, found, strict=True) if key and digest)
        return found

    def keep(self) -> None:
        """Keep what was used, if there is something new in it."""
        if self._news:
            self._cache.put(KIND, self._key, b"".join(key + digest for key, digest in self._used.items()))
            self._news = False


def _key(path: str, now: int) -> bytes:
    """Empty: nothing to remember a file by."""
    try:
        status = os.stat(path)  # noqa: PTH116 - tens of thousands of files: plain strings
    except OSError:
        return b""
    if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns > now - _FRESH_NS:
        return b""
    return _KEY.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
