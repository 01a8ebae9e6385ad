"""What an image's own conda, mamba or micromamba prints of an environment, and where it differs from the records.

The formats are those of ``conda list --explicit --md5`` and ``conda env export``:
https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from envsync.catalog.bounded_yaml import YamlError, load_yaml
from envsync.channels import TOKEN, channel_url, split_package_url, ungrammatical
from envsync.errors import UsageError
from envsync.model import CondaEnvironment, CondaPackage, DirectoryOrigin, Interpreter, Skipped
from envsync.names import normalized, pep440
from envsync.probe.answered import CondaClient, Printed
from envsync.redaction import printable, without_credentials

SHOWN = 50
"""Lines that are noted of one command."""
EXPLICIT = "conda list --explicit"
EXPORT = "conda env export"

_NO_URL = re.compile(r"# no URL for: (\S{1,400})")
_MD5 = re.compile(r"[0-9a-f]{32}")
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,199})={2,3}([A-Za-z0-9][A-Za-z0-9.!+_*-]{0,199})")
_METADATA = re.compile(r"\.(?:dist|egg)-info(?:/|$)")


class ClientError(ValueError):
    """An output that makes no sense; the message says which line or key of it."""


class Explicit(Struct, frozen=True, kw_only=True):
    """An explicit spec."""

    packages: frozenset[str]
    """``URL#md5``, without credentials; ``URL`` where no MD5 is recorded."""
    without_url: frozenset[str] = frozenset()
    """Names of package files whose records do not tell a URL."""


class Exported(Struct, frozen=True, kw_only=True):
    """An environment file."""

    packages: frozenset[str]
    """``name=version=build``."""
    pip: frozenset[tuple[str, str]] | None
    """Names and versions, normalised. ``None``: not told, as by micromamba and older ones, or there are none."""


def parse_explicit(text: str) -> Explicit:
    """Parse an explicit spec.

    Raises:
        ClientError: a line is no URL of a package.
    """
    packages: set[str] = set()
    without_url: set[str] = set()
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line.startswith("#"):
            match = _NO_URL.fullmatch(line)
            without_url.update(match.groups() if match else ())
        elif line and line != "@EXPLICIT":
            packages.add(_package(line, number))
    return Explicit(packages=frozenset(packages), without_url=frozenset(without_url))


def _package(line: str, number: int) -> str:
    url, _, md5 = line.partition("#")
    try:
        channel, subdir, name = split_package_url(url)
        plain = f"{channel_url(channel)}/{subdir}/{name}"
    except (ValueError, UsageError) as error:
        raise ClientError(f"line {number} makes no sense (expected the URL of a package)") from error
    if md5 and not _MD5.fullmatch(md5.lower()):
        raise ClientError(f"line {number} makes no sense (expected an MD5 after “#”)")
    return f"{plain}#{md5.lower()}" if md5 else plain


def parse_export(data: bytes) -> Exported:
    """Parse an environment file.

    Raises:
        ClientError: no YAML, or an entry of ``dependencies`` that is none.
    """
    try:
        document: Any = load_yaml(data)
    except YamlError as error:
        raise ClientError(str(error)) from error
    entries = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ClientError("dependencies: no list")
    packages: set[str] = set()
    pip: set[tuple[str, str]] | None = None
    for number, entry in enumerate(entries):
        if isinstance(entry, dict) and isinstance(entry.get("pip"), list):
            pip = (pip or set()) | set(_requirements(entry["pip"]))
        else:
            packages.add(_spec(entry, number))
    return Exported(packages=frozenset(packages), pip=frozenset(pip) if pip is not None else None)


def _spec(entry: object, number: int) -> str:
    parts = entry.rpartition("::")[2].split("=") if isinstance(entry, str) else []
    if len(parts) != 3 or ungrammatical(*parts):
        raise ClientError(f"dependencies[{number}] makes no sense (expected name=version=build)")
    return "=".join(parts)


def _requirements(entries: list[object]) -> Iterator[tuple[str, str]]:
    """Others than ``name==version`` are an URL, or options: of these conda tells too little."""
    for entry in entries:
        match = _PINNED.fullmatch(entry) if isinstance(entry, str) else None
        if match is not None:
            yield normalized(match[1]), pep440(match[2]) or match[2]


def disagreements(client: CondaClient, environment: CondaEnvironment, python: Interpreter) -> tuple[Skipped, ...]:
    """Lines in which the client and the records differ, and what it could not tell.

    Args:
        client: what it printed of ``environment``.
        environment: as its records tell it.
        python: that of the environment, with its distributions.
    """
    place = printable(str(environment.prefix))
    found = (
        (EXPLICIT, _of_explicit(client.explicit, environment)),
        (EXPORT, _of_export(client.export, environment, python)),
    )
    notes: list[Skipped] = []
    for subject, lines in found:
        try:
            reasons = list(lines)
        except ClientError as error:
            reasons = [f"{client.program}: {error}"]
        more = [f"and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
        notes += [Skipped(subject=subject, place=place, reason=printable(r)) for r in (*reasons[:SHOWN], *more)]
    return tuple(notes)


def _of_explicit(printed: Printed, environment: CondaEnvironment) -> Iterator[str]:
    told = parse_explicit(_output(printed))
    known = {
        f"{one.url}#{one.md5}" if one.md5 else one.url
        for one in environment.packages
        if one.url.rpartition("/")[2] not in told.without_url
    }
    yield from _differences(told.packages, known)


def _of_export(printed: Printed, environment: CondaEnvironment, python: Interpreter) -> Iterator[str]:
    told = parse_export(_output(printed).encode("utf-8", "replace"))
    # A package over which pip has installed: some releases list what pip brought in its place, some both.
    doubtful = {one.name for one in environment.packages if _is_replaced(one)}
    known = {f"{one.name}={one.version}={one.build}" for one in environment.packages if one.name not in doubtful}
    yield from _differences({one for one in told.packages if one.partition("=")[0] not in doubtful}, known)
    if told.pip is None:
        return
    names = {normalized(name) for one in environment.packages for name in one.overwritten_by} | doubtful
    brought = {
        (normalized(one.name), pep440(one.version) or one.version)
        for one in python.distributions
        if one.conda is None and one.location is not None and one.location.is_relative_to(environment.prefix or "/")
    }
    # Not everything that is linked to is a package to conda.
    names |= {normalized(one.name) for one in python.distributions if isinstance(one.origin, DirectoryOrigin)}
    yield from _differences(
        (f"pip: {name}=={version}" for name, version in told.pip if name not in names),
        (f"pip: {name}=={version}" for name, version in brought if name not in names),
    )


def _is_replaced(package: CondaPackage) -> bool:
    return bool(package.overwritten) or any(_METADATA.search(path) for path in package.missing)


def _output(printed: Printed) -> str:
    if printed.problem is not None:
        raise ClientError(TOKEN.sub("/t/withheld", without_credentials(printed.problem)))
    return printed.output


def _differences(told: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    one, other = set(told), set(known)
    yield from (f"conda only: {line}" for line in sorted(one - other))
    yield from (f"envsync only: {line}" for line in sorted(other - one))
