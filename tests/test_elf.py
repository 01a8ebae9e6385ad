from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.elf import Elf, parse_elf

LIBRARY = b"/lib64/ld-linux-x86-64.so.2"


def made(*, wide: bool = True, order: str = "<", machine: int = 62, defines: int = 2) -> bytes:
    """A small library: needs libc.so.6 with two versions, and libm.so.6 with none; defines ME_1 and ME_2."""
    strings = b"\0libc.so.6\0libm.so.6\0me.so.1\0$ORIGIN/../me.libs:/opt/lib\0GLIBC_2.17\0GLIBC_2.2.5\0ME_1\0ME_2\0"
    strings += LIBRARY + b"\0"

    def at(text: bytes) -> int:
        return strings.index(b"\0" + text) + 1

    header, segment, entry = (64, 56, "QQ") if wide else (52, 32, "II")
    base = 0x1000
    start = header + 3 * segment
    needs = start + len(strings)
    versions = struct.pack(order + "HHIII", 1, 2, at(b"libc"), 16, 0)
    versions += struct.pack(order + "IHHII", 0, 0, 2, at(b"GLIBC_2.17"), 16)
    versions += struct.pack(order + "IHHII", 0, 0, 3, at(b"GLIBC_2.2.5"), 0)
    defined = needs + len(versions)
    for number, text in enumerate([b"me.so.1", b"ME_1"] + [b"ME_2"] * (defines - 1)):
        following = 28 if number < defines else 0
        versions += struct.pack(order + "HHHHIIIII", 1, not number, number + 1, 1, 0, 20, following, at(text), 0)
    dynamic = needs + len(versions)
    entries = [(1, at(b"libc")), (1, at(b"libm")), (14, at(b"me.so")), (29, at(b"$ORIGIN")), (5, base + start)]
    entries += [(0x6FFFFFFE, base + needs), (0x6FFFFFFF, 1)]
    entries += [(0x6FFFFFFC, base + defined), (0x6FFFFFFD, defines + 1), (10, len(strings)), (0, 0), (1, at(b"me.so"))]
    table = b"".join(struct.pack(order + entry, *pair) for pair in entries)
    total = dynamic + len(table)
    parts = [
        (1, 0, base, total),
        (2, dynamic, base + dynamic, len(table)),
        (3, start + at(LIBRARY), base, len(LIBRARY) + 1),
    ]
    layout = "HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"
    data = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    data += struct.pack(order + layout, 3, machine, 1, 0, header, 0, 0, header, segment, 3, 0, 0, 0)
    for kind, offset, address, size in parts:
        if wide:
            data += struct.pack(order + "IIQQQQQQ", kind, 4, offset, address, address, size, size, 1)
        else:
            data += struct.pack(order + "IIIIIIII", kind, offset, address, address, size, size, 4, 1)
    return data + strings + versions + table


@pytest.mark.parametrize(
    ("wide", "order", "number", "machine"),
    [
        (True, "<", 62, "x86_64"),
        (False, "<", 3, "i686"),
        (True, ">", 22, "s390x"),
        (True, ">", 21, "ppc64"),
        (True, "<", 21, "ppc64le"),
        (False, "<", 40, "armv7l"),
        (True, "<", 9999, "machine-9999"),
    ],
)
def test_what_a_library_needs(wide: bool, order: str, number: int, machine: str) -> None:
    data = made(wide=wide, order=order, machine=number)
    expected = Elf(
        bits=64 if wide else 32,
        endianness="little" if order == "<" else "big",
        machine=machine,
        interpreter=LIBRARY.decode(),
        dynamic=True,
        needed=("libc.so.6", "libm.so.6"),
        soname="me.so.1",
        runpath=("$ORIGIN/../me.libs", "/opt/lib"),
        version_needed={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.2.5")},
        version_defined=("ME_1", "ME_2"),
    )
    assert parse_elf(data) == expected
    assert parse_elf(io.BytesIO(data)) == expected


def test_a_library_that_is_named_again_and_again_has_all_its_versions() -> None:
    """As often as is allowed; in time that grows with it, and not with its square."""
    once, last = (struct.pack("<HHIII", 1, 2, 1, 16, following) for following in (48, 0))
    names = struct.pack("<IHHII", 0, 0, 2, 3, 16) + struct.pack("<IHHII", 0, 0, 2, 5, 0)
    versions = (once + names) * 1_998 + last + names
    start = 64 + 2 * 56
    entries = [(5, start), (10, 7), (0x6FFFFFFE, start + 7), (0x6FFFFFFF, 1_999), (0, 0)]
    table = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    place = start + 7 + len(versions)
    data = b"\x7fELF\x02\x01\x01" + bytes(9)
    data += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    for kind, offset, size in ((1, 0, place), (2, place, len(table))):
        data += struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, size, size, 1)
    elf = parse_elf(data + b"\0x\0A\0B\0" + versions + table)
    assert elf is not None
    assert elf.version_needed == {"x": ("A", "B")}


def test_a_version_that_may_be_absent_is_not_needed() -> None:
    asked, weak = (struct.pack("<IHH", 0, flags, 3) for flags in (0, 2))
    elf = parse_elf(made().replace(asked, weak))
    assert elf is not None
    assert elf.version_needed == {"libc.so.6": ("GLIBC_2.17",)}


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF\x03\x01" + bytes(60), b"\xcf\xfa\xed\xfe" * 20]
)
def test_what_is_no_elf_file(data: bytes) -> None:
    assert parse_elf(data) is None


def test_a_name_that_could_control_a_terminal_makes_the_file_a_damaged_one() -> None:
    assert parse_elf(made().replace(b"libm.so.6", b"lib\x1b[1m.6")) is None
    assert parse_elf(made().replace(b"libm.so.6", b"lib\xff\xff.so6")) is None


def test_against_readelf() -> None:
    tool = shutil.which("readelf")
    if tool is None:
        pytest.skip("no readelf on this machine")
    tried = 0
    for path in [Path(sys.executable).resolve(), Path(tool).resolve(), *sorted(Path("/usr/lib").rglob("*.so*"))[:200]]:
        if not path.is_file():
            continue
        with path.open("rb") as stream:
            elf = parse_elf(stream)
        if elf is None or not elf.dynamic:
            continue
        done = subprocess.run([tool, "-d", "-V", "-W", path], capture_output=True, text=True, check=False, timeout=60)
        assert list(elf.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", done.stdout), path
        assert [elf.soname] == (re.findall(r"\(SONAME\).*\[(.*)\]", done.stdout) or [None]), path
        needs = done.stdout.partition("Version needs section")[2]
        assert sorted(elf.version_needed) == sorted(re.findall(r"File: (\S+)", needs)), path
        names = [name for versions in elf.version_needed.values() for name in versions]
        assert sorted(names) == sorted(re.findall(r"Name: (\S+)  Flags: none", needs)), path
        definitions = done.stdout.partition("Version definition section")[2].partition("Version needs section")[0]
        assert list(elf.version_defined) == re.findall(r"Flags: (?:none|WEAK) .*Name: (\S+)", definitions), path
        tried += 1
    assert tried > 5


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    parse_elf(b"\x7fELF\x02\x01" + data)


@given(st.lists(st.tuples(st.integers(4, 500), st.integers(0, 255)), max_size=12), st.booleans())
def test_a_damaged_library(changes: list[tuple[int, int]], wide: bool) -> None:
    data = bytearray(made(wide=wide))
    for place, value in changes:
        data[place % len(data)] = value
    elf = parse_elf(bytes(data))
    if elf is not None:
        assert all(name.isprintable() for name in (*elf.needed, *elf.version_needed, *elf.version_defined))


def test_more_versions_than_any_library_has_make_it_a_damaged_one() -> None:
    elf = parse_elf(made(defines=4000))
    assert elf is not None
    assert len(elf.version_defined) == 4000
    assert parse_elf(made(defines=6000)) is None


@given(st.integers(0, 800))
def test_a_library_that_ends_early(size: int) -> None:
    parse_elf(made()[:size])
