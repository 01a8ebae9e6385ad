"""``pyvenv.cfg``, which makes a folder a virtual environment.

Format: https://peps.python.org/pep-0405/, as ``site.py`` reads it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.catalog.bounds import is_path
from envsync.files import FileReadError, FileTree

PATTERNS: tuple[str, ...] = (r".*/pyvenv\.cfg",)
"""Files whose bytes :func:`read_pyvenv` asks for."""

_LIMIT = 16 * 1024
_VERSION = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}(?:(?:a|b|c|rc)\d{1,3})?\+?")


class PyvenvConfig(Struct, frozen=True, kw_only=True):
    """The keys that Python itself reads, and the version that the maker of the environment noted."""

    home: str | None
    """The folder of the base interpreter, as written; ``None`` where the key is absent or its value is no path."""
    system_site_packages: bool
    version: str | None
    """``3.11.7``: of ``venv`` (``version``), ``virtualenv`` and ``uv`` (``version_info``); never updated."""


@lru_cache(maxsize=64)  # each name of an interpreter is tried with several layouts
def parse_pyvenv(text: str) -> PyvenvConfig:
    """Read the keys of a ``pyvenv.cfg``; other lines are passed over, as Python does. Never raises."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values.setdefault(key.strip().lower(), value.strip())
    noted = values.get("version_info") or values.get("version") or ""
    version = ".".join(noted.split(".")[:3])
    home = values.get("home", "")
    return PyvenvConfig(
        home=home if home and is_path(home) else None,
        system_site_packages=values.get("include-system-site-packages", "true").lower() == "true",
        version=version if _VERSION.fullmatch(version) else None,
    )


def read_pyvenv(tree: FileTree, folder: PurePosixPath) -> PyvenvConfig | None:
    """The ``pyvenv.cfg`` in ``folder``; ``None`` where there is none that can be read."""
    path = folder / "pyvenv.cfg"
    found = tree.stat(path)
    if found is None or found.kind != "file":
        return None
    try:
        return parse_pyvenv(tree.read(path, limit=_LIMIT).decode("utf-8", "replace"))
    except FileReadError:
        return None
