"""What to ask a solver for, and what of the image its answer has not. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from envsync.channels import DEFAULT_CHANNELS, DEFAULTS, PACKAGE_NAME, channel_url
from envsync.drift.match import matches_version
from envsync.errors import UsageError
from envsync.lock.conda.environment_yml import only_on_linux
from envsync.lock.conda.grammar import checked, dependencies
from envsync.model import CondaEnvironment, CondaPackage, Deviation

Level = Literal["exact", "minor", "any", "requested"]
LEVELS: tuple[Level, ...] = ("exact", "minor", "any", "requested")

Versions = Mapping[str, frozenset[str]]
"""Name -> versions that the channels have for the platform."""

_MINOR = re.compile(r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)?")
_PYTHON = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")
_REQUEST = re.compile(rf"(?:[^\s:]*:)*(?P<name>{PACKAGE_NAME.pattern}?)(?P<rest>$|[\s=<>!~\[].*)")
_BRACKETS = re.compile(r"\[(?:.*[,\s])?version=['\"]?(?P<version>[^'\"\]]*).*")
_BUILD = re.compile(r"(?P<version>={1,2}[^=\s]+)(?:=|\s).*")
_NUMBER = r"[0-9]+[a-z0-9]*(?:[._][a-z0-9]+)*"
_LONG = re.compile(r"[0-9]{16}")
"""No version has it; solvers read such numbers not at all."""
_FUZZY = re.compile(rf"=?=?(?P<number>{_NUMBER})\.\*|=?(?P<plain>{_NUMBER})")
_BOUNDS = re.compile(rf"(?:==|[<>]=?|!=|~=){_NUMBER}(?:,(?:==|[<>]=?|!=|~=){_NUMBER})*")


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
            # Of those that conda means by it now, R and what only Windows has are left out where nothing asks for them.
            now = {DEFAULT_CHANNELS[0], *(DEFAULT_CHANNELS[2:3] if subdir.startswith("win") else ())}
            urls |= dict.fromkeys(url for url in DEFAULT_CHANNELS if url in now | used)
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
    """The spec of a package: its version, else its major and minor number, else any; of Python the nearest minor."""
    if level == "exact" and package.version in versions:
        return f"{package.name}=={package.version}"
    minor = _MINOR.match(package.version)
    python = package.name == "python"
    if minor and (level != "any" or python):
        if any(version == minor[0] or version.startswith(f"{minor[0]}.") for version in versions):
            return f"{package.name}={minor[0]}"
        if python and (nearest := _nearest(minor[0], versions)):
            return f"{package.name}={nearest}"
    return package.name


def _nearest(minor: str, versions: frozenset[str]) -> str | None:
    """The next minor version of Python that there is, else the last before; ``None``: of this major there is none."""
    wanted = _python(minor)
    found = sorted(
        number for number in map(_python, versions) if number is not None and wanted and number[0] == wanted[0]
    )
    if not found or not wanted:
        return None
    major, number = next((one for one in found if one > wanted), found[-1])
    return f"{major}.{number}"


def nearest_python(image: str, versions: Collection[str]) -> str | None:
    """Of some versions of Python the image's own, else one of its minor version, else of the nearest one."""
    if image in versions:
        return image
    minor = _MINOR.match(image)
    wanted = _python(minor[0]) if minor else None
    nearest = _nearest(minor[0], frozenset(versions)) if minor else None
    same = [one for one in versions if _python(one) in (wanted, _python(nearest or ""))]
    return max(same, key=lambda one: (_python(one) == wanted, one), default=None)


def _python(version: str) -> tuple[int, int] | None:
    match = _PYTHON.match(version)
    return (int(match[1]), int(match[2])) if match else None


def _requested(environment: CondaEnvironment, names: frozenset[str], versions: Versions) -> Iterator[str]:
    """What somebody asked for, without builds, which are of the image's platform; and the Python of the image.

    A version that the platform has not is relaxed. Where nothing tells what was asked for: what is wanted for itself.
    """
    asked = dict(request for request in map(_request, environment.requested) if request is not None)
    if not asked:
        asked = dict.fromkeys(names, "")
    image = {package.name: package for package in environment.packages}
    if "python" in image and not asked.get("python"):
        asked["python"] = ""
    for name, version in sorted(asked.items()):
        if name not in versions:
            continue
        met = version and any(matches_version(version, one) is not False for one in versions[name])
        if met or name not in image:
            yield f"{name}{version}" if met else name
        else:
            yield _near(image[name], versions[name], "minor" if version or name == "python" else "any")


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
    return match["name"].lower(), _version(rest.replace(" ", ""))


def _version(text: str) -> str:
    """A version spec that every client reads alike: ``=1.2``, or bounds."""
    if _LONG.search(text):
        return ""
    if fuzzy := _FUZZY.fullmatch(text):
        return f"={fuzzy['number'] or fuzzy['plain']}"
    return text if _BOUNDS.fullmatch(text) else ""


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
