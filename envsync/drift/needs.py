"""Drift of what the environment needs of the operating system: shared libraries, commands, data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from envsync.drift.finding import Finding, Kind, shown
from envsync.drift.system_fixes import install_needed
from envsync.model import (
    PYTHON,
    NeededCommand,
    NeededLibrary,
    Needs,
    OsPackage,
    Resource,
    Snapshot,
)
from envsync.names import normalized
from envsync.os_versions import compare_versions
from envsync.redaction import printable


class Asked(Struct, frozen=True, kw_only=True):
    """Two sides of which the second was asked for what the first one needs."""

    expected: Snapshot
    actual: Snapshot
    rebuilt: frozenset[str] = frozenset()
    """Normalised names of distributions whose files on the second side are others, which have needs of their own."""


def compare_needs(asked: Asked) -> Iterable[Finding]:
    """What the environment needs that the second side lacks, or has in another version.

    Nothing is said of what the image itself lacks: there it works, or fails, without.
    """
    ours, theirs = asked.expected.needs, asked.actual.needs
    return _told_once(_needs(ours, theirs, asked)) if ours is not None and theirs is not None else ()


def _told_once(findings: Iterable[Finding]) -> Iterable[Finding]:
    """A library that some are linked with and others load by its name is one finding."""
    told: dict[tuple[str, str, str | None, str | None], Finding] = {}
    for finding in findings:
        key = (finding.kind, finding.subject, finding.expected, finding.actual)
        before = told.setdefault(key, finding)
        if before is not finding:
            names = sorted({*before.needed_by, *finding.needed_by}, key=str.lower)
            impact = " ".join(dict.fromkeys((before.impact, finding.impact)))
            told[key] = replace(before, needed_by=tuple(names), impact=impact)
    return told.values()


def _needs(ours: Needs, theirs: Needs, asked: Asked) -> Iterator[Finding]:
    found = {library.soname: library for library in theirs.libraries}
    yield from _libraries(ours.libraries, found, asked)
    commands = {command.name: command for command in theirs.commands}
    for command in ours.commands:
        if command.path is not None and command.name in commands:
            yield from _command(command, commands[command.name], asked)
    data = {(resource.kind, resource.name): resource for resource in theirs.resources}
    for resource in ours.resources:
        if resource.value is not None and (resource.kind, resource.name) in data:
            yield from _resource(resource, data[resource.kind, resource.name], asked)


def needed_packages(snapshot: Snapshot) -> frozenset[str]:
    """Names of the OS packages that give what the environment needs."""
    needs = snapshot.needs
    if needs is None:
        return frozenset()
    everything: Iterable[NeededLibrary | NeededCommand | Resource] = (
        *needs.libraries,
        *needs.commands,
        *(resource for resource in needs.resources if resource.needed_by),
    )
    return frozenset(need.package for need in everything if need.package is not None)


def _libraries(
    libraries: Iterable[NeededLibrary], found: Mapping[str, NeededLibrary], asked: Asked
) -> Iterator[Finding]:
    others: dict[tuple[str, str], set[str]] = {}
    for library in libraries:
        here = found.get(library.soname)
        names = _still_asking(library, here, asked.rebuilt) if here is not None else ()
        if library.path is None or here is None or not names:
            continue
        problem = _library_problem(library, here, names, asked)
        if problem is not None:
            yield problem
        elif library.package is not None and here.package is not None:
            others.setdefault((library.package, here.package), set()).update(names)
    for (ours, theirs), by in sorted(others.items()):
        yield from _other_version("library-version", ours, theirs, by, asked)


def _still_asking(library: NeededLibrary, here: NeededLibrary, rebuilt: Collection[str]) -> tuple[str, ...]:
    asking = {by.name for by in here.needed_by}
    return tuple(by.name for by in library.needed_by if by.name in asking and normalized(by.name) not in rebuilt)


def _library_problem(
    library: NeededLibrary, here: NeededLibrary, names: tuple[str, ...], asked: Asked
) -> Finding | None:
    broken = tuple(sorted(set(here.broken) - set(library.broken)))
    if here.path is None or broken:
        lacking = broken or (library.soname,)
        return _breaks(
            "library-missing",
            library.soname,
            names,
            library,
            actual=f"there, but {shown(broken)}, which it needs itself, is not" if here.path else None,
            impact=f"Importing {_modules(names)} fails: {shown(lacking)} cannot be loaded.",
            fix=_install(lacking[0], None if broken else library.package, asked),
        )
    versions = set(here.lacking) - set(library.lacking)
    asking = tuple(by.name for by in library.needed_by if by.name in names and versions.intersection(by.versions))
    if not asking:
        return None
    expected = " of ".join(filter(None, (library.soname, library.package)))
    return _breaks(
        "library-symbols",
        library.soname,
        asking,
        library,
        expected=f"{expected} with {shown(sorted(versions))}",
        actual=printable(f"{here.path} without"),
        impact=f"Importing {_modules(asking)} fails: this machine's {library.soname} is too old for it.",
        fix="Make the environment where the system is as new as the image's, or newer",
    )


def _breaks(
    kind: Kind,
    subject: str,
    needed_by: tuple[str, ...],
    need: NeededLibrary | NeededCommand | Resource,
    *,
    impact: str,
    fix: str | None,
    expected: str | None = None,
    actual: str | None = None,
) -> Finding:
    """A needed thing that is absent; ``expected``, unless given, is where the image has it from."""
    return Finding(
        kind=kind,
        scope="os",
        severity="error",
        verdict="breaks",
        subject=subject,
        expected=expected or (f"from {need.package}" if need.package else printable(str(need.path))),
        actual=actual,
        impact=impact,
        fix=fix,
        needed_by=needed_by,
        package=need.package,
    )


def _modules(names: tuple[str, ...]) -> str:
    return shown([name if name != PYTHON else "modules of Python itself" for name in names])


def _command(command: NeededCommand, here: NeededCommand, asked: Asked) -> Iterator[Finding]:
    names = command.needed_by
    if here.path is None:
        impact = f"What {shown(names)} runs it for fails."
        fix = _install(command.name, command.package, asked)
        yield _breaks("command-missing", command.name, names, command, impact=impact, fix=fix)
    elif command.package is not None and here.package is not None:
        yield from _other_version("command-version", command.package, here.package, names, asked)


def _other_version(kind: Kind, ours: str, theirs: str, needed_by: Collection[str], asked: Asked) -> Iterator[Finding]:
    """That a needed package is there in another version, with the direction."""
    one, other = _package(asked.expected, ours), _package(asked.actual, theirs)
    if one is None or other is None or one.version == other.version:
        return
    names = tuple(sorted(needed_by, key=str.lower))
    yield Finding(
        kind=kind,
        scope="os",
        severity="note",
        verdict="may-differ",
        subject=ours,
        expected=one.version,
        actual=f"{other.version}{'' if theirs == ours else f' ({theirs})'}, {_direction(one, other)}",
        impact=f"{shown(names)} may behave otherwise.",
        needed_by=names,
        package=ours,
    )


def _install(what: str, package: str | None, asked: Asked) -> str | None:
    return install_needed(what, package, asked.expected.os, asked.actual.os)


def _package(snapshot: Snapshot, name: str) -> OsPackage | None:
    return next((package for package in snapshot.os_packages or () if package.name == name), None)


def _direction(ours: OsPackage, theirs: OsPackage) -> str:
    """Of another system's package only what upstream numbered counts."""
    if ours.manager == theirs.manager:
        order = compare_versions(ours.manager, theirs.version, ours.version)
    else:
        order = compare_versions("rpm", _upstream(theirs.version), _upstream(ours.version))
    return "newer here" if order > 0 else "older here" if order < 0 else "packaged otherwise"


def _upstream(version: str) -> str:
    """Without epoch and revision: https://www.debian.org/doc/debian-policy/ch-controlfields.html#version."""
    version = version.partition(":")[2] or version
    return version.rpartition("-")[0] or version


_IMPACTS: Mapping[str, str] = {
    "locale": "Text may be decoded, sorted and formatted otherwise.",
    "encoding": "Files are read and written in another encoding where the code names none.",
    "java-home": "What starts a Java machine by it fails.",
    "time-zone": "Local times are of another zone.",
    "time-zone-data": "Times in zones that changed their rules differ.",
    "certificates": "Connections by TLS cannot be verified.",
    "fonts": "Text in pictures is drawn otherwise, or not at all.",
    "mime-types": "Types of files are guessed otherwise.",
}
_BREAKING = frozenset({"java-home", "certificates"})
"""What somebody who needs it cannot do without."""
_AS_GOOD = frozenset({"certificates", "fonts", "java-home", "mime-types", "dynamic-library"})
"""Of which it counts that there is one."""


def _resource(resource: Resource, here: Resource, asked: Asked) -> Iterator[Finding]:
    if here.value == resource.value or (here.value is not None and resource.kind in _AS_GOOD):
        return
    missing = here.value is None
    if missing and resource.name is not None:
        yield _not_loaded(resource, resource.name, asked)
        return
    breaks = missing and resource.kind in _BREAKING and bool(resource.needed_by)
    needed = bool(resource.needed_by) or resource.kind in ("locale", "encoding", "time-zone")
    yield Finding(
        kind="resource-missing" if missing else "resource-version",
        scope="os",
        severity="error" if breaks else "warning" if needed else "note",
        verdict="breaks" if breaks else "may-differ" if needed else "harmless",
        subject=resource.kind.replace("-", " "),
        expected=printable(resource.value or ""),
        actual=printable(here.value) if here.value is not None else None,
        impact=_IMPACTS[resource.kind],
        fix=_install(resource.kind, resource.package, asked) if missing and resource.package is not None else None,
        needed_by=resource.needed_by,
        package=resource.package,
    )


def _not_loaded(library: Resource, soname: str, asked: Asked) -> Finding:
    """Of a library that is loaded by its name."""
    impact = f"Code of {shown(library.needed_by)} that loads {soname} by its name fails."
    fix = _install(soname, library.package, asked)
    return _breaks("library-missing", soname, library.needed_by, library, impact=impact, fix=fix)
