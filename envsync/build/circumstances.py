"""Under which circumstances something could not be built or had: where they are others, it is tried again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from envsync import __version__
from envsync.build.environ import names_a_source
from envsync.redaction import without_credentials

_PACKAGES = (
    "/var/lib/dpkg/status",
    "/lib/apk/db/installed",
    "/var/lib/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/var/lib/pacman/local",
    "/usr/include",
    "/usr/local/include",
    "/usr/local/Cellar",
    "/opt/homebrew/Cellar",
)
"""What changes when a compiler, header or program of the OS is installed."""
_SETTINGS = (
    "/etc/uv/uv.toml",
    "/etc/pip.conf",
    "~/.config/uv/uv.toml",
    "~/.config/pip/pip.conf",
    "~/.pip/pip.conf",
    "~/.netrc",
)


def circumstances(
    environ: Mapping[str, str], place: Path, *, as_of: datetime | None, settings: tuple[str, ...] = _SETTINGS
) -> str:
    """A digest of what could make a failed build work: the date, programs, OS packages, the settings of indexes.

    ``place`` is the environment, whose own programs count for nothing. What an index has is not looked at.
    """
    folders = (folder for folder in environ.get("PATH", "").split(os.pathsep) if Path(folder).is_absolute())
    paths = [folder for folder in folders if not Path(folder).is_relative_to(place)]
    files = [str(Path(file).expanduser()) for file in settings]
    facts = [
        __version__,
        as_of.isoformat() if as_of else "",
        *(f"{name}={without_credentials(environ[name])}" for name in sorted(environ) if names_a_source(name)),
        *_changed([*paths, *_PACKAGES, *files]),
    ]
    return hashlib.sha256("\0".join(facts).encode(errors="surrogateescape")).hexdigest()[:32]


def _changed(paths: list[str]) -> Iterator[str]:
    for path in paths:
        try:
            yield f"{path}={Path(path).stat().st_mtime_ns}"
        except (OSError, ValueError):
            yield path
