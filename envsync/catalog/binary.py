"""What the bytes of a Python executable, or of the shared library behind it, tell about it."""

from __future__ import annotations

import re

from msgspec import Struct

PATTERNS: tuple[str, ...] = (
    r".*/python(?:[23](?:\.\d{1,2}[a-z]{0,3})?)?(?:-dbg)?",
    r".*/libpython[23]\.\d{1,2}[a-z]{0,3}\.so(?:\.\d+)*",
)
"""Executables by their usual names, and the libraries that hold the interpreter itself in a shared build."""

_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""ELF; Mach-O, of one architecture and of several."""
_LIBRARY = re.compile(rb"(libpython([23])\.(\d{1,2})([a-z]{0,3})\.(?:so[.\d]{0,8}|dylib))(?=\0)")
_NAME = re.compile(r"python([23])\.(\d{1,2})([a-z]{0,3})(-dbg)?")
_ANY_VERSION = re.compile(rb"\0([23]\.\d{1,2})\.\d{1,3}(?:(?:a|b|c|rc)\d{1,3})?\+?(?=\0)")
_REST_OF_VERSION = rb"\.\d{1,3}(?:(?:a|b|c|rc)\d{1,3})?\+?(?=\0)"
_SEARCH_PATH = re.compile(rb"\0:(plat-[\w.-]{1,64}(?::[\w.-]{1,64}){0,8})(?=\0)")
_FOLDER = re.compile(rb"\0((?:/(?!\.{1,2}[/\0])[\w.+@-]{1,100}){1,20})(?=\0)")
_FOLDERS = 500
_SERIES = 10
_VERSIONS = 100

Series = tuple[int, int]
"""Major and minor version: ``(3, 11)``."""


class BinaryName(Struct, frozen=True, kw_only=True):
    """What the name of an executable says: ``python3.13t``, ``python3.6m``, ``python3.11-dbg``."""

    series: Series
    flags: str
    """ABI flags: ``t``, ``d``, ``m`` and ``u``."""


def is_native(data: bytes) -> bool:
    """Whether the bytes begin like a program, not like a script."""
    return data.startswith(_MAGIC)


def parse_name(name: str) -> BinaryName | None:
    """The series and flags in a file name; ``None`` for ``python`` and ``python3``, which say neither."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return BinaryName(series=(int(match[1]), int(match[2])), flags=match[3] or ("d" if match[4] else ""))


def find_library(data: bytes) -> tuple[str, BinaryName] | None:
    """The ``libpython`` that an executable is linked with, by file name; ``None`` for a static one."""
    match = _LIBRARY.search(data)
    if match is None:
        return None
    name = BinaryName(series=(int(match[2]), int(match[3])), flags=match[4].decode("ascii"))
    return match[1].decode("ascii"), name


def find_series(data: bytes) -> tuple[Series, ...]:
    """The series that a version string in the bytes could be of, newest first; a bounded number."""
    found = {_series(match[1]) for match in _ANY_VERSION.finditer(data)}
    return tuple(sorted(found, reverse=True))[:_SERIES]


def _series(text: bytes) -> Series:
    major, _, minor = text.partition(b".")
    return int(major), int(minor)


def find_versions(data: bytes, series: Series) -> tuple[str, ...]:
    """Strings that could be PY_VERSION, such as ``3.11.2``, ``3.13.0rc2`` and ``3.12.1+``, sorted; a bounded number.

    A linker may keep PY_VERSION as the end of a longer string; such places count only where it stands
    nowhere alone.
    """
    pattern = re.escape(f"{series[0]}.{series[1]}".encode()) + _REST_OF_VERSION
    alone: set[str] = set()
    ends: set[str] = set()
    for match in re.finditer(pattern, data):
        before = data[match.start() - 1 : match.start()]
        if before == b"\0":
            alone.add(match[0].decode("ascii"))
        elif not before.isdigit() and before != b".":
            ends.add(match[0].decode("ascii"))
        if len(alone) + len(ends) >= _VERSIONS:
            break
    return tuple(sorted(alone or ends))


def find_search_path(data: bytes) -> tuple[str, ...]:
    """Folders in the standard library that are on ``sys.path`` too: of Python 2 and of 3 before 3.6."""
    match = _SEARCH_PATH.search(data)
    return tuple(match[1].decode("ascii").split(":")) if match else ()


def find_folders(data: bytes) -> tuple[str, ...]:
    """Absolute paths in the bytes, one of which is the prefix that was compiled in; a bounded number."""
    found: dict[str, None] = {}
    for match in _FOLDER.finditer(data):
        found.setdefault(match[1].decode("ascii"))
        if len(found) >= _FOLDERS:
            break
    return tuple(found)


def has_wide_unicode(data: bytes) -> bool:
    """Whether a Python 2 keeps text as UCS-4."""
    return b"PyUnicodeUCS4_" in data


def is_pypy(data: bytes) -> bool:
    """Whether the executable is PyPy's."""
    return b"libpypy" in data
