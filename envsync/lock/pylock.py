"""``pylock.toml``: PEP 751, https://packaging.python.org/en/latest/specifications/pylock-toml/."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from envsync.lock.hashed import WHEELS, artifact
from envsync.model import Distribution, Snapshot, VcsOrigin
from envsync.names import normalized, pep440

if TYPE_CHECKING:
    from packaging.pylock import Package
    from packaging.version import Version

_HEADER = "# Written by envsync; do not edit. The environment of an image: see snapshot.json beside it.\n"


def render_pylock(snapshot: Snapshot) -> str:
    """The file, validated; what no file is known of is left out, and named under ``tool.envsync``."""
    import tomli_w
    from packaging.pylock import Pylock
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    packages: list[Package] = []
    absent: list[str] = []
    own = [d for d in snapshot.distributions if d.conda is None]
    for distribution in sorted(own, key=lambda d: normalized(d.name)):
        package = _package(distribution)
        if package is not None:
            packages.append(package)
        else:
            absent.append(f"{distribution.name}=={distribution.version}")
    minor = re.match(r"[0-9]+\.[0-9]+", snapshot.python.version)
    lock = Pylock(
        lock_version=Version("1.0"),
        created_by="envsync",
        requires_python=SpecifierSet(f"=={minor[0]}.*") if minor is not None else None,
        packages=packages,
        tool={"envsync": {"absent": absent}} if absent else None,
    )
    lock.validate()
    return _HEADER + tomli_w.dumps(_plain(lock.to_dict()))


def _plain(value: Any) -> Any:
    """Only what TOML knows, deterministic."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _package(distribution: Distribution) -> Package | None:
    from packaging.pylock import Package, PackageVcs, PackageWheel
    from packaging.version import Version

    version = pep440(distribution.version)
    if version is None:
        return None
    name, parsed = normalized(distribution.name), Version(version)
    found, file, origin = artifact(distribution), distribution.file, distribution.origin
    if found is None and isinstance(origin, VcsOrigin) and not origin.url.lower().startswith("file:"):
        vcs = PackageVcs(
            type=origin.vcs,
            url=origin.url,
            requested_revision=origin.requested_revision,
            commit_id=origin.commit,
            subdirectory=origin.subdirectory,
        )
        return Package(name=name, version=parsed, vcs=vcs)
    if found is None:
        return None
    filename, sha256 = found
    if not _is_of(filename, name, parsed):
        return None
    of_index = file is not None and (file.filename, file.sha256) == found and file.url is not None
    wheel = PackageWheel(
        name=filename,
        url=file.url if of_index and file is not None else None,
        path=None if of_index else f"{WHEELS}/{filename}",
        size=file.size if of_index and file is not None else (distribution.wheel.size if distribution.wheel else None),
        upload_time=_time(file.uploaded) if of_index and file is not None else None,
        hashes={"sha256": sha256},
    )
    return Package(name=name, version=parsed, wheels=[wheel])


def _is_of(filename: str, name: str, version: Version) -> bool:
    """Whether a wheel's name tells this release, which PEP 751 demands; old ones may be no names of today's."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(filename)[:2] == (name, version)
    except InvalidWheelFilename:
        return False


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.astimezone(timezone.utc)
