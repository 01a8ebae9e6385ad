"""Path configuration files (``.pth``): lines that name folders, and lines that Python executes.

Format: https://docs.python.org/3/library/site.html. Nothing is executed here: of the executable lines
those of known makers are recognised by their text.
"""

from __future__ import annotations

import codecs
import re
from typing import Literal

from msgspec import Struct

Effect = Literal["none", "mark", "insert", "unknown"]
"""What an executable line does to ``sys.path``: nothing; remembers its length; moves what was added since to
the front (``easy-install.pth``); or nobody knows without running it."""


class PathLine(Struct, frozen=True, kw_only=True):
    """A folder or archive to add, relative to the folder of the file unless absolute."""

    path: str


class CodeLine(Struct, frozen=True, kw_only=True):
    """A line that begins with ``import``."""

    code: str
    effect: Effect


Line = PathLine | CodeLine

_MARK = re.compile(r"import sys;\s*sys\.__plen\s*=\s*len\(sys\.path\)\s*")
_INSERT = re.compile(
    r"import sys;\s*new\s*=\s*sys\.path\[sys\.__plen:\];\s*del sys\.path\[sys\.__plen:\];\s*"
    r"p\s*=\s*getattr\(sys,\s*['\"]__egginsert['\"],\s*0\);\s*sys\.path\[p:p\]\s*=\s*new;\s*"
    r"sys\.__egginsert\s*=\s*p\s*\+\s*len\(new\)\s*"
)
_NAMESPACE = re.compile(r"import sys,\s*(?:types|new),\s*(?:os|importlib)\b.*_getframe\(1\)\.f_locals\['sitedir'\].*")
_HARMLESS = (
    # setuptools: distutils-precedence.pth and __editable__.*.pth (a finder on sys.meta_path)
    re.compile(r"import os;\s*var = 'SETUPTOOLS_USE_DISTUTILS';.*__import__\('_distutils_hack'\).*"),
    re.compile(r"import (__editable___\w+_finder);\s*\1\.install\(\)\s*"),
    # virtualenv
    re.compile(r"import _virtualenv\s*"),
    # editables (hatchling, pdm), scikit-build-core, meson-python: finders too
    re.compile(r"import (?:_editable_impl_\w+|__editables_\w+|_\w+_editable(?:_loader)?|_\w+-editable)\s*"),
    # coverage and pytest-cov start measuring where a variable asks for it
    re.compile(r"import (?:sys|os)(?:, ?sys)?;\s*exec\((['\"]).{0,400}\bcoverage\b.*\)\s*"),
    re.compile(r"import os, sys;\s*exec\((['\"])if ['\"]COV_CORE_SOURCE['\"].*\)\s*"),
    re.compile(r"import coverage;\s*coverage\.process_startup\(\)\s*"),
)
_MENTIONS_PATH = re.compile(r"\bsys\.path\b|\baddsitedir\b")
_LONGEST_CODE = 4096
"""Characters; the longest of known makers has some 600, and a pattern may look at each of them many times."""
_OLD_LINE_END = re.compile(r"\r\n|\r|\n")


def parse_pth(data: bytes, *, utf8: bool) -> tuple[Line, ...] | None:
    """Read a ``.pth`` file without its comments. Never raises.

    A blank line names the folder of the file itself, which only Python 2.7 takes notice of.

    Args:
        data: the file.
        utf8: read as Python 3.13 does: a byte order mark is skipped, all of Unicode's line ends count.

    Returns:
        The lines in their order; ``None`` where the bytes are not UTF-8: then Python's own result depends on
        the locale that it runs in.
    """
    try:
        text = (data.removeprefix(codecs.BOM_UTF8) if utf8 else data).decode("utf-8")
    except UnicodeDecodeError:
        return None
    lines = text.splitlines() if utf8 else _OLD_LINE_END.split(text.removesuffix("\n"))
    found: list[Line] = []
    for line in lines if text else ():
        if line.startswith("#") or (utf8 and not line.strip()):
            continue
        if line.startswith(("import ", "import\t")):
            found.append(CodeLine(code=line.strip(), effect=_effect(line)))
        else:
            found.append(PathLine(path=line.rstrip()))
    return tuple(found)


def _effect(line: str) -> Effect:
    if len(line) > _LONGEST_CODE:
        return "unknown"
    if _MARK.fullmatch(line):
        return "mark"
    if _INSERT.fullmatch(line):
        return "insert"
    if _MENTIONS_PATH.search(line):
        return "unknown"
    if _NAMESPACE.fullmatch(line) or any(pattern.fullmatch(line) for pattern in _HARMLESS):
        return "none"
    return "unknown"
