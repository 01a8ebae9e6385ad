"""Who needs whom among the distributions of a snapshot, and where they contradict each other.

Requirements and markers follow PEP 508; markers are evaluated for the snapshot's interpreter, never for this
machine's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.model import Distribution, Snapshot
from envsync.names import normalized

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName


class Conflict(Struct, frozen=True, kw_only=True):
    """One line of what ``pip check`` would say."""

    distribution: str
    """``name version``, the one that requires."""
    requirement: str
    found: str | None
    """The installed version; ``None`` where the requirement is missing."""

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.distribution} requires {self.requirement}, which is not installed"
        return f"{self.distribution} requires {self.requirement}, but {self.found} is installed"


class Need(Struct, frozen=True, kw_only=True):
    """What one distribution requires, in this environment, of another one."""

    name: NormalizedName
    requirement: Requirement
    conflict: Conflict | None
    """``None``: what is installed will do."""


class Graph(Struct, frozen=True, kw_only=True):
    """Distributions by normalised name, and for each what it needs."""

    distributions: Mapping[NormalizedName, Distribution]
    requirements: Mapping[NormalizedName, tuple[Need, ...]]
    """Also what is not installed."""
    needs: Mapping[NormalizedName, frozenset[NormalizedName]]
    """What of that is installed."""

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """What ``pip check`` would say."""
        found = (need.conflict for needs in self.requirements.values() for need in needs)
        return tuple(conflict for conflict in found if conflict is not None)

    def roots(self, available: frozenset[NormalizedName]) -> tuple[NormalizedName, ...]:
        """The names in ``available`` that no other one of them needs, sorted.

        Members of a circle that nothing outside of it needs are all roots: none of them would come without.
        """
        needed_by: dict[NormalizedName, set[NormalizedName]] = {name: set() for name in available}
        for name in available:
            for other in self.needs[name] & available:
                if other != name:
                    needed_by[other].add(name)
        found = {name for name, users in needed_by.items() if not users}
        reached = self._reach(found, available)
        for name in sorted(available - reached):
            if name not in reached:
                circle = self._reach({name}, available)
                if all(user in circle for user in needed_by[name]):
                    found.add(name)
        return tuple(sorted(found))

    def _reach(self, start: set[NormalizedName], available: frozenset[NormalizedName]) -> set[NormalizedName]:
        seen: set[NormalizedName] = set()
        waiting = list(start)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(self.needs[name] & available)
        return seen


def build_graph(snapshot: Snapshot) -> Graph:
    """The graph of the snapshot's environment; shadowed copies do not take part.

    An extra counts where a requirement that holds itself asks for it.
    """
    distributions = {normalized(d.name): d for d in snapshot.distributions}
    environment = marker_environment(snapshot)
    requirements: dict[NormalizedName, tuple[Need, ...]] = dict.fromkeys(sorted(distributions), ())
    extras: dict[NormalizedName, set[str]] = {name: set() for name in distributions}
    waiting = list(distributions)
    while waiting:
        name = waiting.pop()
        requirements[name] = tuple(_needs(distributions[name], extras[name], environment, distributions))
        for need in requirements[name]:
            asked = set(map(normalized, need.requirement.extras))
            if need.name in extras and not asked <= extras[need.name]:
                extras[need.name] |= asked
                waiting.append(need.name)
    needs = {
        name: frozenset(need.name for need in wanted) & distributions.keys() for name, wanted in requirements.items()
    }
    return Graph(distributions=distributions, requirements=requirements, needs=needs)


def _needs(
    distribution: Distribution,
    extras: Set[str],
    environment: Mapping[str, str],
    distributions: Mapping[NormalizedName, Distribution],
) -> Iterator[Need]:
    for requirement in _active_requirements(distribution, extras, environment):
        name = normalized(requirement.name)
        conflict = _conflict(distribution, requirement, distributions.get(name))
        yield Need(name=name, requirement=requirement, conflict=conflict)


def _active_requirements(
    distribution: Distribution, extras: Set[str], environment: Mapping[str, str]
) -> Iterator[Requirement]:
    for text in distribution.requires:
        requirement = _parse_requirement(text)
        if requirement is None:
            continue
        contexts = [{**environment, "extra": extra} for extra in ("", *sorted(extras))]
        try:
            if requirement.marker is None or any(requirement.marker.evaluate(context) for context in contexts):
                yield requirement
        except (ValueError, RecursionError):  # undefined comparisons and names; numbers of thousands of digits
            continue


@lru_cache(maxsize=1024)
def _parse_requirement(text: str) -> Requirement | None:
    from packaging.requirements import Requirement

    for spelling in (text, _VERSIONS.sub(" ", text, count=1)):
        try:
            return Requirement(spelling)
        except (ValueError, RecursionError):  # InvalidRequirement; a marker that nests too deep
            continue
    return None


_VERSIONS = re.compile(r"\([^()]*\)|[<>=!~][^;()]*")
"""What stands after a name. Old versions (``pytz (>=2011k)``) are none by PEP 440: then any will do."""


def _conflict(distribution: Distribution, requirement: Requirement, installed: Distribution | None) -> Conflict | None:
    from packaging.version import Version

    who, what = f"{distribution.name} {distribution.version}", f"{requirement.name}{requirement.specifier}"
    if installed is None:
        return Conflict(distribution=who, requirement=what, found=None)
    try:
        if requirement.specifier.contains(Version(installed.version), prereleases=True):
            return None
    except ValueError:  # no version by PEP 440, or one of thousands of digits
        return None
    return Conflict(distribution=who, requirement=what, found=f"{installed.name} {installed.version}")


def marker_environment(snapshot: Snapshot) -> dict[str, str]:
    """Every variable of PEP 508, with the values that the snapshot's interpreter has."""
    python = snapshot.python
    major_minor = ".".join(python.version.split(".")[:2])
    full = python.version.rstrip("+")
    return {
        "implementation_name": python.implementation,
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": snapshot.platform.machine if snapshot.platform else "x86_64",
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(python.implementation, ""),
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full if full.count(".") == 2 else f"{full}.0",
        "python_version": major_minor,
        "sys_platform": "linux2" if python.version.startswith("2.") else "linux",
        "extra": "",
    }
