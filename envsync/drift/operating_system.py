"""Drift of the operating system: architecture, release, packages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from envsync.drift.finding import Finding, Kind, Verdict
from envsync.drift.needs import Asked, compare_needs, needed_packages
from envsync.drift.system_fixes import install_os_package
from envsync.model import ListSource, LocalSource, OperatingSystem, OsPackage, Snapshot
from envsync.redaction import printable

_ANY_ARCHITECTURE = frozenset({"all", "noarch"})


def compare_systems(
    expected: Snapshot, actual: Snapshot, *, rebuilt: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """What the expected side has and the other one has not, or otherwise.

    Packages that only a machine has are no drift: a laptop has thousands. Of two images they are. A published
    list tells nothing of its system. ``rebuilt``: see :class:`envsync.drift.needs.Asked`.
    """
    if isinstance(expected.source, ListSource) or isinstance(actual.source, ListSource):
        return
    yield from _compare_architectures(expected, actual)
    if expected.os is not None:
        is_known = expected.needs is not None
        yield from _compare_releases(expected.os, actual.os or OperatingSystem(), is_known=is_known)
    needed: tuple[Finding, ...] = ()
    if isinstance(actual.source, LocalSource):
        needed = tuple(compare_needs(Asked(expected=expected, actual=actual, rebuilt=rebuilt)))
        yield from needed
    if not expected.os_packages:
        return
    judged = _Judged(expected, actual, needed)
    managers = {package.manager for package in expected.os_packages}
    if not managers & {package.manager for package in actual.os_packages or ()}:
        yield from judged(_not_comparable(expected.os_packages, actual))
        return
    for finding in _compare_packages(expected, actual):
        yield from judged(finding)


_HARMLESS: dict[Kind, str] = {
    "os-release": "What the environment needs of it is compared one by one.",
    "os-not-comparable": "What the environment needs of them is looked for one by one.",
}


class _Judged:
    """Says of a package what its difference means, unless what needs it was told of already."""

    def __init__(self, expected: Snapshot, actual: Snapshot, told: tuple[Finding, ...]) -> None:
        local = isinstance(actual.source, LocalSource)
        self._known = expected.needs is not None and (actual.needs is not None or not local)
        self._told = {finding.package for finding in told}
        # Of two images none was asked for what the other needs.
        self._needed = frozenset() if local else needed_packages(expected)

    def __call__(self, finding: Finding) -> Iterator[Finding]:
        if not self._known:
            yield finding
        elif finding.subject not in self._told:
            verdict: Verdict = "may-differ" if finding.subject in self._needed else "harmless"
            harmless = verdict == "harmless"
            impact = _HARMLESS.get(finding.kind, "Nothing in the environment needs it.") if harmless else finding.impact
            yield replace(finding, verdict=verdict, severity="note" if harmless else finding.severity, impact=impact)


def _compare_architectures(expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    if expected.platform is None or actual.platform is None:
        return
    ours, theirs = expected.platform.architecture, actual.platform.architecture
    if ours != theirs:
        yield Finding(
            kind="os-architecture",
            scope="os",
            severity="warning",
            verdict="may-differ",
            subject="architecture",
            expected=ours,
            actual=theirs,
            impact="Another CPU architecture: compiled distributions are other files, or do not exist.",
        )


def _compare_releases(ours: OperatingSystem, theirs: OperatingSystem, *, is_known: bool) -> Iterator[Finding]:
    """``is_known``: what the environment needs of the system is known, and compared by itself."""
    if (ours.id, ours.version_id) == (theirs.id, theirs.version_id):
        return
    one, other = printable(ours.label), printable(theirs.label)
    if one == other:
        one, other = (printable(f"{side.id} {side.version_id} ({side.label})") for side in (ours, theirs))
    if one == other:
        return
    impact = _libc_impact(ours, theirs)
    if not impact and not is_known:
        impact = "Other system libraries: versions, certificates, time zones and locales may differ."
    yield Finding(
        kind="os-release",
        scope="os",
        severity="warning" if impact else "note",
        verdict="may-differ" if impact else "harmless",
        subject="operating system",
        expected=one,
        actual=other,
        impact=impact or _HARMLESS["os-release"],
    )


def _libc_impact(ours: OperatingSystem, theirs: OperatingSystem) -> str:
    one, other = ours.libc, theirs.libc
    if one is None or other is None or one == other:
        return ""
    if one.family != other.family:
        return f"{other.family} instead of {one.family}: compiled distributions are other files."
    older = _numbers(other.version) < _numbers(one.version)
    if older:
        return f"{one.family} {other.version} is older than {one.version}: compiled distributions may not load."
    return f"{one.family} {other.version} is newer than {one.version}: what loads here may not load there."


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isascii() and part.isdigit()]


def _not_comparable(packages: tuple[OsPackage, ...], actual: Snapshot) -> Finding:
    theirs = actual.os_packages
    return Finding(
        kind="os-not-comparable",
        scope="os",
        severity="note",
        subject="OS packages",
        expected=_counted(packages),
        actual=_counted(theirs) if theirs else "none known",
        impact="Other systems name and number packages otherwise: what native code needs may be missing.",
    )


def _counted(packages: tuple[OsPackage, ...]) -> str:
    counts = Counter(package.manager for package in packages)
    return ", ".join(f"{count} {manager} packages" for manager, count in counts.items() if count)


Installed = dict[tuple[str, str], dict[str, OsPackage]]
"""By manager and name, then by architecture."""


def _by_name(packages: tuple[OsPackage, ...]) -> Installed:
    named: Installed = {}
    for package in packages:
        named.setdefault((package.manager, package.name), {}).setdefault(package.architecture, package)
    return named


def _compare_packages(expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    ours, theirs = _by_name(expected.os_packages or ()), _by_name(actual.os_packages or ())
    local = isinstance(actual.source, LocalSource)
    for key, wanted in ours.items():
        if isinstance(expected.source, LocalSource) and key not in theirs:
            continue  # what only this machine has is no drift, whichever side it is on
        for package in wanted.values():
            fix = install_os_package(package, actual.os) if local else None
            yield from _compare_package(package, theirs.get(key, {}), fix)
    if not local:
        for key, present in theirs.items():
            if key not in ours:
                yield from map(_extra, present.values())


def _compare_package(package: OsPackage, present: dict[str, OsPackage], fix: str | None) -> Iterator[Finding]:
    if not present:
        yield Finding(
            kind="os-package-missing",
            scope="os",
            severity="warning",
            subject=package.name,
            expected=f"{package.version} {package.architecture}",
            impact="What loads its libraries or runs its programs fails here.",
            fix=fix,
        )
        return
    other = _counterpart(package, present)
    if other is None:
        yield Finding(
            kind="os-package-architecture",
            scope="os",
            severity="warning",
            subject=package.name,
            expected=f"{package.version} {package.architecture}",
            actual=", ".join(f"{p.version} {p.architecture}" for p in present.values()),
            impact="Its libraries are of another architecture: native code cannot load them.",
        )
    elif other.version != package.version:
        yield Finding(
            kind="os-package-version",
            scope="os",
            severity="note",
            subject=package.name,
            expected=package.version,
            actual=other.version,
            impact="Native code that loads its libraries may behave otherwise.",
        )


def _counterpart(package: OsPackage, present: dict[str, OsPackage]) -> OsPackage | None:
    """The package that does the same job: of the same architecture, or where one of the two is for all."""
    if package.architecture in present:
        return present[package.architecture]
    for architecture, other in present.items():
        if package.architecture in _ANY_ARCHITECTURE or architecture in _ANY_ARCHITECTURE:
            return other
    return None


def _extra(package: OsPackage) -> Finding:
    return Finding(
        kind="os-package-extra",
        scope="os",
        severity="note",
        subject=package.name,
        actual=f"{package.version} {package.architecture}",
        impact="Only the second one has it: what came to need it does not run in the first one.",
    )
