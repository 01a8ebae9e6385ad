"""Compatibility tags without the machine they are for; of this machine: test_against_python.py."""

from __future__ import annotations

import pytest

from envsync.catalog.tags import compatibility_tags, platform_tag, platform_tags
from envsync.model import Interpreter, Libc

GLIBC = Libc(family="glibc", version="2.17")


def test_glibc() -> None:
    assert platform_tags("aarch64", Libc(family="glibc", version="2.18")) == (
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "linux_aarch64",
    )
    assert platform_tags("x86_64", Libc(family="glibc", version="2.6")) == (
        "manylinux_2_6_x86_64",
        "manylinux_2_5_x86_64",
        "manylinux1_x86_64",
        "linux_x86_64",
    )
    assert "manylinux2010_x86_64" in platform_tags("x86_64", GLIBC)


def test_musl() -> None:
    tags = platform_tags("x86_64", Libc(family="musl", version="1.2.5"))
    assert tags == ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64", "musllinux_1_0_x86_64", "linux_x86_64")


@pytest.mark.parametrize(
    ("machine", "libc"),
    [("x86_64", None), ("armv6l", GLIBC), ("x86_64", Libc(family="glibc", version="odd"))],
)
def test_without_a_libc_that_wheels_know(machine: str, libc: Libc | None) -> None:
    assert platform_tag(machine, libc) == f"linux_{machine}"


@pytest.mark.parametrize(
    ("version", "abi", "first", "second"),
    [
        ("3.7.16", "cp37m", "cp37-cp37m", "cp37-abi3"),
        ("2.7.18", "cp27mu", "cp27-cp27mu", "cp27-none"),
        ("3.12.1", "cp312d", "cp312-cp312d", "cp312-cp312"),
        ("3.6.15", None, "cp36-cp36", "cp36-abi3"),
    ],
)
def test_abis(version: str, abi: str | None, first: str, second: str) -> None:
    tags = compatibility_tags(Interpreter(version=version, abi=abi), "x86_64", None)
    assert tags[:2] == (f"{first}-linux_x86_64", f"{second}-linux_x86_64")
    assert tags[-1] == "py30-none-any" if version[0] == "3" else "py20-none-any"


def test_free_threaded_builds_load_no_stable_abi() -> None:
    tags = compatibility_tags(Interpreter(version="3.13.0", abi="cp313t"), "x86_64", None)
    assert not any("-abi3-" in tag for tag in tags)


def test_a_version_that_is_none_has_no_tags() -> None:
    assert compatibility_tags(Interpreter(version="3"), "x86_64", GLIBC) == ()
