from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from envsync.catalog.freeze import FolderName, Spelling, freeze_line, safe_name
from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, Origin, VcsOrigin
from envsync.names import normalized, pep440


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "a==1.0"),
        (
            VcsOrigin(url="https://e.org/r", vcs="hg", commit="12", subdirectory="s"),
            "a @ hg+https://e.org/r@12#subdirectory=s",
        ),
        (
            ArchiveOrigin(url="https://e.org/a.zip", hashes=("sha256=1",), subdirectory="s"),
            "a @ https://e.org/a.zip#sha256=1&subdirectory=s",
        ),
        (ArchiveOrigin(url="https://e.org/a.zip"), "a @ https://e.org/a.zip"),
        (DirectoryOrigin(url="file:///s%20t", subdirectory="u"), "a @ file:///s%20t#subdirectory=u"),
        (DirectoryOrigin(url="file:///s%20t", editable=True), "-e /s t"),
    ],
)
def test_lines(origin: Origin | None, line: str) -> None:
    assert freeze_line(Distribution(name="a", version="1.0", origin=origin)) == line


def test_versions_that_pep440_does_not_know() -> None:
    assert freeze_line(Distribution(name="a", version="1.0-custom")) == "a===1.0-custom"


def test_what_the_pip_there_printed_goes_first() -> None:
    folder = DirectoryOrigin(url="file:///src")
    assert freeze_line(Distribution(name="a", version="1", origin=folder, frozen="a==1")) == "a==1"


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("zope.interface-5.0-py3.7.egg-info", "zope.interface", "5.0"),
        ("a_b-1.0.dist-info", "a_b", "1.0"),
        ("a-1.0-py2.7-linux-x86_64.egg", "a", "1.0"),
        ("a.egg-info", "a", None),
        ("-a-1.0.dist-info", "", None),
    ],
)
def test_folder_names(filename: str, name: str, version: str | None) -> None:
    assert FolderName.parse(filename) == FolderName(name=name, version=version)


def test_names_as_setuptools_and_indexes_spell_them() -> None:
    assert safe_name("a_b..c  d") == "a-b..c-d"
    assert normalized("A_b.-c") == "a-b-c"


@pytest.mark.parametrize(
    ("pip", "python", "expected"),
    [
        (None, None, Spelling()),
        ("26.1.1", "3.13.0", Spelling(lowest_first=True)),
        ("22.3", "3.10", Spelling.of("22.3.1", "3.7")),
        ("nonsense", "3.14", Spelling(lowest_first=True)),
    ],
)
def test_unknown_pips_spell_as_the_newest(pip: str | None, python: str | None, expected: Spelling) -> None:
    assert Spelling.of(pip, python).backend == expected.backend
    assert Spelling.of(pip, python).folder_names == expected.folder_names


def test_the_backend_depends_on_both_versions() -> None:
    backends = {
        (pip, python): Spelling.of(pip, python).backend for pip in ("22.1", "22.2") for python in ("3.10", "3.11")
    }
    assert [pair for pair, backend in backends.items() if backend == "importlib"] == [("22.2", "3.11")]


VERSIONS = st.from_regex(
    r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}(-?[a-z]{1,4}\.?[0-9]{0,2})?(\+[a-z0-9.]{1,6})?", fullmatch=True
)


@given(VERSIONS | st.text("01.a-+!* v\n", max_size=12))
def test_versions_are_normal_as_packaging_makes_them(text: str) -> None:
    try:
        expected = str(Version(text))
    except InvalidVersion:
        expected = None
    assert pep440(text) == expected


TEXT = st.text("0123.:/[]%#-ab\u0661\ud800", max_size=12)


@given(TEXT, TEXT | st.none(), TEXT | st.none())
def test_nothing_is_raised(text: str, pip: str | None, python: str | None) -> None:
    FolderName.parse(text)
    Spelling.of(pip, python)
    origin = DirectoryOrigin(url=text, editable=True)
    assert freeze_line(Distribution(name="a", version="1", origin=origin)).startswith("-e ")
