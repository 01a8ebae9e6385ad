"""What the environment needs of the system, and what is to be said of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from envsync.drift.finding import Finding
from envsync.model import NeededCommand, NeededLibrary, Needs, Resource

State = Literal["there", "may-differ", "breaks", "harmless", "neither", "unknown"]
"""``neither``: the expected side lacks it too."""
Group = Literal["library", "command", "resource"]
_ORDER: tuple[State, ...] = ("breaks", "may-differ", "unknown", "harmless", "there", "neither")


class Need(Struct, frozen=True, kw_only=True):
    """One library, command or kind of data."""

    group: Group
    name: str
    value: str | None
    """Of data: what it is on the expected side."""
    path: str | None
    """On the expected side."""
    package: str | None
    here: str | None
    """Where it is on the actual side, or what it is there; ``None``: it is not there, or nobody looked."""
    lacking: tuple[str, ...]
    """What the one that is there does not give: versions of symbols, other libraries."""
    state: State
    finding: int | None
    """Its position among the findings."""
    needed_by: tuple[str, ...]


def needed(findings: Sequence[Finding], expected: Needs | None, actual: Needs | None) -> tuple[Need, ...]:
    """All needs of the expected side: what breaks comes first, then as the snapshot has them."""
    if expected is None:
        return ()
    found = list(_needs(_Told(findings), expected, actual))
    return tuple(sorted(found, key=lambda need: rank(need.state)))


def rank(state: State) -> int:
    """What is worst comes first."""
    return _ORDER.index(state)


class _Told:
    """The findings, by what they are about."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = findings
        self.positions: dict[tuple[str, str], int] = {}
        for position, finding in enumerate(findings):
            group, _, what = finding.kind.partition("-")
            if group in ("library", "command", "resource"):
                self.positions.setdefault((group, finding.subject), position)
                if what == "version" and finding.package is not None and group != "resource":
                    self.positions.setdefault((group, f"package {finding.package}"), position)
            elif (finding.kind, finding.subject) == ("environment-variable", "TZ"):
                self.positions.setdefault(("resource", "time zone"), position)  # which is not told by itself then

    def of(self, group: Group, name: str, package: str | None) -> int | None:
        direct = self.positions.get((group, name))
        return self.positions.get((group, f"package {package}")) if direct is None else direct


def _needs(told: _Told, expected: Needs, actual: Needs | None) -> Iterator[Need]:
    libraries = {library.soname: library for library in actual.libraries} if actual is not None else {}
    for library in expected.libraries:
        here = libraries.get(library.soname)
        lacking = (*here.lacking, *here.broken) if here is not None else ()
        names = tuple(by.name for by in library.needed_by)
        yield _need(told, "library", library.soname, library, here, lacking=lacking, needed_by=names)
    commands = {command.name: command for command in actual.commands} if actual is not None else {}
    for command in expected.commands:
        yield _need(told, "command", command.name, command, commands.get(command.name), needed_by=command.needed_by)
    data = {(one.kind, one.name): one for one in actual.resources} if actual is not None else {}
    for resource in expected.resources:
        name = resource.name or resource.kind.replace("-", " ")
        found = data.get((resource.kind, resource.name))
        group: Group = "library" if resource.kind == "dynamic-library" else "resource"
        yield _need(told, group, name, resource, found, needed_by=resource.needed_by)


def _need(
    told: _Told,
    group: Group,
    name: str,
    wanted: NeededLibrary | NeededCommand | Resource,
    here: NeededLibrary | NeededCommand | Resource | None,
    *,
    lacking: tuple[str, ...] = (),
    needed_by: tuple[str, ...],
) -> Need:
    position = told.of(group, name, wanted.package)
    finding = told.findings[position] if position is not None else None
    there = None
    if here is not None:
        there = here.value if isinstance(here, Resource) else str(here.path) if here.path is not None else None
    absent = wanted.path is None and (not isinstance(wanted, Resource) or wanted.value is None)
    state: State = "there" if there is not None else "neither" if absent else "unknown"
    if finding is not None:
        state = finding.verdict or "may-differ"
    return Need(
        group=group,
        name=name,
        value=wanted.value if isinstance(wanted, Resource) else None,
        path=str(wanted.path) if wanted.path is not None else None,
        package=wanted.package,
        here=there,
        lacking=lacking,
        state=state,
        finding=position,
        needed_by=needed_by,
    )
