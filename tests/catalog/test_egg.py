from __future__ import annotations

import contextlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from envsync.catalog.egg import EggError, EggLink, parse_egg_link, parse_requires, read_zipped_egg

REQUIRES = b"""
a>=1
# a comment
b[x]  ==  2

[:python_version<"3"]
enum34

[Fancy_Extra]
c; sys_platform == "win32"
d @ https://example.org/d.zip

[fancy-extra:python_version<"3" or os_name == "nt"]
e
"""


def test_sections_become_markers() -> None:
    found = parse_requires(REQUIRES)
    assert found == (
        "a>=1",
        "b[x] == 2",
        'enum34; python_version<"3"',
        'c; (sys_platform == "win32") and (extra == "fancy-extra")',
        'd @ https://example.org/d.zip ; extra == "fancy-extra"',
        'e; (python_version<"3" or os_name == "nt") and extra == "fancy-extra"',
    )
    assert [Requirement(line).name for line in found] == ["a", "b", "enum34", "c", "d", "e"]


def test_a_link_names_target_and_project() -> None:
    assert parse_egg_link(b"\n/src/app/lib\n../\n") == EggLink(target="/src/app/lib", project="../")
    assert parse_egg_link(b"/src/app") == EggLink(target="/src/app", project=".")
    assert parse_egg_link(b" \n") is None


def egg(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"EGG-INFO/{name}", data)
    return stream.getvalue()


def test_a_zipped_egg_gives_what_is_wanted() -> None:
    data = egg(**{"PKG-INFO": b"Name: a", "other": b"x"})
    assert read_zipped_egg(data, {"PKG-INFO": 10, "requires.txt": 10}) == {"PKG-INFO": b"Name: a"}


def test_a_file_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(EggError, match=r"^EGG-INFO/PKG-INFO: larger than 1000 bytes$"):
        read_zipped_egg(egg(**{"PKG-INFO": b"\0" * 10_000_000}), {"PKG-INFO": 1000})


def test_a_damaged_egg_is_refused() -> None:
    good = egg(**{"PKG-INFO": b"Name: a" * 100})
    with pytest.raises(EggError, match=r"^not a zipped egg, or a damaged one$"):
        read_zipped_egg(good[:60] + b"\xff\xff\xff" + good[63:], {"PKG-INFO": 1000})


def test_what_no_egg_is_compressed_with_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("EGG-INFO/PKG-INFO", b"Name: a")
    with pytest.raises(EggError, match=r"^EGG-INFO/PKG-INFO: compressed in a way that no egg is$"):
        read_zipped_egg(stream.getvalue(), {"PKG-INFO": 1000})


def test_more_files_than_any_egg_has_are_refused() -> None:
    with pytest.raises(EggError, match=r"^more than 50000 files in a zipped egg$"):
        read_zipped_egg(GOOD + b"PK\x01\x02" * 50_000, {"PKG-INFO": 1000})


GOOD = egg(**{"PKG-INFO": b"Name: a"})


@given(st.binary(), st.integers(0, len(GOOD)), st.binary(max_size=4))
def test_nothing_but_its_own_error(data: bytes, place: int, patch: bytes) -> None:
    parse_requires(data)
    parse_egg_link(data)
    for egg_data in (data, GOOD[:place] + patch + GOOD[place + len(patch) :]):
        with contextlib.suppress(EggError):
            assert set(read_zipped_egg(egg_data, {"PKG-INFO": 1000})) <= {"PKG-INFO"}
