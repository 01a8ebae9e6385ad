"""What a scan found of a layer, as bytes that can be kept."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from envsync.image.compression import pack, unpack
from envsync.model import Skipped
from envsync.rootfs.digests import FileDigests
from envsync.rootfs.names import LayerNames, PackedNames
from envsync.rootfs.scan import LayerContents

SCANNER = f"7-{sys.byteorder}"
"""To be raised with every change of what a scan finds, or of this encoding. Arrays are in the machine's byte order."""


class _Stored(Struct, kw_only=True, array_like=True):
    size: int
    names: PackedNames
    conflicts: list[bytes]
    whiteouts: list[bytes]
    opaque: list[bytes]
    hard_links: list[int]
    kept: dict[int, bytes]
    digests: tuple[bytes, bytes]
    elves: dict[int, bytes]
    undecodable: list[bytes]
    skipped: list[Skipped]
    skipped_more: int


def encode(contents: LayerContents) -> bytes:
    """A layer that was scanned to its end, whatever its number."""
    stored = _Stored(
        size=contents.size,
        names=contents.names.pack(),
        conflicts=_as_bytes(contents.conflicts),
        whiteouts=_as_bytes(contents.whiteouts),
        opaque=_as_bytes(contents.opaque),
        hard_links=contents.hard_links,
        kept=contents.kept,
        digests=contents.digests.packed,
        elves=contents.elves,
        undecodable=_as_bytes(contents.undecodable),
        skipped=contents.skipped,
        skipped_more=contents.skipped_more,
    )
    return pack(msgspec.msgpack.encode(stored))


def decode(data: bytes, number: int) -> LayerContents | None:
    """What :func:`encode` gave, as layer ``number``; ``None`` where the bytes are something else."""
    try:
        stored = msgspec.msgpack.decode(unpack(data), type=_Stored)
        return LayerContents(
            number=number,
            complete=True,
            size=stored.size,
            names=LayerNames.unpack(stored.names),
            conflicts=frozenset(_as_text(stored.conflicts)),
            whiteouts=set(_as_text(stored.whiteouts)),
            opaque=set(_as_text(stored.opaque)),
            hard_links=stored.hard_links,
            kept=stored.kept,
            digests=FileDigests(*stored.digests),
            elves=stored.elves,
            undecodable=_as_text(stored.undecodable),
            skipped=stored.skipped,
            skipped_more=stored.skipped_more,
        )
    except (ValueError, msgspec.MsgspecError):
        return None


def _as_bytes(texts: Iterable[str]) -> list[bytes]:
    return [text.encode("utf-8", "surrogateescape") for text in texts]


def _as_text(raw: list[bytes]) -> list[str]:
    return [str(each, "utf-8", "surrogateescape") for each in raw]
