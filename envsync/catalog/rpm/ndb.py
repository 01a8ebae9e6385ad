"""The store of SUSE's rpm: https://github.com/rpm-software-management/rpm/blob/master/lib/backend/ndb/rpmpkg.c."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zlib import adler32

from envsync.catalog.rpm.header import StoreError

_PAGE, _BLOCK, _SLOT, _TAIL = 4096, 16, 16, 12


def is_store(data: bytes) -> bool:
    """Whether a file is a ``Packages.db``."""
    return data.startswith(b"RpmP")


def blobs(data: bytes) -> Iterator[bytes]:
    """The headers in it.

    Raises:
        StoreError: it is damaged.
    """
    _, version, _, pages = struct.unpack_from("<4s3I", data) if len(data) >= _SLOT else (b"", 1, 0, 0)
    if version or not 1 <= pages <= len(data) // _PAGE:
        raise StoreError("a damaged store: no table of packages")
    left = len(data)
    for magic, number, block, blocks in struct.iter_unpack("<4s3I", data[2 * _SLOT : pages * _PAGE]):
        if magic != b"Slot":
            raise StoreError("a damaged store: a slot that is none")
        if block:
            left -= blocks * _BLOCK
            if left < 0:
                raise StoreError("a damaged store: packages that lie upon one another")
            yield _blob(data[block * _BLOCK : (block + blocks) * _BLOCK], number, blocks * _BLOCK)


def _blob(data: bytes, number: int, size: int) -> bytes:
    if len(data) != size or size < _SLOT + _TAIL:
        raise StoreError("a damaged store: it is cut off or leads out of itself")
    magic, owner, _, length = struct.unpack_from("<4s3I", data)
    checksum, again, end = struct.unpack_from("<2I4s", data, size - _TAIL)
    if (magic, owner, end, again) != (b"BlbS", number, b"BlbE", length) or length > size - _SLOT - _TAIL:
        raise StoreError("a damaged store: a package that is none")
    if checksum != adler32(data[:-_TAIL]):
        raise StoreError("a damaged store: a package with a wrong checksum")
    return data[_SLOT : _SLOT + length]
