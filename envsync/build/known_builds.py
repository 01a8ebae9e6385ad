"""What is known of sdists that do not say what they need to be built: ``known_builds.toml``."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from msgspec import Struct

from envsync.errors import BuildError
from envsync.names import NAME, normalized
from envsync.sourced import are_specifiers, decode_table, specifies

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?P<versions>[<>=!~0-9a-z.,*]*)")


class KnownBuild(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One distribution, in some of its versions."""

    name: str
    versions: str = ""
    """A specifier of PEP 440; all versions where it is empty."""
    requires: tuple[str, ...]
    """What its build needs and does not ask for, or asks for without a limit. What the lock has of these wins."""
    why: str
    source: str
    """Where that is said in public."""

    def fits(self, name: str, version: str) -> bool:
        """Whether it speaks of this release."""
        return normalized(name) == normalized(self.name) and specifies(self.versions, version)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    build: tuple[KnownBuild, ...] = ()


def parse_known_builds(data: bytes) -> tuple[KnownBuild, ...]:
    """Parse the bytes of such a file.

    Raises:
        BuildError: says what of it is wrong.
    """
    found = decode_table(data, _File, "known_builds.toml", BuildError).build
    for number, one in enumerate(found):
        if problem := _problem(one):
            raise BuildError(f"known_builds.toml: build[{number}].{problem}")
    return found


@cache
def known_builds() -> tuple[KnownBuild, ...]:
    """The file that comes with envsync."""
    return parse_known_builds((files("envsync.build") / "known_builds.toml").read_bytes())


def requirement_name(requirement: str) -> str | None:
    """The normalised name in ``name`` or ``name<3``; ``None`` of anything else."""
    match = _REQUIREMENT.fullmatch(requirement)
    return normalized(match["name"]) if match else None


def _problem(one: KnownBuild) -> str | None:
    if not NAME.fullmatch(one.name):
        return f"name: {one.name!r} is no name of a distribution"
    if not are_specifiers(one.versions):
        return f"versions: {one.versions!r} is no version specifier"
    if not one.requires:
        return "requires: is empty"
    for requirement in one.requires:
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None or not are_specifiers(match["versions"]):
            return f"requires: {requirement!r} is no requirement (expected a name, or a name and versions)"
    if not one.why:
        return "why: is empty"
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+/\S+", one.source):
        return f"source: {one.source!r} is no https URL"
    return None
