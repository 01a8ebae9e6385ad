"""Members of a wheel from pieces of it: the directory at the end of a zip file, and what it points to.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3; ``zipfile`` would need a file that can be read
anywhere, and asks for its pieces one after the other.
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

from msgspec import Struct

from envsync.errors import PackageIndexError
from envsync.redaction import printable

LARGEST_MEMBER = 32 << 20
"""Bytes of a member that is unpacked; the RECORD of the largest wheels has some 2 MiB."""

_LARGEST_DIRECTORY = 32 << 20
_MOST_MEMBERS = 200_000
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MARK = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_MARK = b"PK\x06\x06"
_HEADER = struct.Struct("<4s6H3L5H2L")
_HEADER_MARK = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MARK = b"PK\x03\x04"
_ENCRYPTED, _UTF8 = 0x1, 0x800
_STORED, _DEFLATED = 0, 8
_LONGEST_NAME = 1000
_LOCAL_EXTRA = 1 << 16


class WheelError(PackageIndexError):
    """A wheel that is damaged, or made to do harm."""


class Span(Struct, frozen=True):
    """Bytes of a file: ``end`` is not among them."""

    start: int
    end: int


class Member(Struct, frozen=True, kw_only=True):
    """What the directory says of a file in a wheel."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    span: Span
    """Where its header and its content are, at most."""


def directory_span(tail: bytes, total: int, where: str) -> Span:
    """Where the directory is, by the last bytes of a file of ``total`` bytes.

    Raises:
        WheelError: it is no zip file, or one that no tool writes a wheel as.
    """
    place = tail.rfind(_END_MARK)
    while place >= 0 and not _ends(tail, place):
        place = tail.rfind(_END_MARK, 0, place)
    if place < 0:
        raise WheelError(f"{where}: no zip file (expected a wheel)")
    _, disk, first, here, count, size, start, _ = _END.unpack_from(tail, place)
    base = total - len(tail)
    at = place - _LOCATOR.size
    if at >= 0 and tail[at : at + 4] == _LOCATOR_MARK:
        found = _LOCATOR.unpack_from(tail, at)[2] - base
        if not 0 <= found <= at - _END64.size or tail[found : found + 4] != _END64_MARK:
            raise WheelError(f"{where}: the end of its directory is not where it says")
        disk, first, here, count, size, start = _END64.unpack_from(tail, found)[4:]
        place = found
    if disk or first or here != count:
        raise WheelError(f"{where}: one of several volumes (expected a whole wheel)")
    if count > _MOST_MEMBERS or size > _LARGEST_DIRECTORY:
        raise WheelError(f"{where}: a directory of {count} members (expected at most {_MOST_MEMBERS})")
    if start + size > base + place:
        raise WheelError(f"{where}: its directory is longer than the file")
    return Span(start, start + size)


def _ends(tail: bytes, place: int) -> bool:
    """Whether the record there ends with the file: its mark may be part of a comment."""
    return len(tail) >= place + _END.size and place + _END.size + _END.unpack_from(tail, place)[7] == len(tail)


def parse_directory(data: bytes, span: Span, where: str) -> tuple[Member, ...]:
    """All members, in the order of the directory.

    Raises:
        WheelError: it is damaged, or has a name twice.
    """
    found: list[Member] = []
    position = 0
    while position < len(data):
        if len(data) < position + _HEADER.size or data[position : position + 4] != _HEADER_MARK:
            raise WheelError(f"{where}: its directory is damaged")
        fields = _HEADER.unpack_from(data, position)
        flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
        name_size, extra_size, comment_size, offset = *fields[10:13], fields[16]
        begin = position + _HEADER.size
        position = begin + name_size + extra_size + comment_size
        if position > len(data) or len(found) >= _MOST_MEMBERS:
            raise WheelError(f"{where}: its directory is damaged")
        raw = data[begin : begin + name_size]
        extra = data[begin + name_size : begin + name_size + extra_size]
        size, packed, offset = _wide(extra, size, packed, offset)
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        end = min(offset + _LOCAL.size + name_size + _LOCAL_EXTRA + packed, span.start)
        if offset + _LOCAL.size > span.start:
            raise WheelError(f"{where}: {printable(name)[:100]}: not where the directory says")
        if flags & _ENCRYPTED or len(name) > _LONGEST_NAME:
            raise WheelError(f"{where}: {printable(name)[:100]}: encrypted, or of a name that is too long")
        found.append(Member(name=name, method=method, crc=crc, packed=packed, size=size, span=Span(offset, end)))
    if len({member.name for member in found}) != len(found):
        raise WheelError(f"{where}: has two members of one name")
    return _bounded(found)


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset, those that do not fit from the zip64 field: 4.5.3."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{min(length, len(extra) - position - 4) // 8}Q", extra, position + 4))
            size, packed, offset = (
                next(values, each) if each == 0xFFFFFFFF else each for each in (size, packed, offset)
            )
        position += 4 + length
    return size, packed, offset


def _bounded(members: list[Member]) -> tuple[Member, ...]:
    """No member reaches into the one behind it: local headers may be longer than the directory lets expect."""
    starts = sorted({member.span.start for member in members})
    following = dict(pairwise(starts))
    bounded = []
    for member in members:
        end = min(member.span.end, following.get(member.span.start, member.span.end))
        bounded.append(
            Member(
                name=member.name,
                method=member.method,
                crc=member.crc,
                packed=member.packed,
                size=member.size,
                span=Span(member.span.start, end),
            )
        )
    return tuple(bounded)


def unpack(member: Member, data: bytes, where: str) -> bytes:
    """The content of a member, from the bytes of its span.

    Raises:
        WheelError: it is damaged, too large, or not what the directory says.
    """
    place = f"{where}: {printable(member.name)[:200]}"
    if member.size > LARGEST_MEMBER or member.packed > LARGEST_MEMBER + (1 << 16):
        raise WheelError(f"{place}: {member.size} bytes (expected at most {LARGEST_MEMBER})")
    if len(data) < _LOCAL.size or data[:4] != _LOCAL_MARK:
        raise WheelError(f"{place}: not where the directory says")
    fields = _LOCAL.unpack_from(data)
    begin = _LOCAL.size + fields[9] + fields[10]
    name = data[_LOCAL.size : _LOCAL.size + fields[9]]
    packed = data[begin : begin + member.packed]
    if fields[3] != member.method or len(packed) != member.packed or not _same_name(name, member.name):
        raise WheelError(f"{place}: its header is not what the directory says")
    content = _inflated(packed, member, place)
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise WheelError(f"{place}: damaged (its size or its checksum is another)")
    return content


def _same_name(raw: bytes, name: str) -> bool:
    return name in (raw.decode("utf-8", "replace"), raw.decode("cp437"))


def _inflated(packed: bytes, member: Member, place: str) -> bytes:
    if member.method == _STORED:
        return packed
    if member.method != _DEFLATED:
        raise WheelError(f"{place}: compressed by method {member.method} (expected deflate)")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return unpacker.decompress(packed, member.size + 1)
    except zlib.error as error:
        raise WheelError(f"{place}: damaged ({error})") from error
