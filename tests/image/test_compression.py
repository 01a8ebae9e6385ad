"""Decompression of streams: every way to cut them, several members, and damage."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import CorruptImageError, ImageError
from envsync.image.compression import CHUNK, decompress, detect
from tests.image.layers import COMPRESS

PLAIN = os.urandom(100_000) + bytes(9 << 20) + b"the end"
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def cut(data: bytes, length: int) -> Iterator[memoryview]:
    return (memoryview(data)[start : start + length] for start in range(0, len(data), length))


def plain(data: bytes, length: int = 5000) -> bytes:
    compression = detect(data[:8], where="layer")
    pieces = [bytes(piece) for piece in decompress(cut(data, length), compression, where="layer")]
    assert all(len(piece) <= 2 * CHUNK for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("length", [777, 65536, 1 << 24])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_streams_of_several_members(compression: str, length: int) -> None:
    packed = COMPRESS[compression](PLAIN)
    empty = COMPRESS[compression](b"")
    assert plain(packed, length) == PLAIN
    assert plain(empty + packed + packed, length) == PLAIN + PLAIN


def test_padding_and_skippable_frames() -> None:
    assert plain(gzip.compress(PLAIN) + bytes(70_000)) == PLAIN
    assert plain(SKIPPABLE + COMPRESS["zstd"](PLAIN) + SKIPPABLE) == PLAIN


def test_very_many_gzip_members() -> None:
    assert plain(gzip.compress(b"x") * 20_000, 1 << 20) == b"x" * 20_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(PLAIN)[:-1], "layer: truncated: the gzip data ends too early"),
        (gzip.compress(PLAIN)[:50], "layer: truncated: the gzip data ends too early"),
        (
            gzip.compress(PLAIN) + b"junk" * 3,
            "layer: damaged gzip data: ",
        ),
        (b"\x1f\x8b\x08\0junkjunk\xff\xff", "layer: damaged gzip data: "),
        (
            COMPRESS["zstd"](PLAIN) + b"junk",
            "layer: damaged zstd data: zstd decompress error: Unknown frame descriptor",
        ),
    ],
    ids=["without its end", "cut early", "junk behind", "junk inside", "junk behind zstd"],
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(CorruptImageError) as caught:
        plain(data)
    assert caught.value.message.startswith(message)


def test_zlib_takes_the_place_of_a_faster_library(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(PLAIN)
    assert plain(packed) == PLAIN
    monkeypatch.setitem(sys.modules, "isal", None)
    assert plain(packed) == PLAIN
    with pytest.raises(CorruptImageError) as caught:
        plain(packed[:-8] + bytes(8))
    assert caught.value.message == "layer: damaged gzip data: Error -3 while decompressing data: incorrect data check"


@given(
    st.sampled_from([b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", SKIPPABLE]), st.binary(max_size=300), st.integers(1, 100)
)
def test_garbage_is_corrupt_or_nothing(start: bytes, rest: bytes, length: int) -> None:
    with contextlib.suppress(CorruptImageError):
        plain(start + rest, length)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_changed_bytes_are_corrupt_or_change_the_contents(compression: str, position: int, value: int) -> None:
    packed = bytearray(COMPRESS[compression](PLAIN[:5000]))
    packed[position % len(packed)] = value
    with contextlib.suppress(ImageError):
        plain(bytes(packed), 400)


def test_zstd_with_an_endless_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = packed.compress(b"x" * 100) + packed.flush()
    with pytest.raises(CorruptImageError) as caught:
        plain(data)
    assert "requires too much memory" in caught.value.message
