"""Tables of SQLite files, of their bytes alone: https://www.sqlite.org/fileformat2.html.

The standard library opens files by their path, and bytes only since Python 3.11; and what an image says it has for a
table may be a view. Here is as much as reads all rows of a real table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from envsync.catalog.rpm.header import LONGEST, StoreError

MAGIC = b"SQLite format 3\0"

Value = int | float | bytes | str | None
Row = tuple[Value, ...]

_LEAF, _INNER = 13, 5
_FIXED = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Bytes that a value takes, by its serial type."""


def is_store(data: bytes) -> bool:
    """Whether a file is one of SQLite."""
    return data.startswith(MAGIC)


def blobs(data: bytes) -> Iterator[bytes]:
    """The headers of ``rpmdb.sqlite``.

    Raises:
        StoreError: it is damaged.
    """
    for row in Database(data).rows("Packages"):
        if len(row) < 3 or not isinstance(row[2], bytes):
            raise StoreError("a package without a header")
        yield row[2]


class Database:
    """A database, without what a write-ahead log beside it may hold."""

    def __init__(self, data: bytes) -> None:
        """Check the header of the file.

        Raises:
            StoreError: it is no such database.
        """
        if not is_store(data) or len(data) < 512:
            raise StoreError("no SQLite database")
        size: int = struct.unpack_from(">H", data, 16)[0]
        self._size = 65536 if size == 1 else size
        self._usable = self._size - data[20]
        if self._size < 512 or self._size & (self._size - 1) or self._usable < 480:
            raise StoreError("a SQLite database with pages of an impossible size")
        self._data = data
        self._room = 0

    def rows(self, table: str) -> Iterator[Row]:
        """All rows of a table: the number of each, which a primary key may stand for, and its columns.

        Raises:
            StoreError: it is absent or damaged.
        """
        for row in self._tree(1):
            if row[1:3] == ("table", table) and len(row) > 4 and isinstance(row[4], int):
                yield from self._tree(row[4])
                return
        raise StoreError(f"a SQLite database without the table {table}")

    def _tree(self, root: int) -> Iterator[Row]:
        waiting, seen = [root], set[int]()
        self._room = len(self._data)
        while waiting:
            number = waiting.pop()
            page = self._page(number)
            if number in seen:
                raise StoreError("a SQLite database whose pages lead in a circle")
            seen.add(number)
            start = 100 if number == 1 else 0
            kind = page[start]
            if kind not in (_LEAF, _INNER):
                raise StoreError("a SQLite database with a page that is of no table")
            (count,) = struct.unpack_from(">H", page, start + 3)
            first = start + (8 if kind == _LEAF else 12)
            if first + 2 * count > len(page):
                raise StoreError("a SQLite database with a damaged page")
            cells = struct.unpack_from(f">{count}H", page, first)
            if kind == _INNER:
                children = [_u32(page, cell) for cell in cells]
                waiting += [_u32(page, start + 8), *reversed(children)]
            else:
                yield from (self._row(page, cell) for cell in cells)

    def _row(self, page: bytes, at: int) -> Row:
        length, at = _varint(page, at)
        number, at = _varint(page, at)
        return number, *_columns(self._payload(page, at, length))

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        self._room -= length
        if self._room < 0 or length > LONGEST:
            raise StoreError("a SQLite database with rows of an impossible size")
        largest = self._usable - 35
        local = length
        if length > largest:
            least = (self._usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (self._usable - 4)
            local = local if local <= largest else least
        parts, left = [page[at : at + local]], length - local
        following = _u32(page, at + local) if left else 0
        while left > 0:
            overflow = self._page(following)
            following = _u32(overflow, 0)
            parts.append(overflow[4 : 4 + min(left, self._usable - 4)])
            left -= len(parts[-1])
        return b"".join(parts)

    def _page(self, number: int) -> bytes:
        page = self._data[(number - 1) * self._size : number * self._size] if number > 0 else b""
        if len(page) != self._size:
            raise StoreError("a SQLite database that is cut off or leads out of itself")
        return page


def _columns(payload: bytes) -> Row:
    end, at = _varint(payload, 0)
    values: list[Value] = []
    start = end
    while at < end:
        kind, at = _varint(payload, at)
        size = _FIXED[kind] if kind < len(_FIXED) else max(0, kind - 12) // 2
        data = payload[start : start + size]
        if len(data) != size:
            raise StoreError("a SQLite database with a row that is cut off")
        values.append(_value(kind, data))
        start += size
    return tuple(values)


def _value(kind: int, data: bytes) -> Value:
    if kind == 0:
        return None
    if kind <= 6:
        return int.from_bytes(data, "big", signed=True)
    if kind == 7:
        number: float = struct.unpack(">d", data)[0]
        return number
    if kind in (8, 9):
        return kind - 8
    return data if kind % 2 == 0 else data.decode("utf-8", "replace")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position in range(at, at + 8):
        if position >= len(data):
            raise StoreError("a SQLite database with a number that is cut off")
        value = value << 7 | data[position] & 0x7F
        if data[position] < 0x80:
            return value, position + 1
    # The ninth byte has eight bits; no honest length is so large.
    raise StoreError("a SQLite database with an impossible number")


def _u32(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise StoreError("a SQLite database with a number that is cut off")
    return int.from_bytes(data[at : at + 4], "big")
