"""``paths_data`` of a ``conda-meta`` record, version 1: the files of a conda package.

https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html#info-paths-json, and what conda adds
to it where it installs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec
from msgspec import Struct
from msgspec.structs import replace

_MADE_HERE = frozenset(
    {"pyc_file", "unix_python_entry_point", "windows_python_entry_point_script", "windows_python_entry_point_exe"}
)
"""``path_type`` of files that are made at installation, and are no files of the package."""


class PathEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file."""

    path: str = msgspec.field(name="_path")
    path_type: str = "hardlink"
    sha256: str | None = None
    """As the package has it."""
    sha256_in_prefix: str | None = None
    """With the prefix written into it."""

    @property
    def installed_sha256(self) -> str | None:
        """Of the file as it stands in the prefix."""
        return self.sha256_in_prefix or self.sha256


class PathsData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of them."""

    paths: tuple[PathEntry, ...] = ()


_NOARCH = {"site-packages/": None, "python-scripts/": "bin/"}
"""Where a ``noarch: python`` package has its files, and where they are put; the former differs with each Python."""


def placed(entries: Sequence[PathEntry], files: Iterable[str], *, noarch_python: bool) -> tuple[PathEntry, ...]:
    """``entries`` with the paths that they have in the prefix, as those of mamba and rattler have them already.

    For a ``noarch: python`` package conda itself records in ``paths_data`` where the package has a file
    (``site-packages/six.py``), and only in ``files``, and for byte code, where it put it.

    Args:
        entries: of ``paths_data``.
        files: of the same record.
        noarch_python: whether it is of such a package.
    """
    if not noarch_python or not any(entry.path.startswith(tuple(_NOARCH)) for entry in entries):
        return tuple(entries)
    known = (path for path in chain(files, (e.path for e in entries)) if "/site-packages/" in path)
    inside = next((path.partition("/site-packages/")[0] + "/site-packages/" for path in known), None)
    return tuple(_placed(entry, inside) for entry in entries)


def _placed(entry: PathEntry, inside: str | None) -> PathEntry:
    for start, put in _NOARCH.items():
        folder = put or inside
        if folder is not None and entry.path.startswith(start):
            return replace(entry, path=folder + entry.path.removeprefix(start))
    return entry


_SITE_PACKAGES = re.compile(r"^lib/python[0-9.]+/site-packages(?=/|$)")


def folder_in_package(folder: str) -> str:
    """Where a ``noarch: python`` package has the files of a folder of the prefix: the other way round.

    https://docs.conda.io/projects/conda-build/en/stable/resources/define-metadata.html#architecture-independent-packages
    """
    if folder == "bin":
        return "python-scripts"
    return _SITE_PACKAGES.sub("site-packages", folder, count=1)


def brought(entries: Iterable[PathEntry]) -> list[PathEntry]:
    """The files that the package brought: without byte code and entry points that were made at installation."""
    return [entry for entry in entries if entry.path_type not in _MADE_HERE and not entry.path.endswith(".pyc")]
