"""Hashing the files of a local environment, several at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence

CHUNK = 64 * 1024
"""Bytes read at once."""

Hashed = tuple[str, str]
"""A path, and the algorithm as :mod:`hashlib` spells it."""


def hash_files(files: Sequence[Hashed]) -> list[bytes | None]:
    """The digest of each file; ``None`` where it cannot be read."""
    if not files:
        return []
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
        return list(pool.map(hash_file, files, chunksize=64))


def hash_file(file: Hashed) -> bytes | None:
    """The digest of one file; ``None`` where it cannot be read."""
    import hashlib

    path, algorithm = file
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - tens of thousands of files: plain strings
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.digest()
