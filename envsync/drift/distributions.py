"""Drift of the installed distributions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from envsync.drift import fixes
from envsync.drift.finding import Finding, Severity
from envsync.drift.origins import compare_origins, describe_origin
from envsync.model import Distribution, ListSource, LocalSource, Snapshot
from envsync.names import normalized
from envsync.redaction import printable

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    Named = Mapping[NormalizedName, Distribution]

INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
"""What ``pip freeze`` without ``--all`` leaves out, so that a published list that lacks them says nothing."""

_REQUIRED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NAMES_SHOWN = 3


def compare_distributions(
    expected: Snapshot, actual: Snapshot, *, accepted: Mapping[NormalizedName, str]
) -> Iterator[Finding]:
    """Missing, extra, other version, other origin, by normalised name; shadowed copies do not count."""
    ours, theirs = by_name(expected.distributions), by_name(actual.distributions)
    users = _users(ours) if ours.keys() - theirs.keys() else {}
    for name, distribution in ours.items():
        if name in theirs:
            yield from _compare_two(distribution, theirs[name], expected, actual)
        elif not (isinstance(actual.source, ListSource) and name in INSTALLERS):
            judged = _known_missing(accepted[name]) if name in accepted else _missing(name, users.get(name, []))
            fix = None if name in accepted else fixes.install_distribution(distribution, expected, actual)
            yield Finding(
                kind="distribution-missing",
                scope="python",
                severity=judged[0],
                subject=distribution.name,
                expected=distribution.version,
                impact=judged[1],
                fix=fix,
            )
    for name, distribution in theirs.items():
        if name not in ours and not (isinstance(expected.source, ListSource) and name in INSTALLERS):
            yield _extra(distribution, expected, actual)


def by_name(distributions: Iterable[Distribution]) -> dict[NormalizedName, Distribution]:
    """Distributions by normalised name; of two with one name the first, which is the one that is imported."""
    named: dict[NormalizedName, Distribution] = {}
    for distribution in distributions:
        named.setdefault(normalized(distribution.name), distribution)
    return named


def _compare_two(ours: Distribution, theirs: Distribution, expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    if ours.version != theirs.version:
        judged = _compare_versions(ours.version, theirs.version)
        if judged is not None:
            severity, impact = _with_doubt(ours.name, expected, *judged)
            yield Finding(
                kind="distribution-version",
                scope="python",
                severity=severity,
                subject=ours.name,
                expected=ours.version,
                actual=theirs.version,
                impact=impact,
                fix=fixes.install_distribution(ours, expected, actual),
            )
            return
    if isinstance(actual.source, ListSource):
        return
    verdict = compare_origins(ours.origin, theirs.origin, twin=isinstance(actual.source, LocalSource))
    if verdict is not None:
        yield Finding(
            kind="distribution-origin",
            scope="python",
            severity=verdict[0],
            subject=ours.name,
            expected=describe_origin(ours.origin),
            actual=describe_origin(theirs.origin),
            impact=verdict[1],
            fix=fixes.install_distribution(ours, expected, actual),
        )


def _compare_versions(ours: str, theirs: str) -> tuple[Severity, str] | None:
    """Severity and impact; ``None`` where PEP 440 has them equal (``1.0`` and ``1.0.0``)."""
    from packaging.version import InvalidVersion, Version

    try:
        one, other = Version(ours), Version(theirs)
    except InvalidVersion:
        return "error", "Another version, and not one that can be ordered: the API may differ."
    if one == other:
        return None
    order = "older" if other < one else "newer"
    if (one.epoch, one.release[:1]) != (other.epoch, other.release[:1]):
        return "error", f"A major release {order}: expect another API."
    if one.release == other.release and (one.local or other.local) and one.public == other.public:
        return "warning", "Another build of the same release: compiled parts may differ."
    if order == "newer":
        return "warning", "Newer than expected: what works with it may not exist in the other one yet."
    return "warning", "Older than expected: fixes and functions that the other one has are missing."


def _with_doubt(name: str, expected: Snapshot, severity: Severity, impact: str) -> tuple[Severity, str]:
    """Soften a judgement that rests on a published value which is probably wrong."""
    if isinstance(expected.source, ListSource):
        for doubt in expected.source.doubts:
            if normalized(doubt.name) == normalized(name):
                return "note", f"The published version is doubtful: {printable(doubt.note)}"
    return severity, impact


def _known_missing(reason: str) -> tuple[Severity, str]:
    return "warning", f"Known not to be reproducible: {printable(reason)}"


def _missing(name: NormalizedName, users: Sequence[str]) -> tuple[Severity, str]:
    if name == "pip":
        return "warning", "`python -m pip` fails."
    if name == "wheel":
        return "warning", "Building distributions of the old kind without isolation fails."
    if not users:
        return "error", "Importing its modules fails."
    rest = len(users) - _NAMES_SHOWN
    named = ", ".join(users[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
    return "error", f"Importing its modules fails; needed by {named}."


def _users(named: Named) -> dict[NormalizedName, list[str]]:
    """Who needs a distribution, by its name."""
    users: dict[NormalizedName, list[str]] = {}
    for distribution in named.values():
        for name in sorted(set(_required_names(distribution))):
            users.setdefault(name, []).append(printable(distribution.name))
    return users


def _required_names(distribution: Distribution) -> Iterator[NormalizedName]:
    """What it needs whatever extras are asked for; other markers count as true."""
    for requirement in distribution.requires:
        match = _REQUIRED_NAME.match(requirement)
        if match is not None and "extra" not in requirement.partition(";")[2]:
            yield normalized(match[0])


def _extra(distribution: Distribution, expected: Snapshot, actual: Snapshot) -> Finding:
    twin = isinstance(actual.source, LocalSource) and not isinstance(expected.source, LocalSource)
    return Finding(
        kind="distribution-extra",
        scope="python",
        severity="warning",
        subject=distribution.name,
        actual=distribution.version,
        impact=(
            "Code that imports it works here and fails in the image."
            if twin
            else "Only the second one has it: code that came to import it does not run in the first one."
        ),
        fix=fixes.uninstall_distribution(distribution, actual),
    )
