"""The oldest platform that has what compiled files ask for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.elf import Elf
from envsync.wheel.platform import platform_of


def elf(needed: tuple[str, ...] = ("libc.so.6",), machine: str = "x86_64", **versions: tuple[str, ...]) -> Elf:
    asked = {"libc.so.6" if name == "libc" else "libstdc++.so.6": value for name, value in versions.items()}
    return Elf(bits=64, endianness="little", machine=machine, dynamic=True, needed=needed, version_needed=asked)


@pytest.mark.parametrize(
    ("file", "platform"),
    [
        (elf(), "manylinux_2_5_x86_64"),
        (elf(libc=("GLIBC_2.2.5", "GLIBC_2.17")), "manylinux_2_17_x86_64"),
        (elf(libc=("GLIBC_2.3.4", "GLIBC_2.34")), "manylinux_2_34_x86_64"),
        (elf(libc=("GLIBC_ABI_DT_RELR",)), "manylinux_2_36_x86_64"),
        (elf(("libstdc++.so.6",), cxx=("GLIBCXX_3.4.21", "CXXABI_1.3.8")), "manylinux_2_24_x86_64"),
        (elf(("libexpat.so.1",)), "manylinux_2_12_x86_64"),
        (elf(("ld-linux-x86-64.so.2",)), "manylinux_2_5_x86_64"),
    ],
)
def test_by_versions_of_symbols(file: Elf, platform: str) -> None:
    assert platform_of([file], "x86_64", (), None) == (platform, ())


def test_libraries_of_the_system() -> None:
    file = elf(("libpq.so.5", "libc.so.6"))
    assert platform_of([file], "x86_64", (), None) == ("linux_x86_64", ("needs libpq.so.5 of the system",))
    assert platform_of([file], "x86_64", {"libpq.so.5"}, None) == ("manylinux_2_5_x86_64", ())


@pytest.mark.parametrize("version", ["GLIBC_PRIVATE", "GLIBCXX_3.4.99", "GLIBC_3.0"])
def test_versions_that_no_platform_promises(version: str) -> None:
    file = elf(libc=(version,))
    assert platform_of([file], "x86_64", (), None) == ("linux_x86_64", (f"needs libc.so.6 ({version}) of the system",))


def test_musl() -> None:
    assert platform_of([elf(("libc.so",))], "aarch64", (), "1_2") == ("musllinux_1_2_aarch64", ())
    file = elf(("libffi.so.8",), "aarch64")
    assert platform_of([file], "aarch64", (), "1_2") == ("linux_aarch64", ("needs libffi.so.8 of the system",))


def test_files_for_another_cpu_say_nothing() -> None:
    assert platform_of([elf(("libx.so",), "aarch64")], "x86_64", (), None) == ("manylinux_2_5_x86_64", ())


_TEXT = st.text("GLIBCXA_0123456789.", max_size=20)


@given(st.lists(_TEXT), st.lists(_TEXT))
def test_anything_a_file_may_ask_for(needed: list[str], versions: list[str]) -> None:
    found, reasons = platform_of([elf(tuple(needed), libc=tuple(versions))], "x86_64", (), None)
    assert re.fullmatch(r"linux_x86_64|manylinux_2_[0-9]{1,4}_x86_64", found)
    assert bool(reasons) is found.startswith("linux")
