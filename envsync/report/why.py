"""``envsync show --why NAME``: who needs it, what brought it, and where it is from."""

from __future__ import annotations

import difflib
import textwrap
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from envsync.errors import UsageError
from envsync.model import CondaPackage, NeededBy, NeededLibrary, OsPackage, Resource, Snapshot
from envsync.names import normalized
from envsync.redaction import printable
from envsync.report.layers import instruction, layers_of
from envsync.report.provenance import Reasons, came_from, find_reasons

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

_FOLD = 10
_AT_MOST = 10_000
"""Paths that are ever listed: there may be more than anybody can count."""
_UNKNOWN = "what needs it is not known: the lock tells no native needs"


def render_why(snapshot: Snapshot, name: str, *, width: int = 80, fold: bool = True) -> str:
    """Everything that is called ``name``: a distribution, a conda or OS package, a library, a command, data.

    Raises:
        UsageError: nothing is called so.
    """
    reasons = find_reasons(snapshot)
    paragraphs = [
        *_distribution(snapshot, reasons, normalized(name), fold),
        *_missing(reasons, normalized(name)),
        *(_conda(snapshot, one) for one in _conda_packages(snapshot) if one.name == name),
        *(_os_package(snapshot, one) for one in snapshot.os_packages or () if one.name == name),
        *_libraries(snapshot, name),
        *_commands(snapshot, name),
        *_resources(snapshot, name),
    ]
    if not paragraphs:
        raise _unknown(snapshot, reasons, name)
    return "\n".join(line for paragraph in paragraphs for line in [*_folded(paragraph, width), ""]).rstrip("\n") + "\n"


def _folded(paragraph: list[str], width: int) -> Iterator[str]:
    for line in paragraph:
        indent = line[: len(line) - len(line.lstrip())]
        yield from textwrap.wrap(
            line, width, subsequent_indent=f"{indent}    ", break_long_words=False, break_on_hyphens=False
        )


def _distribution(snapshot: Snapshot, reasons: Reasons, name: NormalizedName, fold: bool) -> Iterator[list[str]]:
    distribution = reasons.graph.distributions.get(name)
    if distribution is None:
        return
    lines = [reasons.label(name)]
    if reasons.known:
        lines.append(f"  why: {reasons.why(name)}{'; asked for by name' if distribution.requested else ''}")
        lines += _paths(reasons, name, fold)
    for layer in layers_of(snapshot):
        if layer.diff_id == distribution.layer:
            lines.append(f"  brought by {layer.label}")
            lines += [f"    {instruction(layer.command)}"] if layer.command else []
            break
    lines += [f"  from {sentence}" for sentence in came_from(distribution)]
    if distribution.metadata is not None:
        lines.append(f"  metadata at {printable(str(distribution.metadata))}")
    if distribution.patched:
        lines.append("  files that are not as its RECORD says:")
        lines += [f"    {printable(path)}" for path in distribution.patched]
    if snapshot.needs is not None:
        lines += _native(snapshot, name)
    yield lines


def _paths(reasons: Reasons, name: NormalizedName, fold: bool) -> Iterator[str]:
    """Ways from the top level, each the shortest from its beginning."""
    found = list(islice(shortest_paths(reasons, name), _FOLD + 1 if fold else _AT_MOST + 1))
    limit = _FOLD if fold else _AT_MOST
    for path in found[:limit]:
        wanted = [str(need.requirement.specifier) for need in reasons.graph.requirements[path[-2]] if need.name == name]
        asked = printable(",".join(filter(None, dict.fromkeys(wanted))))
        yield f"    {' -> '.join(map(reasons.label, path))}{f' (wanted: {asked})' if asked else ''}"
    if len(found) > limit:
        yield f"    … and more{' (--all)' if fold else ''}"


def shortest_paths(reasons: Reasons, name: NormalizedName) -> Iterator[tuple[NormalizedName, ...]]:
    """From each distribution of the top level that needs ``name``, all shortest paths to it; the nearest first."""
    distance = {name: 0}
    waiting = deque([name])
    while waiting:
        one = waiting.popleft()
        for user in reasons.users[one]:
            if user not in distance:
                distance[user] = distance[one] + 1
                waiting.append(user)
    for root in sorted((root for root in reasons.roots if distance.get(root)), key=lambda root: distance[root]):
        stack: list[tuple[NormalizedName, ...]] = [(root,)]
        while stack:
            path = stack.pop()
            if path[-1] == name:
                yield path
                continue
            nearer = (one for one in reasons.graph.needs[path[-1]] if distance.get(one) == distance[path[-1]] - 1)
            stack += [(*path, one) for one in sorted(nearer, reverse=True)]


def _native(snapshot: Snapshot, name: NormalizedName) -> Iterator[str]:
    needs = snapshot.needs
    if needs is None:
        return
    libraries = [one for one in needs.libraries if any(normalized(by.name) == name for by in one.needed_by)]
    commands = [one for one in needs.commands if name in map(normalized, one.needed_by)]
    resources = [one for one in needs.resources if name in map(normalized, one.needed_by)]
    if libraries or commands or resources:
        yield "  needs of the system:"
    for library in libraries:
        yield f"    {_found(library)}"
    for command in commands:
        place = f"{printable(str(command.path))}{_of(command.package)}" if command.path else "not found"
        yield f"    command {printable(command.name)}: {place}"
    for resource in resources:
        value = resource.name or resource.value or "none"
        yield f"    {resource.kind} {printable(value)}{_of(resource.package)}"


def _found(library: NeededLibrary) -> str:
    place = f"{printable(str(library.path))}{_of(library.package)}" if library.path else "not found"
    lacking = f"; without {printable(', '.join(library.lacking))}" if library.lacking else ""
    broken = f"; needs {printable(', '.join(library.broken))}, not found" if library.broken else ""
    return f"{printable(library.soname)}: {place}{lacking}{broken}"


def _of(package: str | None) -> str:
    return f", of {printable(package)}" if package else ""


def _missing(reasons: Reasons, name: NormalizedName) -> Iterator[list[str]]:
    """A requirement that nothing meets."""
    if name in reasons.graph.distributions:
        return
    asking = [
        f"  {reasons.label(user)} requires {printable(str(need.requirement))}"
        for user, needs in reasons.graph.requirements.items()
        for need in needs
        if need.name == name
    ]
    if asking:
        yield [f"{printable(name)}: not installed", *asking]


def _conda_packages(snapshot: Snapshot) -> tuple[CondaPackage, ...]:
    return snapshot.conda_environment.packages if snapshot.conda_environment else ()


def _conda(snapshot: Snapshot, package: CondaPackage) -> list[str]:
    users = [one.name for one in _conda_packages(snapshot) if package.name in map(_spec_name, one.depends)]
    lines = [f"conda package {printable(f'{package.name} {package.version} {package.build}')}"]
    lines.append(f"  needed by {printable(', '.join(users))}" if users else "  no other conda package needs it")
    lines += [f"  brought by {layer.label}" for layer in layers_of(snapshot) if layer.diff_id == package.layer][:1]
    return [*lines, f"  from {printable(package.channel)}"]


def _spec_name(spec: str) -> str:
    """The name of a match spec, as packages of channels write it: ``python >=3.7,<3.8.0a0``."""
    return spec.split(maxsplit=1)[0] if spec.strip() else ""


def _os_package(snapshot: Snapshot, package: OsPackage) -> list[str]:
    source = f", source {package.source}" if package.source != package.name else ""
    told = f"{package.name} {package.version} {package.architecture} ({package.manager}{source})"
    lines = [f"OS package {printable(told)}"]
    if package.explicit is not None:
        lines.append(f"  {'asked for by name' if package.explicit else 'installed because another package needs it'}")
    needs = snapshot.needs
    if needs is None:
        return [*lines, f"  {_UNKNOWN}"]
    found = [
        *((one.soname, [by.name for by in one.needed_by]) for one in needs.libraries if one.package == package.name),
        *((one.name, list(one.needed_by)) for one in needs.commands if one.package == package.name),
        *(
            (f"{one.kind} {one.name or one.value or ''}".strip(), list(one.needed_by) or ["whatever asks for it"])
            for one in needs.resources
            if one.package == package.name
        ),
    ]
    return [
        *lines,
        *(f"  {printable(what)}: needed by {printable(', '.join(names))}" for what, names in found),
        *([] if found else ["  no distribution needs it, as far as its files tell"]),
    ]


def _libraries(snapshot: Snapshot, name: str) -> Iterator[list[str]]:
    for library in snapshot.needs.libraries if snapshot.needs else ():
        if library.soname == name:
            yield [f"library {_found(library)}", *map(_user, library.needed_by)]


def _user(user: NeededBy) -> str:
    versions = f", with {', '.join(user.versions)}" if user.versions else ""
    file = f" ({user.file})" if user.file else ""
    return f"  needed by {printable(f'{user.name}{file}{versions}')}"


def _commands(snapshot: Snapshot, name: str) -> Iterator[list[str]]:
    for command in snapshot.needs.commands if snapshot.needs else ():
        if command.name == name:
            place = f"{printable(str(command.path))}{_of(command.package)}" if command.path else "not found"
            users = printable(", ".join(command.needed_by))
            yield [f"command {printable(command.name)}: {place}", f"  needed by {users}"]


def _resources(snapshot: Snapshot, name: str) -> Iterator[list[str]]:
    """By the names that ``envsync diff`` gives them."""
    for resource in snapshot.needs.resources if snapshot.needs else ():
        if _resource_name(resource) != name:
            continue
        by_name = resource.kind == "dynamic-library"
        found = printable(str((resource.path if by_name else None) or resource.value or "not found"))
        users = printable(", ".join(resource.needed_by)) or "whatever asks for it"
        yield [
            f"{'library ' if by_name else ''}{printable(name)}: {found}{_of(resource.package)}",
            f"  needed by {users}{', by its name while it runs: no file is linked with it' if by_name else ''}",
        ]


def _resource_name(resource: Resource) -> str:
    return resource.name or resource.kind.replace("-", " ")


def _unknown(snapshot: Snapshot, reasons: Reasons, name: str) -> UsageError:
    needs = snapshot.needs
    known = [
        *(one.name for one in reasons.graph.distributions.values()),
        *(one.name for one in _conda_packages(snapshot)),
        *(one.name for one in snapshot.os_packages or ()),
        *(one.soname for one in (needs.libraries if needs else ())),
        *(one.name for one in (needs.commands if needs else ())),
        *(_resource_name(one) for one in (needs.resources if needs else ())),
    ]
    by_lower = {one.lower(): one for one in reversed(known)}
    close = difflib.get_close_matches(name.lower()[:100], by_lower, n=3, cutoff=0.6)
    what = "distribution, conda or OS package, needed library, command or data"
    hint = f"Did you mean {' or '.join(by_lower[one] for one in close)}?" if close else "All names: --all, or --json"
    if needs is None:
        hint += "\nLibraries, commands and data are not known of it; a lock that pull read from layers tells them."
    return UsageError(f"--why: no {what} is called {printable(name)[:100]!r}", hint=hint)
