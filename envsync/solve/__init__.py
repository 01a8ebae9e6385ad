"""The packages of a conda environment for a platform that the image is not of: solved, not extracted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

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
    """Called with the channels before anything is fetched; raises where the user may not."""
    cache: Path | None = None
    """The folder of repodata; ``None``: that of rattler, which its other users share."""
    conda: Path | None = None
    """A conda, mamba or micromamba, which conda-lock solves with; ``None``: rattler solves."""


def solve(
    environment: CondaEnvironment, subdir: str, access: ChannelAccess, step: Callable[[str], None] = lambda _text: None
) -> SolvedEnvironment:
    """Choose packages for ``subdir`` that are as near to those of the image as its channels allow.

    The versions of the image are asked for. Where they cannot be had together, their major and minor numbers are; then
    only what somebody asked for when the image was made. What differs in the end is told.

    Raises:
        SolveError: no channel, one that cannot be read, or no solution.
        UnsafeValueError: a package's name or version is none.
    """
    channels = channel_urls(environment, subdir)
    if not channels:
        raise SolveError(
            f"{subdir}: the image names no channel that can be reached (expected http or https)",
            hint="Packages that were built inside the image are nowhere else. Pull without this --platform.",
        )
    access.check(channels)
    return _solve(environment, subdir, channels, access, step)


def _solve(
    environment: CondaEnvironment,
    subdir: str,
    channels: tuple[str, ...],
    access: ChannelAccess,
    step: Callable[[str], None],
) -> SolvedEnvironment:
    from envsync.solve.repodata import Repodata

    step(f"asking {', '.join(map(printable, channels))} for packages of {subdir}")
    repodata = Repodata.fetch(environment.packages, subdir, channels, access.places, access.cache)
    first: UnsatisfiableError | None = None
    for level, asked in _levels(environment, repodata.versions):
        step(f"solving {subdir}: {len(asked.specs)} specs ({level})")
        try:
            solver, packages = _chosen(asked, subdir, channels, access, repodata)
        except UnsatisfiableError as error:
            first = first or error
            continue
        return SolvedEnvironment(
            subdir=subdir,
            solver=solver,
            level=level,
            specs=asked.specs,
            packages=packages,
            deviations=deviations(environment, packages, repodata.versions),
        )
    raise first or SolveError(f"{subdir}: no channel has any of the image's packages for it")


def _levels(environment: CondaEnvironment, versions: dict[str, frozenset[str]]) -> Iterator[tuple[Level, Wish]]:
    """What to ask for, less each time; nothing twice."""
    before: set[Wish] = set()
    names = wanted(environment)
    for level in LEVELS:
        asked = specs(environment, names, versions, level)
        if asked.specs and asked not in before:
            before.add(asked)
            yield level, asked


def _chosen(
    asked: Wish, subdir: str, channels: tuple[str, ...], access: ChannelAccess, repodata: Repodata
) -> tuple[str, tuple[CondaPackage, ...]]:
    if access.conda is None:
        from envsync.solve.repodata import solver

        return solver(), repodata.solve(asked.specs)
    from envsync.solve.conda_lock import solve_with, solver_with

    return solver_with(access.conda), solve_with(access.conda, asked, subdir, channels, access.places)
