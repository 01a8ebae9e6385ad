"""What to ask a solver for, and what of the image its answer has not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from envsync.channels import DEFAULT_CHANNELS, DEFAULTS, PACKAGE_NAME, channel_url
from envsync.errors import UsageError
from envsync.lock.conda.environment_yml import only_on_linux
from envsync.lock.conda.grammar import checked, dependencies
from envsync.model import CondaEnvironment, CondaPackage, Deviation

Level = Literal["exact", "minor", "requested"]
LEVELS: tuple[Level, ...] = ("exact", "minor", "requested")

Versions = Mapping[str, frozenset[str]]
"""Name -> versions that the channels have for the platform."""

_MINOR = re.compile(r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)?")
_REQUEST = re.compile(rf"(?:[^\s:]*:)*(?P<name>{PACKAGE_NAME.pattern}?)(?P<rest>$|[\s=<>!~\[].*)")
_BRACKETS = re.compile(r"\[(?:.*[,\s])?version=['\"]?(?P<version>[^'\"\]]*).*")
_BUILD = re.compile(r"(?P<version>={1,2}[^=\s]+)(?:=|\s).*")
_VERSION = re.compile(r"(?:==?|[<>]=?|!=|~=)?[0-9A-Za-z_.*+!]+(?:[,|](?:==?|[<>]=?|!=|~=)?[0-9A-Za-z_.*+!]+)*")


class Wish(Struct, frozen=True, kw_only=True):
    """Match specs to solve."""

    specs: tuple[str, ...]
    preferred: tuple[str, ...] = ()
    """Of what may come along: for a solver that cannot be told which versions it should prefer."""


def channel_urls(environment: CondaEnvironment, subdir: str) -> tuple[str, ...]:
    """The channels of an environment by URL, in order of priority; none of a file system, which is the image's own."""
    used = {package.channel for package in environment.packages}
    urls: dict[str, None] = {}
    for name in environment.channels:
        if name == DEFAULTS:
            now = DEFAULT_CHANNELS[:3] if subdir.startswith("win") else DEFAULT_CHANNELS[:2]
            urls |= dict.fromkeys(url for url in DEFAULT_CHANNELS if url in now or url in used)
        else:
            urls |= _url(name)
    for name in sorted(used):
        urls |= _url(name)
    return tuple(urls)


def _url(name: str) -> dict[str, None]:
    try:
        url = channel_url(name)
    except UsageError:
        return {}
    return {url: None} if url.startswith(("http://", "https://")) else {}


def wanted(environment: CondaEnvironment) -> frozenset[str]:
    """Names of the packages that are wanted for themselves; the others are dependencies, and come where needed.

    What somebody asked for, what no other package needs, and all that is of Python, which anybody may import.
    """
    needs = {package.name: dependencies(checked(package)).keys() for package in environment.packages}
    needed = {dependency for names in needs.values() for dependency in names}
    asked = {request[0] for request in map(_request, environment.requested) if request is not None}
    return frozenset(
        name for name, names in needs.items() if name in asked or name not in needed or "python" in {name, *names}
    )


def specs(environment: CondaEnvironment, names: frozenset[str], versions: Versions, level: Level) -> Wish:
    """What to ask for at one level, of what there is for the platform at all."""
    there = [package for package in environment.packages if package.name in versions]
    if level == "requested":
        return Wish(specs=tuple(_requested(environment, names, versions)))
    close = [(package, _near(package, versions[package.name], level)) for package in there]
    return Wish(
        specs=tuple(spec for package, spec in close if package.name in names),
        preferred=tuple(spec for package, spec in close if package.name not in names) if level == "exact" else (),
    )


def _near(package: CondaPackage, versions: frozenset[str], level: Level) -> str:
    """The spec of a package: its version, else its major and minor number, else any."""
    if level == "exact" and package.version in versions:
        return f"{package.name}=={package.version}"
    minor = _MINOR.match(package.version)
    if minor and any(version == minor[0] or version.startswith(f"{minor[0]}.") for version in versions):
        return f"{package.name}={minor[0]}"
    return package.name


def _requested(environment: CondaEnvironment, names: frozenset[str], versions: Versions) -> Iterator[str]:
    """What somebody asked for, without builds, which are of the image's platform; and the Python of the image.

    Where nothing tells what was asked for: what is wanted for itself, in any version.
    """
    asked = dict(request for request in map(_request, environment.requested) if request is not None)
    if not asked:
        asked = dict.fromkeys(sorted(names), "")
    for package in environment.packages:
        if package.name == "python" and "python" in versions and not asked.get("python"):
            asked["python"] = _near(package, versions["python"], "minor").removeprefix("python")
    return (f"{name}{version}" for name, version in sorted(asked.items()) if name in versions)


def _request(spec: str) -> tuple[str, str] | None:
    """Name and version of a match spec as somebody typed it; a version that is not understood counts as any."""
    match = _REQUEST.fullmatch(spec.strip())
    if match is None:
        return None
    rest = match["rest"].strip()
    if brackets := _BRACKETS.fullmatch(rest):
        rest = brackets["version"]
    elif build := _BUILD.fullmatch(rest):
        rest = build["version"]
    elif " " in rest and rest[0] not in "<>=!~":
        rest = rest.split()[0]
    rest = rest.replace(" ", "")
    if not _VERSION.fullmatch(rest):
        rest = ""
    return match["name"].lower(), f"={rest}" if rest[:1].isalnum() and "," not in rest and "|" not in rest else rest


def deviations(
    environment: CondaEnvironment, packages: tuple[CondaPackage, ...], versions: Versions
) -> tuple[Deviation, ...]:
    """What of the image is not among ``packages``, or in another version."""
    solved = {package.name: package.version for package in packages}
    names = wanted(environment)
    found = (_deviation(package, solved.get(package.name), versions, names) for package in environment.packages)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))


def _deviation(
    package: CondaPackage, solved: str | None, versions: Versions, names: frozenset[str]
) -> Deviation | None:
    if solved == package.version:
        return None
    reason: Literal["linux only", "absent", "not asked for", "not needed", "version"]
    if solved is not None:
        reason = "version"
    elif package.name not in versions:
        reason = "linux only" if only_on_linux(package.name) else "absent"
    else:
        reason = "not asked for" if package.name in names else "not needed"
    return Deviation(name=package.name, version=package.version, solved=solved, reason=reason)
