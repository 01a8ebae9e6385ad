"""Sdists that do not build the way uv and pip build them today, in isolation and with the newest tools.

Many an old sdist imports in its ``setup.py`` what it never declared (numpy, pystan), or what setuptools no longer has
(``pkg_resources``). The image built it inside its own environment; so it is done here, once all others are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from envsync.build.backend import Request
from envsync.build.events import Line
from envsync.build.failure import Failure, build_error
from envsync.build.plan import FromIndex, FromUrl
from envsync.names import normalized


class Failed(Struct, frozen=True, kw_only=True):
    """A run of uv or pip that failed."""

    failure: Failure
    output: str
    command: str


class Steps(Protocol):
    """What can be asked of uv and pip alike; each returns why it failed, or ``None``."""

    def together(self, parts: Sequence[FromIndex | FromUrl]) -> Failed | None:
        """Make the environment hold exactly ``parts``."""

    def alone(self, requirement: str) -> Failed | None:
        """Add one requirement, built inside the environment where it has to be built."""

    def remove(self, names: Sequence[str]) -> Failed | None:
        """Remove distributions."""


def install_all(request: Request, wanted: Sequence[FromIndex | FromUrl], steps: Steps) -> None:
    """Install ``wanted``; those that fail to build in isolation come last, built inside the environment.

    Raises:
        BuildError: names the distribution that cannot be installed either way.
    """
    held: list[FromIndex | FromUrl] = []
    while (failed := steps.together([part for part in wanted if part not in held])) is not None:
        part = _named(failed.failure, wanted)
        if part is None or part in held or failed.failure.kind != "build":
            raise build_error(failed.failure, wanted, failed.output, failed.command)
        held.append(part)
    if held:
        _build_inside(request, wanted, held, steps)


def build_tools(python: str, wanted: Sequence[FromIndex | FromUrl]) -> dict[str, str]:
    """Name → requirement of the tools that old sdists take for granted and that are not ``wanted`` themselves."""
    minor = tuple(int(number) for number in python.split(".")[:2])
    # The last setuptools that still knows use_2to3 and friends; 3.12 and later only run with newer ones.
    setuptools = "setuptools<59" if minor < (3, 12) else "setuptools<81"
    have = {normalized(part.name) for part in wanted}
    tools = {"setuptools": setuptools, "wheel": "wheel<0.46"}
    return {name: requirement for name, requirement in tools.items() if name not in have}


def _build_inside(
    request: Request, wanted: Sequence[FromIndex | FromUrl], held: Sequence[FromIndex | FromUrl], steps: Steps
) -> None:
    tools = build_tools(request.python, wanted)
    for requirement in tools.values():
        if (failed := steps.alone(requirement)) is not None:
            raise build_error(failed.failure, wanted, failed.output, failed.command)
    waiting = list(held)
    while waiting:
        # They may need each other, in an order that nothing tells: go round as long as one more succeeds.
        failures = {part.name: _alone(request, part, steps) for part in waiting}
        still = [part for part in waiting if failures[part.name] is not None]
        if len(still) == len(waiting):
            last = failures[still[-1].name]
            assert last is not None  # noqa: S101 - it is among those that failed
            raise build_error(last.failure, wanted, last.output, last.command)
        waiting = still
    if tools and (failed := steps.remove(sorted(tools))) is not None:
        raise build_error(failed.failure, wanted, failed.output, failed.command)


def _alone(request: Request, part: FromIndex | FromUrl, steps: Steps) -> Failed | None:
    text = f"{part.name} {part.version} does not build in isolation: building it inside the environment"
    request.on_event(Line(text=text))
    return steps.alone(part.requirement)


def _named(failure: Failure, wanted: Sequence[FromIndex | FromUrl]) -> FromIndex | FromUrl | None:
    name = normalized(failure.name or "")
    return next((part for part in wanted if normalized(part.name) == name), None)
