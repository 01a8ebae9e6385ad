"""``paths_data`` of a ``conda-meta`` record, version 1: the files of a conda package.

https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html#info-paths-json, and what conda adds
to it where it installs.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

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


def brought(entries: Iterable[PathEntry]) -> list[PathEntry]:
    """The files that the package brought: without byte code and entry points that were made at installation."""
    return [entry for entry in entries if entry.path_type not in _MADE_HERE and not entry.path.endswith(".pyc")]
