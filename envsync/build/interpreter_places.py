"""Where interpreters are kept: pyenv's folders, uv's folders, PATH. Nothing is run here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

_PYENV_NAME = re.compile(r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?)t?(?:-debug)?")
_UV_NAME = re.compile(r"cpython-(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?)(?:\+[a-z+]+)?-.+")
_VERSIONED = re.compile(r"python(?P<minor>[0-9]+\.[0-9]+)[a-z]*")


class Candidate(Struct, frozen=True, kw_only=True):
    """Something that may be an interpreter."""

    path: Path
    version: str | None
    """As its name tells: ``3.7.16`` of a folder, ``3.7`` of a file; ``None`` where the name tells nothing."""


def folders(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """The interpreters of pyenv and of uv, by the names of their folders."""
    for place, pattern in ((_pyenv(environ) / "versions", _PYENV_NAME), (_uv(environ), _UV_NAME)):
        for name in _names(place):
            match = pattern.fullmatch(name)
            executable = _executable(place / name) if match else None
            if match is not None and executable is not None:
                yield Candidate(path=executable, version=match["version"])


def on_path(environ: Mapping[str, str], minor: str) -> Iterator[Candidate]:
    """What PATH has for ``pythonX.Y``, ``python3`` and ``python``; pyenv's shims are left out.

    A shim only leads to one of pyenv's folders, slowly, or fails.
    """
    shims = _pyenv(environ) / "shims"
    for entry in environ.get("PATH", "").split(os.pathsep):
        place = Path(entry)
        if not place.is_absolute() or place == shims:
            continue
        for name in (f"python{minor}", "python3", "python"):
            path = place / name
            if os.access(path, os.X_OK) and path.is_file():
                match = _VERSIONED.fullmatch(path.resolve().name)
                yield Candidate(path=path, version=match["minor"] if match else None)


def _pyenv(environ: Mapping[str, str]) -> Path:
    root = environ.get("PYENV_ROOT")
    return Path(root) if root else _home(environ) / ".pyenv"


def _uv(environ: Mapping[str, str]) -> Path:
    chosen = environ.get("UV_PYTHON_INSTALL_DIR")
    if chosen:
        return Path(chosen)
    data = environ.get("XDG_DATA_HOME")
    return (Path(data) if data else _home(environ) / ".local" / "share") / "uv" / "python"


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    return Path(home) if home else Path("~").expanduser()


def _names(place: Path) -> list[str]:
    try:
        return sorted(os.listdir(place))  # noqa: PTH208 - names, not paths
    except OSError:
        return []


def _executable(folder: Path) -> Path | None:
    for name in ("python3", "python"):
        path = folder / "bin" / name
        if os.access(path, os.X_OK):
            return path
    return None
