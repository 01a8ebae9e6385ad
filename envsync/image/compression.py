"""How bytes are compressed, told by their first bytes, and their decompression in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Any, Literal, cast

from envsync.errors import CorruptImageError, ImageError

Compression = Literal["none", "gzip", "zstd"]

CHUNK = 1 << 21
"""Bytes that are read, hashed or decompressed at a time."""

_FEED = 1 << 19
_LEAST_FEED = 1 << 12
"""Bytes given to inflate at a time. It copies what it leaves: where members are tiny, it is given less."""

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_UNSUPPORTED = (
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"\x1f\x9d", "compress (.Z)"),
)
_OTHER_FORMATS = (
    (b"PK\x03\x04", "a zip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (b"\x7fELF", "an ELF program"),
    (b"MZ", "a Windows program"),
    (b"hsqs", "a SquashFS image"),
    (b"SIF_MAGIC", "an Apptainer image"),
    (b"#!", "a script"),
    (b"%PDF", "a PDF"),
    (b"!<arch>\n", "an ar archive, such as a .deb"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"QFI\xfb", "a QEMU disk image"),
    (b"<", "HTML or XML, such as the error page of a failed download"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)


def detect(head: bytes, *, where: str) -> Compression:
    """Tell the compression from at least the first 8 bytes.

    Raises:
        ImageError: it is one that no image may use.
    """
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    # A zstd stream may begin with a skippable frame, whose magic ends in any of 16 digits.
    if head[:4] == _ZSTD_MAGIC or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"
    for magic, name in _UNSUPPORTED:
        if head.startswith(magic):
            raise ImageError(f"{where}: compressed with {name} (expected gzip, zstd or none)")
    return "none"


def looks_like(head: bytes) -> str:
    """What a file that is no tar archive seems to be, for a message; ``head`` is its first bytes."""
    if not head:
        return "an empty file"
    if head[32769:32774] == b"CD001":
        return "an ISO image"
    for magic, name in _OTHER_FORMATS:
        if head.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(magic):
            return name
    if not head[:512].strip(b"\0"):
        return "a file of zeros"
    if all(32 <= byte < 127 or byte in b"\t\r\n\f" for byte in head[:512]):
        return "text"
    return "unknown binary data"


def decompress(chunks: Iterator[memoryview], compression: Compression, *, where: str) -> Iterator[memoryview]:
    """Yield the plain bytes of a blob, in pieces that are valid until the next but one is asked for.

    That is what it asks of ``chunks``, too.

    Raises:
        CorruptImageError: the compressed data is damaged or ends early.
    """
    match compression:
        case "none":
            return chunks
        case "gzip":
            return _merged(_gunzip(chunks, where))
        case "zstd":
            return _unzstd(chunks, where)


def _inflate() -> Any:
    """ISA-L's inflate, about twice as fast as zlib's; zlib's own where it is not to be had."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


def _gunzip(chunks: Iterator[memoryview], where: str) -> Iterator[bytes]:
    """All members of a gzip stream, one after the other, and padding zeros: https://www.rfc-editor.org/rfc/rfc1952."""
    inflate = _inflate()
    member = inflate.decompressobj(wbits=31)
    inside, most = True, _FEED
    try:
        for chunk in chunks:
            position = 0
            while position < len(chunk):
                feed = chunk[position : position + most]
                if not inside:
                    if not any(feed[:1]):  # padding, by a zero byte
                        position += max(1, len(feed) - len(bytes(feed).lstrip(b"\0")))
                        continue
                    member, inside = inflate.decompressobj(wbits=31), True
                plain = member.decompress(feed, CHUNK)
                # At the end of a member the tail may be stale: it then repeats the unused data.
                position += len(feed) - len(member.unused_data if member.eof else member.unconsumed_tail)
                if plain:
                    yield plain
                while not member.eof and len(plain) == CHUNK and not member.unconsumed_tail:
                    # All input is taken, but the window may hold more output.
                    plain = member.decompress(b"", CHUNK)
                    if plain:
                        yield plain
                inside = not member.eof
                most = min(2 * most, _FEED) if inside else max(most // 8, _LEAST_FEED)
    except (zlib.error, inflate.error) as error:
        raise CorruptImageError(f"{where}: damaged gzip data: {error}", hint=_COPY_AGAIN) from error
    if inside:
        raise CorruptImageError(f"{where}: truncated: the gzip data ends too early", hint=_COPY_AGAIN)


_COPY_AGAIN = "Save or copy the image again."


def _merged(pieces: Iterator[bytes]) -> Iterator[memoryview]:
    """Pieces of about :data:`CHUNK`: each costs its taker some 50 µs, whatever its length."""
    pending: list[bytes] = []
    length = 0
    for piece in pieces:
        pending.append(piece)
        length += len(piece)
        if length >= CHUNK:
            yield memoryview(b"".join(pending) if len(pending) > 1 else piece)
            pending, length = [], 0
    if pending:
        yield memoryview(b"".join(pending))


def _unzstd(chunks: Iterator[memoryview], where: str) -> Iterator[memoryview]:
    """All frames of a zstd stream, skippable ones passed over: https://www.rfc-editor.org/rfc/rfc8878."""
    import zstandard

    # zstandard asks no more of a file than read(), and takes any buffer from it.
    source = cast("IO[bytes]", _Chunks(chunks))
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_size=CHUNK, read_across_frames=True)
    try:
        while plain := reader.read(CHUNK):
            yield memoryview(plain)
    except zstandard.ZstdError as error:
        raise CorruptImageError(f"{where}: damaged zstd data: {error}", hint=_COPY_AGAIN) from error


class _Chunks:
    """Chunks as the file that zstandard reads from."""

    def __init__(self, chunks: Iterator[memoryview]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> memoryview:
        while not len(self._rest):
            chunk = next(self._chunks, None)
            if chunk is None:
                return memoryview(b"")
            self._rest = chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def pack(data: bytes) -> bytes:
    """Compress what is kept on this machine."""
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress(data)


def unpack(data: bytes) -> bytes:
    """What :func:`pack` compressed.

    Raises:
        ValueError: it is something else.
    """
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
