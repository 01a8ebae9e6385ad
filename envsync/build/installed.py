"""What an environment on this machine holds, just precisely enough to know what has to change."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from envsync.build.plan import FromIndex, FromUrl, normalized
from envsync.model import ArchiveOrigin, VcsOrigin

_METADATA = re.compile(
    r"(?P<name>[A-Za-z0-9._]+?(?:-[A-Za-z][A-Za-z0-9._]*)*)-(?P<version>[0-9v][^-]*)(?:-py[0-9.]+)?\.(?:dist|egg)-info"
)
_LIMIT = 1024 * 1024


class DirectUrl(Struct, frozen=True):
    """``direct_url.json``: https://packaging.python.org/en/latest/specifications/direct-url/."""

    url: str
    vcs_info: dict[str, object] | None = None
    archive_info: dict[str, object] | None = None
    dir_info: dict[str, object] | None = None
    subdirectory: str | None = None


class Installed(Struct, frozen=True, kw_only=True):
    """One distribution in site-packages."""

    name: str
    """Normalised."""
    version: str
    """``""`` where it is not known (a legacy editable install)."""
    direct_url: DirectUrl | None = None


def site_packages(env: Path) -> Path | None:
    """``lib/pythonX.Y/site-packages`` of a virtual environment."""
    found = sorted(env.glob("lib/python*/site-packages"))
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
            direct_url = _read_direct_url(entry / "direct_url.json")
            found.append(
                Installed(name=normalized(match["name"]), version=match["version"], direct_url=direct_url)
            )
    return tuple(sorted(found, key=lambda one: (one.name, one.version)))


def is_satisfied(part: FromIndex | FromUrl, installed: Installed) -> bool:
    """Whether what is installed is what the plan would install: version and origin."""
    if not _same_version(part.version, installed.version):
        return False
    found = installed.direct_url
    if isinstance(part, FromIndex) or found is None:
        return isinstance(part, FromIndex) and found is None
    if (found.url, found.subdirectory or None) != (part.origin.url, part.origin.subdirectory or None):
        return False
    match part.origin:
        case VcsOrigin(commit=commit):
            return found.vcs_info is not None and found.vcs_info.get("commit_id") == commit
        case ArchiveOrigin(hashes=hashes):
            have = _hashes(found)
            return found.archive_info is not None and (not hashes or not have or bool(have & set(hashes)))


def _hashes(found: DirectUrl) -> set[str]:
    info = found.archive_info or {}
    hashes = info.get("hashes")
    known = {f"{name}={value}" for name, value in hashes.items()} if isinstance(hashes, dict) else set()
    return known | ({str(info["hash"])} if "hash" in info else set())


def _read_direct_url(path: Path) -> DirectUrl | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT)
    except OSError:
        return None
    return parse_direct_url(data)


def parse_direct_url(data: bytes) -> DirectUrl:
    """Parse ``direct_url.json``; one that is damaged is an origin like no other: its URL is empty."""
    try:
        return msgspec.json.decode(data, type=DirectUrl)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return DirectUrl(url="")


def _same_version(one: str, other: str) -> bool:
    if one == other:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False
