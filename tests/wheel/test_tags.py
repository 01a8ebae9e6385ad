"""WHEEL files, tags and file names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename

from envsync.elf import Elf
from envsync.model import Interpreter
from envsync.wheel.parts import RepackError
from envsync.wheel.tags import WheelFacts, derived_tag, filename_of, parse_wheel, platform_needed, write_wheel

PLATFORM = "manylinux_2_17_x86_64"


def interpreter(version: str = "3.9.18", abi: str = "cp39", **fields: object) -> Interpreter:
    return Interpreter(version=version, abi=abi, **{"platform_tag": "manylinux_2_31_x86_64", **fields})  # type: ignore[arg-type]


def test_a_wheel_file() -> None:
    facts = parse_wheel(b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2.py3-none-any\nTag: no tag\nBuild: 1a\n")
    assert facts == WheelFacts(
        tags=(("py2", "none", "any"), ("py3", "none", "any")),
        build="1a",
        versioned=True,
    )


@pytest.mark.parametrize(
    "text", [b"", b"Tag: ../../x-none-any\nBuild: ../1\nWheel-Version: 2.0\n", b"Tag: a-b\n", b"\xff\0"]
)
def test_a_wheel_file_that_says_nothing(text: bytes) -> None:
    assert parse_wheel(text) == WheelFacts()


@pytest.mark.parametrize(
    ("targets", "platform", "expected"),
    [
        ([], None, ("py3", "none", "any")),
        (["a/_x.cpython-39-x86_64-linux-gnu.so"], PLATFORM, ("cp39", "cp39", PLATFORM)),
        (["a/_x.so"], PLATFORM, ("cp39", "cp39", PLATFORM)),
        (["a/_x.abi3.so", "a.libs/libz-1.so"], PLATFORM, ("cp39", "abi3", PLATFORM)),
        (["a/_x.abi3.so", "a/_y.cpython-39-x86_64-linux-gnu.so"], PLATFORM, ("cp39", "cp39", PLATFORM)),
        (["a/libx.so", "a/tool"], PLATFORM, ("py3", "none", PLATFORM)),
    ],
)
def test_the_tag_that_files_tell(targets: list[str], platform: str | None, expected: tuple[str, str, str]) -> None:
    assert derived_tag(targets, platform, interpreter()) == expected


def test_the_tag_of_other_interpreters() -> None:
    files = ["a.pypy39-pp73-x86_64-linux-gnu.so"]
    pypy = interpreter(abi="pypy39_pp73", implementation="pypy")
    assert derived_tag(files, PLATFORM, pypy) == ("pp39", "pypy39_pp73", PLATFORM)
    assert derived_tag(["a.so"], PLATFORM, interpreter("2.7.18", "cp27mu")) == ("cp27", "cp27mu", PLATFORM)
    assert derived_tag([], None, interpreter("2.7.18", "cp27mu")) == ("py2", "none", "any")


def elf(machine: str = "x86_64", **fields: object) -> Elf:
    return Elf(bits=64, endianness="little", machine=machine, dynamic=True, **fields)  # type: ignore[arg-type]


def test_the_platform_of_files() -> None:
    files = {"a/_x.so": elf(needed=("liba-1.so", "libc.so.6")), "a.libs/liba-1.so": elf(soname="liba-1.so")}
    assert platform_needed(files, interpreter()) == ("manylinux_2_5_x86_64", ())
    assert platform_needed({"x.so": elf("aarch64")}, interpreter()) == (None, ())
    assert platform_needed({"x.so": elf("aarch64")}, interpreter(platform_tag=None)) == ("manylinux_2_17_aarch64", ())
    musl = interpreter(platform_tag="musllinux_1_2_x86_64")
    assert platform_needed({"x.so": elf(needed=("libc.musl-x86_64.so.1",))}, musl) == ("musllinux_1_2_x86_64", ())
    assert platform_needed({}, interpreter()) == (None, ())


@pytest.mark.parametrize(
    ("tags", "build", "name", "kept"),
    [
        ([("py3", "none", "any")], None, "a-1-py3-none-any.whl", 1),
        ([("py2", "none", "any"), ("py3", "none", "any")], "1x", "a-1-1x-py2.py3-none-any.whl", 2),
        ([("cp39", "cp39", "m1"), ("cp39", "cp39", "m2")], None, "a-1-cp39-cp39-m1.m2.whl", 2),
        # cryptography's: no one name holds both
        ([("cp37", "abi3", "m1"), ("cp39", "cp39", "m2")], None, "a-1-cp37-abi3-m1.whl", 1),
    ],
)
def test_file_names(tags: list[tuple[str, str, str]], build: str | None, name: str, kept: int) -> None:
    found, held = filename_of("a-1", WheelFacts(tags=tuple(tags), build=build))
    assert (found, held) == (name, tuple(tags[:kept]))
    parse_wheel_filename(found)


def test_a_name_that_is_too_long() -> None:
    tags = tuple(("py3", "none", f"manylinux_2_{n}_x86_64") for n in range(5, 30))
    with pytest.raises(
        RepackError, match=r"^a-1: the name of its wheel would have 5\d\d characters \(expected at most 255\)$"
    ):
        filename_of("a-1", WheelFacts(tags=tags))


_WORDS = st.text("abcpy23_.-", max_size=12)


@given(st.lists(_WORDS), st.binary(max_size=100))
def test_any_wheel_file(tags: list[str], rest: bytes) -> None:
    facts = parse_wheel("".join(f"Tag: {tag}\n" for tag in tags).encode() + rest)
    if facts.tags:
        name, held = filename_of("a-1", facts)
        assert "/" not in name
        assert set(held) <= set(facts.tags)
        assert {(tag.interpreter, tag.abi, tag.platform) for tag in parse_wheel_filename(name)[3]} == set(held)


@given(st.lists(st.sampled_from([("py3", "none", "any"), ("cp39", "cp39", PLATFORM)]), unique=True, min_size=1))
def test_what_is_written_is_read(tags: list[tuple[str, str, str]]) -> None:
    facts = parse_wheel(write_wheel(tags, pure=True))
    assert facts == WheelFacts(tags=tuple(tags), versioned=True)
