"""Zipped eggs, damaged ones included."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.wheel.egg import members, open_member
from envsync.wheel.parts import RepackError


def egg(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        tool = zipfile.ZipInfo("bin/tool")
        tool.external_attr = 0o100755 << 16
        archive.writestr(zipfile.ZipInfo("folder/"), b"")
        archive.writestr(tool, b"#!")
        archive.writestr("a.py", b"x = 1\n" * 100)
    return stream.getvalue()


def test_what_is_inside() -> None:
    assert list(members(egg(), "a.egg")) == [("bin/tool", 2, True), ("a.py", 600, False)]
    with open_member(io.BytesIO(egg()), "a.py", "a.egg") as content:
        assert content.read() == b"x = 1\n" * 100


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.egg: not a zipped egg, or a damaged one"),
        (b"PK\x03\x04", "a.egg: not a zipped egg, or a damaged one"),
        (egg(zipfile.ZIP_LZMA), "a.egg: a.py: compressed in a way that no egg is"),
        (b"PK\x01\x02" * 200_001, "a.egg: more than 200000 files in a zipped egg"),
    ],
)
def test_no_egg(data: bytes, message: str) -> None:
    with pytest.raises(RepackError) as caught:
        list(members(data, "a.egg"))
    assert caught.value.message == message


def test_a_file_that_is_not_inside() -> None:
    with pytest.raises(RepackError, match=r"^a\.egg: b\.py: damaged$"), open_member(io.BytesIO(egg()), "b.py", "a.egg"):
        pass


@given(st.data())
def test_damage_is_told_or_harmless(data: st.DataObject) -> None:
    good = bytearray(egg())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(RepackError):  # and nothing else
        for name, _, _ in members(bytes(good), "a.egg"):
            with open_member(io.BytesIO(good), name, "a.egg") as content:
                content.read(1 << 20)
