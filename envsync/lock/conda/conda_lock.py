"""``conda-lock.yml``, version 1, as https://github.com/conda/conda-lock reads it."""

from __future__ import annotations

import json
import re
from hashlib import sha256 as sha256_of
from itertools import chain

from envsync.lock.conda.explicit import render_explicit
from envsync.lock.conda.grammar import channels, checked, dependencies, md5, package_url, scalar, sha256, subdir_of
from envsync.lock.conda.order import in_order
from envsync.lock.requirements import header, pinned
from envsync.model import ArchiveOrigin, CondaPackage, Distribution, Snapshot
from envsync.names import normalized, pep440

_NOTES = """\
# Nothing was solved: these are the packages of the image, for its platform alone.
#     conda-lock install --name NAME conda-lock.yml
# Distributions that pip installed from an index have no URL that the image records: they are in environment.yml
# only. content_hash is the SHA-256 of explicit.txt."""
_PIP_URL = re.compile(r"https://[A-Za-z0-9._~%+=:,!/-]+")
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})")


def render_conda_lock(snapshot: Snapshot) -> str | None:
    """All conda packages, and what pip installed from an archive whose hash is known.

    Returns:
        ``None`` where this format cannot tell: no conda environment, no platform, or a package without an MD5.

    Raises:
        UnsafeValueError: a name, version, URL or hash is none.
    """
    environment = snapshot.conda_environment
    if environment is None:
        return None
    platform = subdir_of(environment, snapshot.platform)
    if platform is None or any(package.md5 is None for package in environment.packages):
        return None
    content = sha256_of(render_explicit(environment, snapshot.platform, header(snapshot)).encode()).hexdigest()
    named = channels(environment)
    lines = [
        *header(snapshot),
        _NOTES,
        "version: 1",
        "metadata:",
        "  content_hash:",
        f"    {platform}: {json.dumps(content)}",
        "  channels:" if named else "  channels: []",
        *chain.from_iterable((f"  - url: {scalar(channel)}", "    used_env_vars: []") for channel in named),
        "  platforms:",
        f"  - {platform}",
        "  sources:",
        "  - environment.yml",
    ]
    entries = [_conda(checked(package), platform) for package in in_order(environment.packages)]
    entries += [_pip(distribution, platform) for distribution in _from_archives(snapshot)]
    lines += ["package:" if entries else "package: []", *chain.from_iterable(entries)]
    return "\n".join(lines) + "\n"


def _conda(package: CondaPackage, platform: str) -> list[str]:
    wanted = dependencies(package)
    hashes = [
        f"    {kind}: {json.dumps(value)}"
        for kind, value in (("md5", md5(package)), ("sha256", sha256(package)))
        if value
    ]
    return [
        f"- name: {scalar(package.name)}",
        f"  version: {json.dumps(package.version)}",
        "  manager: conda",
        f"  platform: {platform}",
        "  dependencies:" if wanted else "  dependencies: {}",
        *(f"    {scalar(name)}: {json.dumps(spec)}" for name, spec in wanted.items()),
        f"  url: {json.dumps(package_url(package))}",
        "  hash:",
        *hashes,
        f"  build: {json.dumps(package.build)}",
        "  category: main",
        "  optional: false",
    ]


def _from_archives(snapshot: Snapshot) -> list[Distribution]:
    found = (d for d in snapshot.distributions if d.conda is None and _archive(d) is not None and pep440(d.version))
    return sorted(found, key=lambda d: normalized(d.name))


def _archive(distribution: Distribution) -> tuple[str, str] | None:
    """URL and SHA-256, where conda-lock can name them both."""
    match distribution.origin:
        case ArchiveOrigin(url=url, hashes=hashes, subdirectory=None) if _PIP_URL.fullmatch(url):
            found = next((match[1] for match in map(_SHA256.fullmatch, hashes) if match), None)
            return (url, found) if found else None
    return None


def _pip(distribution: Distribution, platform: str) -> list[str]:
    pinned(distribution)  # refuses what is no requirement
    url, digest = _archive(distribution) or ("", "")
    return [
        f"- name: {scalar(normalized(distribution.name))}",
        f"  version: {json.dumps(distribution.version)}",
        "  manager: pip",
        f"  platform: {platform}",
        "  dependencies: {}",
        f"  url: {json.dumps(url)}",
        "  hash:",
        f"    sha256: {json.dumps(digest)}",
        "  category: main",
        "  optional: false",
    ]
