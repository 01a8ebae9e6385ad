"""The packages of a conda environment for a platform that the image is not of: solved, not extracted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.conda_config.network import Network, network_variables
from envsync.errors import SolveError, UnsatisfiableError
from envsync.model import CondaEnvironment, CondaPackage, SolvedEnvironment
from envsync.redaction import printable
from envsync.solve.wish import LEVELS, Level, Wish, channel_urls, deviations, specs, wanted

if TYPE_CHECKING:
    from envsync.solve.repodata import Repodata


class ChannelAccess(Struct, frozen=True, kw_only=True):
    """How channels are reached."""

    places: Callable[[str], tuple[str, ...]] = lambda channel: (channel,)
    """Where a channel is looked for, the first that answers counts: its mirrors, with what they ask for in the URL."""
    check: Callable[[Iterable[str]], None] = lambda _channels: None
    """Called with these places before anything is fetched; raises where the user may not."""
    network: Network = Network()
    cache: Path | None = None
    """The folder of repodata; ``None``: that of rattler, which its other users share."""
    conda: Path | None = None
    """A conda, mamba or micromamba, which conda-lock solves with; rattler solves where that fails, or is ``None``."""


class Telling(Struct, frozen=True, kw_only=True):
    """Where a solve tells how far it is."""

    step: Callable[[str], None] = lambda _text: None
    note: Callable[[str], None] = lambda _text: None


class _Solving(Struct, frozen=True, kw_only=True):
    """One solve: for what, of what, and how."""

    environment: CondaEnvironment
    subdir: str
    places: Mapping[str, tuple[str, ...]]
    repodata: Repodata


def solve(
    environment: CondaEnvironment, subdir: str, access: ChannelAccess, telling: Telling | None = None
) -> SolvedEnvironment:
    """Choose packages for ``subdir`` that are as near to those of the image as its channels allow.

    The versions of the image are asked for. Where they cannot be had together, their major and minor numbers are; then
    any version, with the nearest Python; then only what somebody asked for when the image was made. Whatever level has
    a solution, rattler prefers the image's versions; what differs in the end is told.

    Raises:
        SolveError: no channel, one that cannot be read, or no solution.
        UnsafeValueError: a package's name or version is none.
    """
    from envsync.solve.repodata import Repodata

    telling = telling or Telling()
    channels = channel_urls(environment, subdir)
    if not channels:
        raise SolveError(
            f"{subdir}: the image names no channel that can be reached (expected http or https)",
            hint="Packages that were built inside the image are nowhere else. Pull without this --platform.",
        )
    places = {channel: access.places(channel) for channel in channels}
    access.check(tuple(dict.fromkeys(place for found in places.values() for place in found)))
    telling.step(f"asking {', '.join(map(printable, channels))} for packages of {subdir}")
    with network_variables(access.network):
        repodata = Repodata.fetch(environment.packages, subdir, places, access.network, access.cache)
        solving = _Solving(environment=environment, subdir=subdir, places=places, repodata=repodata)
        if access.conda is not None:
            try:
                return _solve(solving, access.conda, telling)
            except SolveError as error:
                reason = error.message.splitlines()[-1].strip()
                telling.note(f"conda-lock with {access.conda.name} failed: {reason}; rattler tries instead")
        return _solve(solving, None, telling)


def _solve(solving: _Solving, client: Path | None, telling: Telling) -> SolvedEnvironment:
    """The solution of the first level that has one, by a client or by rattler."""
    first: UnsatisfiableError | None = None
    for level, asked in _levels(solving):
        telling.step(f"solving {solving.subdir}: {len(asked.specs)} specs ({level})")
        try:
            solver, packages = _chosen(asked, solving, client)
        except UnsatisfiableError as error:
            first = first or error
            continue
        return SolvedEnvironment(
            subdir=solving.subdir,
            solver=solver,
            level=level,
            specs=asked.specs,
            packages=packages,
            deviations=deviations(solving.environment, packages, solving.repodata.versions),
        )
    raise first or SolveError(f"{solving.subdir}: no channel has any of the image's packages for it")


def _levels(solving: _Solving) -> Iterator[tuple[Level, Wish]]:
    """What to ask for, less each time; nothing twice."""
    before: set[Wish] = set()
    names = wanted(solving.environment)
    for level in LEVELS:
        asked = specs(solving.environment, names, solving.repodata.versions, level)
        if asked.specs and asked not in before:
            before.add(asked)
            yield level, asked


def _chosen(asked: Wish, solving: _Solving, client: Path | None) -> tuple[str, tuple[CondaPackage, ...]]:
    if client is None:
        from envsync.solve.repodata import solver

        return solver(), solving.repodata.solve(asked.specs)
    from envsync.solve.conda_lock import solve_with, solver_with

    return solver_with(client), solve_with(client, asked, solving.subdir, solving.places)
