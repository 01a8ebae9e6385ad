"""The variables that an interpreter was built with, from its ``_sysconfigdata*.py``, read as text.

The file is what https://docs.python.org/3/library/sysconfig.html reads; it is never executed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.catalog.binary import Series
from envsync.files import FileReadError, FileTree

PATTERNS: tuple[str, ...] = (r".*/python[23]\.\d{1,2}t?/(?:plat-[^/]+/)?_sysconfigdata[^/]*\.py",)
"""Files whose bytes :func:`read_build_variables` asks for."""

_LIMIT = 4 * 1024 * 1024
_CANDIDATES = 16
_VARIABLE = re.compile(r"'(SOABI|Py_UNICODE_SIZE|WITH_PYMALLOC|Py_DEBUG)'\s*:\s*(?:'([^'\n]{0,200})'|(\d{1,9}))")
_FILE = re.compile(r"_sysconfigdata(?:_(?P<flags>nd|[a-z]*)(?:_[^/]*)?)?\.py")
_SOABI = re.compile(r"cpython-(\d{2,3}[a-z]{0,4})(?:-.*)?")
_EXTENSION = re.compile(r".*\.(cpython-\d{2,3}[a-z]{0,4}(?:-[^.]*)?)\.so")


class BuildVariables(Struct, frozen=True, kw_only=True):
    """Those that decide the ABI; ``None`` where a variable is not recorded."""

    soabi: str | None = None
    unicode_size: int | None = None
    pymalloc: bool | None = None
    debug: bool | None = None


def parse_build_variables(text: str) -> BuildVariables:
    """Read the ABI's variables of a ``_sysconfigdata*.py``. Never raises."""
    values: dict[str, str] = {}
    for match in _VARIABLE.finditer(text):
        values.setdefault(match[1], match[2] if match[2] is not None else match[3])
    size = values.get("Py_UNICODE_SIZE", "")
    return BuildVariables(
        soabi=values.get("SOABI") or None,
        unicode_size=int(size) if size.isascii() and size.isdecimal() else None,
        pymalloc=values["WITH_PYMALLOC"] != "0" if "WITH_PYMALLOC" in values else None,
        debug=values["Py_DEBUG"] != "0" if "Py_DEBUG" in values else None,
    )


def read_build_variables(tree: FileTree, stdlib: PurePosixPath, *, debug: bool) -> BuildVariables:
    """The variables of the interpreter with this standard library; all ``None`` where none is recorded.

    Args:
        tree: the files.
        stdlib: ``/usr/lib/python3.11``.
        debug: of the debug build, where both are installed side by side.
    """
    for path in _candidates(tree, stdlib, debug=debug):
        try:
            found = parse_build_variables(tree.read(path, limit=_LIMIT).decode("utf-8", "replace"))
        except FileReadError:
            continue
        if found != BuildVariables():
            return found
    for name in tree.list(stdlib / "lib-dynload"):
        match = _EXTENSION.fullmatch(name)
        if match and debug == ("d" in match[1].split("-")[1]):
            return BuildVariables(soabi=match[1])
    return BuildVariables()


def _candidates(tree: FileTree, stdlib: PurePosixPath, *, debug: bool) -> Iterator[PurePosixPath]:
    """Those with the wanted flags first; Debian's Python 2 keeps the release build's (``nd``) in ``plat-*``."""
    found: list[tuple[bool, PurePosixPath]] = []
    platforms = islice((name for name in tree.list(stdlib) if name.startswith("plat-")), _CANDIDATES)
    for folder in (stdlib, *(stdlib / name for name in platforms)):
        for name in tree.list(folder):
            match = _FILE.fullmatch(name)
            if match:
                flags = (match["flags"] or "").replace("nd", "")
                found.append((("d" in flags) != debug, folder / name))
    yield from (path for _, path in sorted(found, key=lambda item: item[0])[:_CANDIDATES])


def abi_tag(series: Series, variables: BuildVariables, *, flags: str, wide_unicode: bool) -> str:
    """The ABI tag: ``cp37m``, ``cp313t``, ``cp27mu``; by PEP 425's rules where SOABI is not recorded.

    Args:
        series: major and minor version.
        variables: what is recorded.
        flags: ABI flags that the executable's name gives.
        wide_unicode: of a Python 2 without a record of it.
    """
    match = _SOABI.fullmatch(variables.soabi or "")
    if match:
        return f"cp{match[1]}"
    debug = "d" if variables.debug or (variables.debug is None and "d" in flags) else ""
    pymalloc = "m" if series < (3, 8) and variables.pymalloc is not False else ""
    threads = "t" if "t" in flags else ""
    unicode = ""
    if series < (3, 3) and (variables.unicode_size == 4 or (variables.unicode_size is None and wide_unicode)):
        unicode = "u"
    return f"cp{series[0]}{series[1]}{threads}{debug}{pymalloc}{unicode}"
