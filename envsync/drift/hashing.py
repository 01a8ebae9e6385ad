"""Hashing the files of a local environment, several at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence

CHUNK = 256 * 1024
"""Bytes read at once: nearly every file in one call."""
_TOGETHER = 64
"""Files that one thread takes at once."""

Hashed = tuple[str, str]
"""A path, and the algorithm as :mod:`hashlib` spells it."""


def hash_files(files: Sequence[Hashed]) -> list[bytes | None]:
    """The digest of each file; ``None`` where it cannot be read."""
    if not files:
        return []
    from concurrent.futures import ThreadPoolExecutor

    parts = [files[start : start + _TOGETHER] for start in range(0, len(files), _TOGETHER)]
    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
        return [digest for part in pool.map(_hash_part, parts) for digest in part]


def _hash_part(files: Sequence[Hashed]) -> list[bytes | None]:
    return [hash_file(file) for file in files]


def hash_file(file: Hashed) -> bytes | None:
    """The digest of one file; ``None`` where it cannot be read."""
    path, algorithm = file
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # tens of thousands of files: no stream object
    except OSError:
        return None
    try:
        return hash_open(descriptor, algorithm)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def hash_open(descriptor: int, algorithm: str) -> bytes:
    """The digest of the rest of an open file.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    chunk = os.read(descriptor, CHUNK)
    digest = hashlib.new(algorithm, chunk, usedforsecurity=False)
    while len(chunk) == CHUNK:  # a regular file gives less only at its end
        chunk = os.read(descriptor, CHUNK)
        digest.update(chunk)
    return digest.digest()
