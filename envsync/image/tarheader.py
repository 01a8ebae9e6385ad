"""The fields of a tar header and of a pax extended header: bytes in, values out.

Formats: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (v7, ustar, pax) and
https://www.gnu.org/software/tar/manual/html_node/Standard.html (GNU: base-256 numbers, sparse files).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache

BLOCK = 512
"""Bytes of a header, and what all data is padded to."""

SPARSE_MAP_LIMIT = 1 << 20
"""Bytes of the map of a sparse file; also of every extended header."""

# name, mode, size, checksum, type, link name, magic, prefix
_FIELDS = struct.Struct("100s8s16x12s12x8sc100s8s80x155s12x")
_ZERO_BLOCK = bytes(BLOCK)
_NO_CHECKSUM = bytes(8)
_BIGGEST = (1 << 63) - 1

_KEYWORDS = {
    key.encode(): key
    for key in (
        "path",
        "linkpath",
        "size",
        "GNU.sparse.major",
        "GNU.sparse.map",
        "GNU.sparse.name",
        "GNU.sparse.realsize",
        "GNU.sparse.size",
    )
}
_SPANS = frozenset((b"GNU.sparse.offset", b"GNU.sparse.numbytes"))

RawHeader = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]


class FieldError(ValueError):
    """A field that breaks its format. Never leaves :mod:`envsync.image.tar`, which knows the place."""


def parse_fields(block: memoryview) -> RawHeader | None:
    """Name, mode, size, checksum, type, link name, magic and prefix of a header; ``None`` for a zero block.

    Raises:
        FieldError: the checksum does not fit, so this is no header.
    """
    fields: RawHeader = _FIELDS.unpack(block)
    checksum = fields[3]
    if checksum == _NO_CHECKSUM and block == _ZERO_BLOCK:
        return None
    # The low half of Adler-32 is 1 + the sum of all bytes, modulo 65521: twenty times faster than sum().
    total, (expected, own) = (zlib.adler32(block) & 0xFFFF) - 1, _checksum(checksum)
    if (total - own - expected) % 65521 and _signed_sum(block) != expected:
        raise FieldError("its checksum does not fit")
    return fields


@lru_cache(maxsize=8192)
def _checksum(field: bytes) -> tuple[int, int]:
    """What a checksum field says, and by how much the field itself, which counts as blanks, adds to the sum."""
    try:
        expected = parse_number(field)
    except FieldError:
        expected = -1
    return expected, sum(field) - 8 * 0x20


def _signed_sum(block: memoryview) -> int:
    """The checksum as old tars on machines with a signed ``char`` computed it."""
    signed: tuple[int, ...] = struct.unpack("148b8x356b", block)
    return sum(signed) + 8 * 0x20


def parse_number(field: bytes) -> int:
    """Parse an octal or base-256 field.

    Raises:
        FieldError: it is neither, negative, or too large for 63 bits.
    """
    digits = field.rstrip(b" \0")
    if digits.isdigit():  # nearly always
        try:
            return int(digits, 8)
        except ValueError:
            return _octal(digits)
    if field and field[0] & 0x80:
        if field[0] == 0xFF or field[0] & 0x40:
            raise FieldError("a number is negative")
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if number > _BIGGEST:
            raise FieldError("a number is larger than 63 bits")
        return number
    digits = digits.lstrip(b" \0").partition(b"\0")[0].rstrip(b" ")
    return _octal(digits) if digits else 0


def _octal(digits: bytes) -> int:
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise FieldError(f"{digits[:24]!r} is not an octal number")


def parse_text(field: bytes) -> str:
    """The text of a field up to its NUL; bytes that are not UTF-8 become surrogates (``surrogateescape``)."""
    return str(field.partition(b"\0")[0], "utf-8", "surrogateescape")


def parse_pax(data: bytes) -> dict[str, str]:
    """Parse the records ``length keyword=value\\n`` of an extended header.

    Of the keywords only those that say where the data is and what it is called are kept. The numbers of a
    sparse map in its oldest form, which repeats its keywords, come joined by commas as ``GNU.sparse.map``.

    Raises:
        FieldError: a record does not have the length that it claims, or no ``=``.
    """
    found: dict[str, str] = {}
    spans: list[str] = []
    for keyword, value in _pax_records(data):
        if keyword in _SPANS:
            spans.append(str(value, "ascii", "replace"))
        elif keyword in _KEYWORDS:
            found[_KEYWORDS[keyword]] = str(value, "utf-8", "surrogateescape")
    if spans:
        found.setdefault("GNU.sparse.map", ",".join(spans))
    return found


def _pax_records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = data[position:space] if space > 0 else b""
        if not length.isdigit():
            if not data[position:].strip(b"\0"):
                return
            raise FieldError("a pax record has no length")
        end = position + int(length)
        if end <= space + 1 or end > len(data) or data[end - 1] != 0x0A:
            raise FieldError("a pax record has a wrong length")
        keyword, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals:
            raise FieldError("a pax record has no value")
        yield keyword, value
        position = end


def parse_decimal(text: str) -> int:
    """A number of a pax record.

    Raises:
        FieldError: it is none, or too large for 63 bits.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > _BIGGEST:
        raise FieldError(f"{text[:24]!r} is not a size")
    return int(text)


Span = tuple[int, int]
"""Offset in the file and length of a part that is stored; the rest is zeros."""


def parse_sparse_numbers(numbers: list[str]) -> tuple[Span, ...]:
    """Pair up offsets and lengths.

    Raises:
        FieldError: they are no numbers, or not in pairs.
    """
    values = [parse_decimal(number) for number in numbers]
    if len(values) % 2:
        raise FieldError("a sparse map has an odd number of entries")
    return tuple(zip(values[::2], values[1::2], strict=True))


def parse_old_sparse(block: bytes, start: int, count: int) -> tuple[Span, ...]:
    """Pairs of an old GNU sparse header (``start`` 386, 4 pairs) or of its extensions (0, 21 pairs).

    Raises:
        FieldError: a number is malformed.
    """
    pairs = (block[at : at + 24] for at in range(start, start + 24 * count, 24))
    return tuple((parse_number(pair[:12]), parse_number(pair[12:])) for pair in pairs if pair.strip(b"\0"))


def check_spans(spans: tuple[Span, ...], stored: int, size: int) -> tuple[Span, ...]:
    """The spans, known to be in order, inside the file and as long together as what is stored.

    Raises:
        FieldError: they are not.
    """
    end = 0
    for offset, length in spans:
        if offset < end or offset + length > size:
            raise FieldError("a sparse map has spans that overlap or lie outside the file")
        end = offset + length
    if sum(length for _, length in spans) > stored:
        raise FieldError("a sparse map names more data than is stored")
    return spans
