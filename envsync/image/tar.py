"""Reading a tar archive as a list of entries, from a stream or straight from a file.

The standard library's reader takes many times as long for an entry, and an image may have a million of them. This
one does only what a view of an image needs: names, kinds, sizes and where the bytes are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, NoReturn, Protocol

from msgspec import Struct

from envsync.errors import CorruptImageError
from envsync.image.tarheader import (
    BLOCK,
    SPARSE_MAP_LIMIT,
    FieldError,
    Span,
    check_spans,
    parse_decimal,
    parse_fields,
    parse_number,
    parse_old_sparse,
    parse_pax,
    parse_sparse_numbers,
    parse_text,
)
from envsync.redaction import printable

Kind = Literal["file", "directory", "symlink", "hardlink", "other", "unknown"]

_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "other",
    b"4": "other",
    b"5": "directory",
    b"D": "directory",
    b"6": "other",
}
_WITHOUT_DATA = frozenset(b"123456")
_EXTENSIONS = frozenset((b"x", b"X", b"g", b"L", b"K"))
_SPARSE_KEYWORDS = frozenset(("GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.realsize", "GNU.sparse.size"))
_EXTENDED_HEADER_LIMIT = 1 << 20


_parse_mode = lru_cache(maxsize=256)(parse_number)


class TarEntry(Struct, frozen=True, gc=False):
    """One entry, without its name."""

    kind: Kind
    """``unknown``: of a type that no standard describes; its data is passed over."""
    mode: int
    """Permission bits."""
    size: int
    """Bytes of a file's contents, holes included; 0 for anything else."""
    offset: int
    """Of the data, from the beginning of the archive."""
    link: str
    """Target of a link, as stored; empty for anything else."""
    sparse: tuple[Span, ...] | None = None
    """The parts that are stored, one after the other; ``None`` for a file without holes."""


class TarSource(Protocol):
    """The bytes of an archive, to be read forwards."""

    def at(self, offset: int) -> memoryview:
        """Bytes from ``offset`` on, at least a block of them unless the archive ends; valid until the next call."""

    def end(self) -> int:
        """Length of the archive; known once :meth:`at` has returned nothing."""


class StreamSource:
    """An archive that arrives in chunks of any length, each valid until the next one is asked for."""

    def __init__(self, chunks: Iterable[memoryview]) -> None:
        self._chunks = iter(chunks)
        self._view = memoryview(b"")
        self._base = 0

    def at(self, offset: int) -> memoryview:
        """See :meth:`TarSource.at`; offsets must not go back."""
        while offset >= self._base + len(self._view):
            chunk = next(self._chunks, None)
            self._base += len(self._view)
            if chunk is None:
                self._view = memoryview(b"")
                return self._view
            self._view = chunk
        rest = self._view[offset - self._base :]
        if len(rest) >= BLOCK:
            return rest
        joined = bytearray(rest)
        self._base = offset
        for chunk in self._chunks:
            joined += chunk
            if len(joined) >= BLOCK:
                break
        self._view = memoryview(joined).toreadonly()
        return self._view

    def end(self) -> int:
        """See :meth:`TarSource.end`."""
        return self._base + len(self._view)


class TarReader:
    """The entries of one archive, in order, and the data of the one that was yielded last."""

    def __init__(self, source: TarSource, *, where: str) -> None:
        """``where`` names the archive in messages."""
        self._source = source
        self._where = where
        self.ended = False
        """Whether the mark of the end of an archive was seen."""

    def entries(self) -> Iterator[tuple[str, TarEntry]]:
        """Yield names as stored and entries. What follows the two zero blocks at the end is not read.

        Raises:
            CorruptImageError: a header is malformed, or the archive ends within an entry.
        """
        source = self._source
        defaults: dict[str, str] = {}
        view, base, position, data_end = memoryview(b""), 0, 0, 0
        extensions: dict[str, str] = {}
        while True:
            if position + BLOCK > len(view):
                base += position
                view, position = source.at(base), 0
                if len(view) < BLOCK:
                    self._check_end(data_end, base, len(view), pending=bool(extensions))
                    return
            offset = base + position
            block = view[position : position + BLOCK]
            position += BLOCK
            try:
                fields = parse_fields(block)
                if fields is None:
                    self._check_second_zero_block(offset + BLOCK)
                    return
                kind = fields[4]
                if kind in _EXTENSIONS:
                    stored = parse_number(fields[2])
                    found = self._extension(kind, offset + BLOCK, stored)
                    if kind == b"g":
                        defaults.update(found)
                    else:
                        extensions.update(found)
                else:
                    pax = {**defaults, **extensions} if extensions or defaults else None
                    extensions = {}
                    name, entry, stored, data_end = self._entry(fields, block, offset + BLOCK, pax)
                    yield name, entry
            except FieldError as error:
                self._fail(offset, str(error))
            if stored:
                position += -(-stored // BLOCK) * BLOCK
            if kind in _EXTENSIONS:
                data_end = offset + BLOCK + stored

    def _entry(
        self,
        fields: tuple[bytes, ...],
        block: memoryview,
        offset: int,
        pax: dict[str, str] | None,
    ) -> tuple[str, TarEntry, int, int]:
        """Name, entry, bytes stored after the header, and where the data ends."""
        raw_name, raw_mode, raw_size, _, flag, raw_link, magic, prefix = fields
        name = parse_text(raw_name)
        if prefix[0] and magic[:6] == b"ustar\0":
            # star keeps times in the last 24 bytes of the prefix.
            folder = prefix[:131] if bytes(block[508:]) == b"tar\0" else prefix
            name = f"{parse_text(folder)}/{name}"
        stored = parse_number(raw_size)
        link = ""
        kind = _KINDS.get(flag, "unknown")
        if pax is not None:
            name = pax.get("path", name)
            if "size" in pax:
                stored = parse_decimal(pax["size"])
        if flag in b"12":
            link = parse_text(raw_link) if pax is None or "linkpath" not in pax else pax["linkpath"]
        elif flag == b"\0" and name.endswith("/"):
            kind = "directory"  # v7 has no type for folders
        if flag[0] in _WITHOUT_DATA:
            stored = 0
        mode = _parse_mode(raw_mode) & 0o7777
        end = offset + stored
        if flag == b"S":
            spans, size, skipped = self._old_sparse(bytes(block), offset, stored)
            entry = TarEntry(kind, mode, size, offset + skipped, "", spans)
            return name, entry, stored + skipped, end + skipped
        if pax is not None and kind == "file" and not _SPARSE_KEYWORDS.isdisjoint(pax):
            name = pax.get("GNU.sparse.name", name)
            spans, size, skipped = self._pax_sparse(pax, offset, stored)
            return name, TarEntry(kind, mode, size, offset + skipped, "", spans), stored, end
        return (
            name,
            TarEntry(kind, mode, stored if kind == "file" else 0, offset, link),
            stored,
            end,
        )

    def _extension(self, kind: bytes, offset: int, size: int) -> dict[str, str]:
        if size > _EXTENDED_HEADER_LIMIT:
            raise FieldError(f"an extended header of {size} bytes (expected at most {_EXTENDED_HEADER_LIMIT})")
        data = self._read_exactly(offset, size)
        if kind == b"L":
            return {"path": parse_text(data)}
        if kind == b"K":
            return {"linkpath": parse_text(data)}
        return parse_pax(data)

    def _old_sparse(self, block: bytes, offset: int, stored: int) -> tuple[tuple[Span, ...], int, int]:
        """Spans, size with holes, and bytes of extension blocks before the data."""
        spans, size = parse_old_sparse(block, 386, 4), parse_number(block[483:495])
        more, skipped = block[482], 0
        while more:
            if skipped >= SPARSE_MAP_LIMIT:
                raise FieldError("a sparse map is too long")
            extension = self._read_exactly(offset + skipped, BLOCK)
            spans += parse_old_sparse(extension, 0, 21)
            more = extension[504]
            skipped += BLOCK
        return check_spans(spans, stored, size), size, skipped

    def _pax_sparse(self, pax: dict[str, str], offset: int, stored: int) -> tuple[tuple[Span, ...], int, int]:
        """Spans, size with holes, and bytes of the map before the data (in version 1.0)."""
        size = parse_decimal(pax.get("GNU.sparse.realsize") or pax.get("GNU.sparse.size") or str(stored))
        if pax.get("GNU.sparse.major") != "1":
            numbers = pax.get("GNU.sparse.map", "")
            return (
                check_spans(parse_sparse_numbers(numbers.split(",") if numbers else []), stored, size),
                size,
                0,
            )
        lines: list[str] = []
        text, count, skipped = b"", 1, 0
        while len(lines) < count:
            if skipped >= min(stored, SPARSE_MAP_LIMIT):
                raise FieldError("a sparse map is too long")
            text += self._read_exactly(offset + skipped, BLOCK)
            skipped += BLOCK
            *complete, text = text.split(b"\n")
            lines.extend(str(line, "ascii", "replace") for line in complete)
            if lines:
                count = 1 + 2 * parse_decimal(lines[0])
        spans = check_spans(parse_sparse_numbers(lines[1:count]), stored - skipped, size)
        return spans, size, skipped

    def read(self, entry: TarEntry) -> bytes:
        """The contents of a file that was yielded last, holes filled. The caller has judged its size.

        Raises:
            CorruptImageError: the archive ends before.
        """
        return read_contents(entry, self._read_exactly)

    def pieces(self, entry: TarEntry) -> Iterator[memoryview]:
        """The contents of a file that was yielded last, piece by piece, each valid until the next one is asked for.

        Raises:
            CorruptImageError: the archive ends before.
        """
        if entry.sparse is not None:
            yield memoryview(self.read(entry))
            return
        done = 0
        while done < entry.size:
            view = self._source.at(entry.offset + done)[: entry.size - done]
            if not len(view):
                self._fail_truncated(entry.offset + entry.size - self._source.end())
            done += len(view)
            yield view

    def _read_exactly(self, offset: int, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            view = self._source.at(offset + len(data))
            if not len(view):
                self._fail_truncated(offset + size - self._source.end())
            data += view[: size - len(data)]
        return bytes(data)

    def _check_second_zero_block(self, offset: int) -> None:
        self.ended = True
        second = self._source.at(offset)[:BLOCK]
        if any(second):
            raise FieldError("a zero block that is not followed by another one")

    def _check_end(self, data_end: int, offset: int, rest: int, *, pending: bool) -> None:
        end = self._source.end()
        if data_end > end:
            self._fail_truncated(data_end - end)
        # Some writers leave out the padding of the last file, and many the zero blocks.
        if rest:
            self._fail_truncated(BLOCK - rest)
        if pending:
            self._fail(offset, "an extended header that no entry follows")

    def _fail_truncated(self, missing: int) -> NoReturn:
        raise CorruptImageError(
            f"{self._where}: truncated: the tar archive ends {missing} bytes too early",
            hint="Save or copy the image again.",
        )

    def _fail(self, offset: int, reason: str) -> NoReturn:
        raise CorruptImageError(f"{self._where}: malformed tar archive: at byte {offset}: {printable(reason)}")


class ReadExactly(Protocol):
    """Reads so many bytes from an offset of an archive."""

    def __call__(self, offset: int, size: int, /) -> bytes:
        """Return exactly ``size`` bytes."""


def read_contents(entry: TarEntry, read: ReadExactly) -> bytes:
    """The contents of a file, with the holes of a sparse one filled; ``read`` takes offset and size."""
    if entry.sparse is None:
        return read(entry.offset, entry.size)
    contents = bytearray(entry.size)
    stored = entry.offset
    for offset, length in entry.sparse:
        contents[offset : offset + length] = read(stored, length)
        stored += length
    return bytes(contents)
