"""ELF files of the smallest kind: nothing but what their dynamic section says."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

_STRTAB, _SONAME, _RPATH, _RUNPATH = 5, 14, 15, 29
_BASE = 0x1000
_START = 64 + 2 * 56


def elf(
    *needed: str,
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    asks: Mapping[str, Sequence[str]] | None = None,
    defines: Sequence[str] = (),
    machine: int = 62,
) -> bytes:
    """``asks``: versions of symbols by soname; ``machine``: 62 is x86_64, 183 aarch64, 3 i686."""
    asks = asks or {}
    table = b"\0"
    places: dict[str, int] = {}
    names = [*needed, soname, rpath, runpath, *asks, *(name for names in asks.values() for name in names), *defines]
    for name in names:
        places[name] = len(table)
        table += name.encode() + b"\0"
    asked = b""
    for position, (library, versions) in enumerate(asks.items(), 1):
        following = 16 + 16 * len(versions) if position < len(asks) else 0
        asked += struct.pack("<HHIII", 1, len(versions), places[library], 16, following)
        for number, version in enumerate(versions, 1):
            asked += struct.pack("<IHHII", 0, 0, 2, places[version], 16 if number < len(versions) else 0)
    defined = b""
    for number, version in enumerate(defines, 1):
        following = 28 if number < len(defines) else 0
        defined += struct.pack("<HHHHIIIII", 1, 0, number + 1, 1, 0, 20, following, places[version], 0)
    dynamic = [(1, places[name]) for name in needed]
    dynamic += [(tag, places[name]) for tag, name in ((_SONAME, soname), (_RPATH, rpath), (_RUNPATH, runpath)) if name]
    dynamic += [(_STRTAB, _BASE + _START), (10, len(table))]
    if asks:
        dynamic += [(0x6FFFFFFE, _BASE + _START + len(table)), (0x6FFFFFFF, len(asks))]
    if defines:
        dynamic += [(0x6FFFFFFC, _BASE + _START + len(table) + len(asked)), (0x6FFFFFFD, len(defines))]
    section = b"".join(struct.pack("<QQ", *entry) for entry in (*dynamic, (0, 0)))
    place = _START + len(table) + len(asked) + len(defined)
    data = b"\x7fELF\x02\x01\x01" + bytes(9)
    data += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    for kind, offset, size in ((1, 0, place + len(section)), (2, place, len(section))):
        data += struct.pack("<IIQQQQQQ", kind, 4, offset, _BASE + offset, _BASE + offset, size, size, 1)
    return data + table + asked + defined + section
