"""The C library of an image."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.libc import find_libc, parse_glibc, parse_musl
from envsync.files import HostTree
from envsync.model import Libc
from tests.catalog.real import MACHINE, run
from tests.catalog.trees import root_tree, write

GLIBC = b"\0GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.\nCopyright\0"
CENTOS = b"\0GNU C Library (GNU libc) stable release version 2.17, by Roland McGrath et al.\n\0"
MUSL = b"\x7fELF\0musl libc (x86_64)\nVersion %s\nDynamic Program Loader\n\0\0" + b"1.2.5\0"


@pytest.mark.skipif(not Path("/usr/bin/getconf").exists(), reason="no getconf here")
def test_of_this_machine() -> None:
    family, version = run(["getconf", "GNU_LIBC_VERSION"]).split()
    assert find_libc(HostTree(), MACHINE) == Libc(family=family, version=version)


@pytest.mark.parametrize(
    ("path", "data", "machine", "version"),
    [
        ("lib/x86_64-linux-gnu/libc.so.6", GLIBC, "x86_64", "2.36"),
        ("usr/lib/aarch64-linux-gnu/libc.so.6", GLIBC, "aarch64", "2.36"),
        ("lib/i386-linux-gnu/libc.so.6", GLIBC, "i686", "2.36"),
        ("lib/arm-linux-gnueabihf/libc.so.6", GLIBC, "armv7l", "2.36"),
        ("lib64/libc.so.6", CENTOS, "x86_64", "2.17"),
        ("usr/lib/libc.so.6", GLIBC, "x86_64", "2.36"),
    ],
)
def test_glibc_by_its_banner(path: str, data: bytes, machine: str, version: str, tmp_path: Path) -> None:
    write(tmp_path, path, data)
    assert find_libc(root_tree(tmp_path), machine) == Libc(family="glibc", version=version)


def test_glibc_by_the_name_behind_the_link(tmp_path: Path) -> None:
    write(tmp_path, "lib/x86_64-linux-gnu/libc-2.28.so", b"stripped")
    (tmp_path / "lib/x86_64-linux-gnu/libc.so.6").symlink_to("libc-2.28.so")
    assert find_libc(root_tree(tmp_path), "x86_64") == Libc(family="glibc", version="2.28")


def test_of_several_architectures_that_of_the_machine(tmp_path: Path) -> None:
    write(tmp_path, "lib/aarch64-linux-gnu/libc.so.6", GLIBC)
    write(tmp_path, "lib/x86_64-linux-gnu/libc.so.6", CENTOS)
    assert find_libc(root_tree(tmp_path), "x86_64") == Libc(family="glibc", version="2.17")


def test_musl(tmp_path: Path) -> None:
    write(tmp_path, "lib/ld-musl-x86_64.so.1", MUSL)
    assert find_libc(root_tree(tmp_path), "x86_64") == Libc(family="musl", version="1.2.5")


def test_musl_by_apk_and_beside_a_foreign_glibc(tmp_path: Path) -> None:
    write(tmp_path, "lib/ld-musl-x86_64.so.1", b"stripped")
    write(tmp_path, "lib/apk/db/installed", "C:Q1\nP:musl-utils\nV:1.0.0-r1\n\nC:Q1\nP:musl\nV:1.2.3-r4\n\n")
    write(tmp_path, "lib64/libc.so.6", GLIBC)
    assert find_libc(root_tree(tmp_path), "x86_64") == Libc(family="musl", version="1.2.3")


def test_glibc_beside_a_foreign_musl(tmp_path: Path) -> None:
    write(tmp_path, "lib/ld-musl-x86_64.so.1", MUSL)
    write(tmp_path, "lib/x86_64-linux-gnu/libc.so.6", GLIBC)
    assert find_libc(root_tree(tmp_path), "x86_64") == Libc(family="glibc", version="2.36")


def test_none(tmp_path: Path) -> None:
    write(tmp_path, "lib/libc.so.6", b"GNU C Library without a version")
    assert find_libc(root_tree(tmp_path), "x86_64") is None


@given(st.binary(max_size=200))
def test_parsers_never_raise(noise: bytes) -> None:
    for data in (noise, GLIBC[:20] + noise, b"musl libc" + noise):
        parse_glibc(data)
        parse_musl(data)
