"""The store of rpm before 4.16, a hash of Berkeley DB, as rpm itself reads it since it can no longer write it.

https://github.com/rpm-software-management/rpm/blob/rpm-4.18.x/lib/backend/bdb_ro.c
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from envsync.catalog.rpm.header import LONGEST, StoreError

_HASH, _BTREE = 0x061561, 0x053162
_HASH_PAGES, _OVERFLOW = (2, 13), 7
_KEYDATA, _OFFPAGE = 1, 3
_PAGE_HEAD = 26


def is_store(data: bytes) -> bool:
    """Whether a file is a hash, or a btree, of Berkeley DB."""
    return any(int.from_bytes(data[12:16], order) in (_HASH, _BTREE) for order in ("little", "big"))


def blobs(data: bytes) -> Iterator[bytes]:
    """The headers in it.

    Raises:
        StoreError: it is damaged, or no hash.
    """
    store = _Store(data)
    for number in range(1, len(data) // store.size):
        page = store.page(number)
        if page[25] in _HASH_PAGES:
            items = store.items(page)
            if len(items) % 2:
                raise StoreError("a damaged store: a key without a package")
            for key, place in zip(items[::2], items[1::2], strict=True):
                # The package of number 0 is the highest number in use.
                if any(store.key(*key)):
                    yield store.item(*place)


class _Store:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if int.from_bytes(data[12:16], "little") == _HASH else ">"
        magic, _, self.size = self._unpack("3I", data, 12)
        if magic != _HASH:
            raise StoreError("a store of Berkeley DB that is no hash")
        if not 512 <= self.size <= 65536 or self.size & (self.size - 1) or any(data[24:25]):
            raise StoreError("a damaged store: encrypted, or with pages of an impossible size")

    def page(self, number: int) -> bytes:
        page = self._data[number * self.size : (number + 1) * self.size]
        if len(page) != self.size:
            raise StoreError("a damaged store: it is cut off or leads out of itself")
        return page

    def items(self, page: bytes) -> list[tuple[bytes, int, int]]:
        """The page, start and end of each item on it."""
        (count,) = self._unpack("H", page, 20)
        starts = self._unpack(f"{count}H", page, _PAGE_HEAD)
        # They are laid down from the end of the page.
        return [(page, start, end) for start, end in zip(starts, (self.size, *starts), strict=False)]

    def key(self, page: bytes, start: int, end: int) -> bytes:
        """A number of four bytes, which is never on pages of its own."""
        kind = page[start] if start < end <= self.size else 0
        if kind != _KEYDATA:
            raise StoreError("a damaged store: a key of an unknown kind")
        return page[start + 1 : end]

    def item(self, page: bytes, start: int, end: int) -> bytes:
        kind = page[start] if start < end <= self.size else 0
        if kind == _KEYDATA:
            return page[start + 1 : end]
        if kind != _OFFPAGE:
            raise StoreError("a damaged store: an item of an unknown kind")
        number, left = self._unpack("2I", page, start + 4)
        if left > min(LONGEST, len(self._data)):
            raise StoreError("a damaged store: a package of an impossible size")
        parts: list[bytes] = []
        while left > 0:
            overflow = self.page(number)
            (used,) = self._unpack("H", overflow, 22)
            (number,) = self._unpack("I", overflow, 16)
            parts.append(overflow[_PAGE_HEAD : _PAGE_HEAD + min(used, left)])
            left -= len(parts[-1])
            if overflow[25] != _OVERFLOW or not parts[-1]:
                raise StoreError("a damaged store: a package that is cut off")
        return b"".join(parts)

    def _unpack(self, form: str, data: bytes, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(f"{self._order}{form}", data, at)
        except struct.error as error:
            raise StoreError("a damaged store: a number that is cut off") from error
