"""``conda-lock.yml``, version 1, as https://github.com/conda/conda-lock reads it."""

from __future__ import annotations

import json
import re
from hashlib import sha256 as sha256_of
from itertools import chain

from envsync.lock.conda.explicit import render_explicit, render_solved
from envsync.lock.conda.grammar import (
    channels,
    checked,
    dependencies,
    known_subdir,
    md5,
    package_url,
    scalar,
    sha256,
    subdir_of,
)
from envsync.lock.conda.order import in_order
from envsync.lock.requirements import header, pinned
from envsync.model import ArchiveOrigin, CondaPackage, Deviation, Distribution, Snapshot, SolvedEnvironment
from envsync.names import normalized, pep440
from envsync.redaction import printable

_ONE_PLATFORM = "# Nothing was solved: these are the packages of the image, for its platform alone."
_NOTES = """\
#     conda-lock install --name NAME conda-lock.yml
# Distributions that pip installed from an index have no URL that the image records: they are in environment.yml
# only. content_hash is the SHA-256 of explicit.txt."""
_SOLVED_HASH = "# Of a solved platform it is that of explicit.PLATFORM.txt."
_PIP_URL = re.compile(r"https://[A-Za-z0-9._~%+=:,!/-]+")
_LEVELS = {
    "exact": "the versions of the image",
    "minor": "the major and minor versions of the image",
    "any": "the packages of the image, and the nearest Python",
    "requested": "only what somebody asked for when the image was made",
}
_REASONS = {
    "version": "in another version than in the image",
    "absent": "in no channel for this platform, so left out",
    "not asked for": "cannot be had together with the rest, so left out",
    "linux only": "only on Linux",
    "not needed": "needed by nothing on this platform",
}
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})")


def render_conda_lock(snapshot: Snapshot) -> str | None:
    """All conda packages, and what pip installed from an archive whose hash is known; then what was solved.

    A solved platform with a package without MD5 is left out.

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
    solved = [one for one in environment.solved if one.subdir != platform and all(p.md5 for p in one.packages)]
    left_out = [one.subdir for one in environment.solved if one.subdir != platform and one not in solved]
    about = header(snapshot)
    explicit = {platform: render_explicit(environment, snapshot.platform, about)}
    explicit |= {known_subdir(one.subdir): render_solved(one, about) for one in solved}
    named = channels(environment)
    lines = [
        *about,
        *(_platforms(platform, solved) if environment.solved else [_ONE_PLATFORM]),
        *(f"# {known_subdir(subdir)} is left out: a package that was solved for it has no MD5." for subdir in left_out),
        _NOTES,
        *([_SOLVED_HASH] if solved else []),
        "version: 1",
        "metadata:",
        "  content_hash:",
        *(f"    {subdir}: {json.dumps(sha256_of(text.encode()).hexdigest())}" for subdir, text in explicit.items()),
        "  channels:" if named else "  channels: []",
        *chain.from_iterable((f"  - url: {scalar(channel)}", "    used_env_vars: []") for channel in named),
        "  platforms:",
        *(f"  - {subdir}" for subdir in explicit),
        "  sources:",
        "  - environment.yml",
    ]
    entries = [_conda(checked(package), platform) for package in in_order(environment.packages)]
    entries += [_pip(distribution, platform) for distribution in _from_archives(snapshot)]
    for one in solved:
        entries += [_conda(checked(package), one.subdir) for package in in_order(one.packages)]
        entries += [_pip(distribution, one.subdir) for distribution in _from_archives(snapshot, for_all=True)]
    lines += ["package:" if entries else "package: []", *chain.from_iterable(entries)]
    return "\n".join(lines) + "\n"


def _platforms(extracted: str, solved: list[SolvedEnvironment]) -> list[str]:
    """Comments that say which platforms are of the image, and how far the others are from it."""
    lines = [f"# {extracted}: extracted, nothing solved: these are the packages of the image."]
    for one in solved:
        lines.append(
            f"# {one.subdir}: SOLVED by {printable(one.solver)}, NOT EXTRACTED; asked for: {_LEVELS[one.level]}."
        )
        for reason, said in _REASONS.items():
            names = [_deviation(deviation) for deviation in one.deviations if deviation.reason == reason]
            if names:
                lines += [f"#   {said}:", *(f"#     {printable(name)}" for name in names)]
    return lines


def _deviation(deviation: Deviation) -> str:
    there = f" -> {deviation.solved}" if deviation.solved else ""
    return f"{deviation.name} {deviation.version}{there}"


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


def _from_archives(snapshot: Snapshot, for_all: bool = False) -> list[Distribution]:
    """What pip installed from an archive; ``for_all``: from a wheel that fits every platform."""
    found = (d for d in snapshot.distributions if d.conda is None and pep440(d.version))
    archives = ((d, _archive(d)) for d in found)
    chosen = (d for d, archive in archives if archive and (not for_all or archive[0].endswith("-none-any.whl")))
    return sorted(chosen, key=lambda d: normalized(d.name))


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
