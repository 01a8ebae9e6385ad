"""What bytes of programs, headers and build variables tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog import binary
from envsync.catalog.binary import BinaryName
from envsync.catalog.buildvars import BuildVariables, abi_tag, parse_build_variables
from envsync.catalog.identify import parse_patchlevel


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("python3.11", BinaryName(series=(3, 11), flags="")),
        ("python3.13t", BinaryName(series=(3, 13), flags="t")),
        ("python3.6m", BinaryName(series=(3, 6), flags="m")),
        ("python3.11-dbg", BinaryName(series=(3, 11), flags="d")),
        ("python3", None),
        ("python", None),
        ("python3.11-config", None),
        ("idle3.11", None),
    ],
)
def test_names(name: str, expected: BinaryName | None) -> None:
    assert binary.parse_name(name) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0003.11.2\0003.40.1\0", ("3.11.2",)),
        (b"\0003.11.0rc2\0", ("3.11.0rc2",)),
        (b"\0003.11.4+\0", ("3.11.4+",)),
        (b"/opt/python-3.11.2\0", ("3.11.2",)),
        (b"/opt/python-3.11.9\0\0003.11.2\0", ("3.11.2",)),
        (b"\00013.11.2\0", ()),
        (b"\0002.3.11.2\0", ()),
        (b"\0003.11.2 \0", ()),
    ],
)
def test_versions(data: bytes, expected: tuple[str, ...]) -> None:
    assert binary.find_versions(data, (3, 11)) == expected


def test_libraries_search_paths_and_folders() -> None:
    data = b"\0libpython3.13td.so.1.0\0:plat-x86_64-linux-gnu:lib-tk:lib-old\0/usr/local\0/../x\0/opt/.pyenv\0"
    assert binary.find_library(data) == ("libpython3.13td.so.1.0", BinaryName(series=(3, 13), flags="td"))
    assert binary.find_search_path(data) == ("plat-x86_64-linux-gnu", "lib-tk", "lib-old")
    assert binary.find_folders(data) == ("/usr/local", "/opt/.pyenv")
    assert binary.find_series(b"\0002.7.1\0\0003.11.2\0") == ((3, 11), (2, 7))


@pytest.mark.parametrize(
    ("text", "series", "flags", "abi"),
    [
        ("{'SOABI': 'cpython-37m-x86_64-linux-gnu',", (3, 7), "", "cp37m"),
        ("{'SOABI': 'cpython-313td',", (3, 13), "", "cp313td"),
        ("{'Py_UNICODE_SIZE': 4,\n 'WITH_PYMALLOC': 1,\n 'Py_DEBUG': 0}", (2, 7), "", "cp27mu"),
        ("{'Py_UNICODE_SIZE': 2, 'WITH_PYMALLOC': 0}", (2, 7), "", "cp27"),
        ("", (3, 6), "m", "cp36m"),
        ("", (3, 11), "", "cp311"),
        ("", (3, 13), "t", "cp313t"),
        ("", (3, 11), "d", "cp311d"),
        ("", (2, 7), "", "cp27mu"),
    ],
)
def test_abi_tags(text: str, series: tuple[int, int], flags: str, abi: str) -> None:
    assert abi_tag(series, parse_build_variables(text), flags=flags, wide_unicode=True) == abi


def test_build_variables_of_code_are_not_run() -> None:
    assert parse_build_variables("raise SystemExit\n'SOABI' : __import__('os')") == BuildVariables()


def test_patchlevel() -> None:
    assert parse_patchlevel('#define PY_MINOR_VERSION 7\n#define PY_VERSION      "3.7.16"\n') == "3.7.16"
    assert parse_patchlevel('#define PY_VERSION "3.7.16; rm"\n') is None


@given(st.binary(max_size=300), st.text(max_size=100))
def test_parsers_never_raise(data: bytes, text: str) -> None:
    for one in (data, b"\0003.11." + data, b"\0libpython3.11" + data, b"\0/usr" + data, b"\0:plat-" + data):
        binary.find_versions(one, (3, 11))
        binary.find_series(one)
        binary.find_library(one)
        binary.find_search_path(one)
        binary.find_folders(one)
    variables = parse_build_variables(text)
    abi_tag((3, 11), parse_build_variables(f"'SOABI': '{text}'"), flags="", wide_unicode=False)
    abi_tag((2, 7), variables, flags="", wide_unicode=False)
    parse_patchlevel(f'#define PY_VERSION "{text}')
    binary.parse_name(f"python3.{text}")
