"""What an environment on this machine holds, just precisely enough to know what has to change."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from envsync.build.plan import FromImage, FromIndex, Installable
from envsync.catalog.direct_url import DirectUrlError, parse_direct_url
from envsync.contents import MARKER
from envsync.model import ArchiveOrigin, DirectoryOrigin, Origin, VcsOrigin
from envsync.names import normalized

_METADATA = re.compile(
    r"(?P<name>[A-Za-z0-9._]+?(?:-[A-Za-z][A-Za-z0-9._]*)*)-(?P<version>[0-9v][^-]*)(?:-py[0-9.]+)?\.(?:dist|egg)-info"
)
_LIMIT = 1024 * 1024


class Installed(Struct, frozen=True, kw_only=True):
    """One distribution in site-packages."""

    name: str
    """Normalised."""
    version: str
    """``""`` where it is not known (a legacy editable install)."""
    origin: Origin | None = None
    """By ``direct_url.json``; an empty directory origin where that file is damaged."""
    folder: str = ""
    """The name of its ``.dist-info`` or ``.egg-info``."""
    repacked: bool = False
    """Whether it came from a wheel that envsync repacked."""


def site_packages(env: Path) -> Path | None:
    """``lib/pythonX.Y/site-packages`` of an environment; conda has another name, ``python3.1``, for Python 3.10."""
    found = sorted(path for path in env.glob("lib/python*/site-packages") if not path.parent.is_symlink())
    return found[0] if len(found) == 1 else None


def read_installed(env: Path) -> tuple[Installed, ...]:
    """The distributions in a virtual environment's site-packages, sorted; copies of one name all listed."""
    place = site_packages(env)
    if place is None:
        return ()
    found: list[Installed] = []
    for entry in place.iterdir():
        if entry.name.endswith(".egg-link"):
            found.append(Installed(name=normalized(entry.name.removesuffix(".egg-link")), version=""))
            continue
        match = _METADATA.fullmatch(entry.name)
        if match is not None:
            origin = _read_origin(entry / "direct_url.json")
            name = normalized(match["name"])
            one = Installed(
                name=name,
                version=match["version"],
                origin=origin,
                folder=entry.name,
                repacked=(entry / MARKER).exists(),
            )
            found.append(one)
    return tuple(sorted(found, key=lambda one: (one.name, one.version)))


def is_satisfied(part: Installable, installed: Installed) -> bool:
    """Whether what is installed is what the plan would install: version and origin."""
    if not _same_version(part.version, installed.version):
        return False
    if isinstance(part, FromImage):
        return installed.repacked
    if isinstance(part, FromIndex):
        return installed.origin is None
    return _same_origin(part.origin, installed.origin)


def _same_version(one: str, other: str) -> bool:
    if one == other:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except (InvalidVersion, ValueError):
        return False


def _same_origin(wanted: Origin, found: Origin | None) -> bool:
    match wanted, found:
        case VcsOrigin(), VcsOrigin():
            return _place(wanted) == _place(found) and wanted.commit == found.commit
        case ArchiveOrigin(), ArchiveOrigin():
            comparable = {_algorithm(one) for one in wanted.hashes} & {_algorithm(one) for one in found.hashes}
            same = set(wanted.hashes) & set(found.hashes)
            return _place(wanted) == _place(found) and (not comparable or bool(same))
    return False


def _place(origin: VcsOrigin | ArchiveOrigin) -> tuple[str, str]:
    return origin.url, origin.subdirectory or ""


def _algorithm(value: str) -> str:
    return value.partition("=")[0]


def _read_origin(path: Path) -> Origin | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT)
    except OSError:
        return None
    try:
        return parse_direct_url(data).origin
    except DirectUrlError:
        return DirectoryOrigin(url="")
