"""Comparing two snapshots. Pure: whatever is compared was read before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from envsync.drift.conda import compare_conda, without_echoes
from envsync.drift.distributions import INSTALLERS, by_name, compare_distributions
from envsync.drift.finding import SCOPES, Finding, NotCompared, Scope, ranked
from envsync.drift.interpreter import compare_interpreters
from envsync.drift.operating_system import compare_systems
from envsync.drift.variables import compare_variables, withheld_names
from envsync.drift.virtual import compare_virtual
from envsync.model import ImageSource, ListSource, LocalSource, Snapshot
from envsync.names import normalized

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

_SCOPE_TITLES: dict[Scope, str] = {
    "python": "Python",
    "env": "environment variables",
    "os": "operating system",
}


def compare(
    expected: Snapshot,
    actual: Snapshot,
    *,
    scopes: frozenset[Scope] = SCOPES,
    ignore: frozenset[NormalizedName] = frozenset(),
    accepted: Mapping[NormalizedName, str] | None = None,
    rebuilt: frozenset[str] = frozenset(),
) -> tuple[Finding, ...]:
    """All drift of ``actual`` from ``expected``, most important first.

    Args:
        expected: the image, list or environment that is right (A).
        actual: the other one (B).
        scopes: what to compare.
        ignore: normalised names of distributions, OS packages and variables that do not count.
        accepted: distributions that are known not to be reproducible here, with the reason.
        rebuilt: normalised names of distributions of ``actual`` whose files are others than those of ``expected``.
    """
    findings: list[Finding] = []
    if "python" in scopes:
        findings += compare_interpreters(expected, actual)
        installed = compare_distributions(expected, actual, accepted=accepted or {})
        findings += without_echoes((*compare_conda(expected, actual), *installed), expected, actual)
        findings += compare_virtual(expected, actual)[0]
    if "env" in scopes:
        findings += compare_variables(expected, actual)
    if "os" in scopes:
        findings += compare_systems(expected, actual, rebuilt=rebuilt)
    told = _without_what_variables_say(findings)
    return ranked(finding for finding in told if not _is_ignored(finding, ignore))


def _is_ignored(finding: Finding, ignore: frozenset[NormalizedName]) -> bool:
    """By its subject, or because nothing else needs that."""
    names = frozenset(map(normalized, finding.needed_by))
    return normalized(finding.subject) in ignore or (bool(names) and names <= ignore)


def _without_what_variables_say(findings: Sequence[Finding]) -> Iterator[Finding]:
    """``TZ`` makes the local time zone: where the variable is told, the zone is not told as well."""
    variables = {finding.subject for finding in findings if finding.kind == "environment-variable"}
    for finding in findings:
        if not (finding.kind == "resource-version" and finding.subject == "time zone" and "TZ" in variables):
            yield finding


def not_compared(
    expected: Snapshot,
    actual: Snapshot,
    *,
    scopes: frozenset[Scope] = SCOPES,
    ignore: frozenset[NormalizedName] = frozenset(),
) -> tuple[NotCompared, ...]:
    """What :func:`compare` said nothing about, and why."""
    return tuple(_not_compared(expected, actual, scopes, ignore))


def _not_compared(
    expected: Snapshot, actual: Snapshot, scopes: frozenset[Scope], ignore: frozenset[NormalizedName]
) -> Iterator[NotCompared]:
    left_out = [title for scope, title in _SCOPE_TITLES.items() if scope not in scopes]
    if left_out:
        yield NotCompared(subject=", ".join(left_out), reason="not asked for")
    if ignore:
        yield NotCompared(subject=", ".join(sorted(ignore)), reason="ignored by choice")
    if "python" in scopes:
        yield from (note for note in compare_virtual(expected, actual)[1] if normalized(note.subject) not in ignore)
        if expected.conda_environment is not None and actual.conda_environment is None:
            if isinstance(actual.source, ListSource):
                yield NotCompared(subject="conda packages", reason="the published list does not tell them")
        elif expected.conda_environment is None and actual.conda_environment is not None:
            yield NotCompared(subject="conda packages", reason="the first side is no conda environment")
    for side in (expected, actual):
        if isinstance(side.source, ListSource):
            yield from _unknown_to_list(side, scopes)
    if "env" in scopes and (withheld := withheld_names(expected, actual)):
        yield NotCompared(subject=", ".join(withheld), reason="only whether it is set: its value was withheld")
    if "os" in scopes and isinstance(expected.source, ImageSource | LocalSource) and not expected.os_packages:
        yield NotCompared(subject="OS packages", reason="none are known of the first side")
    if "os" in scopes and isinstance(expected.source, ImageSource) and isinstance(actual.source, LocalSource):
        yield from _unasked(expected, actual)
    for side in (expected, actual):
        for skipped in side.skipped:
            yield NotCompared(subject=skipped.subject, reason=f"{skipped.place}: {skipped.reason}")


def _unasked(expected: Snapshot, actual: Snapshot) -> Iterator[NotCompared]:
    """What of the environment's needs this machine could not be asked for."""
    if expected.needs is None:
        reason = "the lock does not tell it; pulling it again does, unless with --wheels none"
        yield NotCompared(subject="what the environment needs of the system", reason=reason)
    elif expected.needs.libraries and actual.platform is not None and actual.platform.os != "linux":
        count = len(expected.needs.libraries)
        what = "1 shared library" if count == 1 else f"{count} shared libraries"
        reason = (
            f"they are of Linux; on {actual.os.label if actual.os else actual.platform.os} distributions are other "
            "files, which bring or need others"
        )
        yield NotCompared(subject=what, reason=reason)


def _unknown_to_list(side: Snapshot, scopes: frozenset[Scope]) -> Iterator[NotCompared]:
    unknown = [title for scope, title in _SCOPE_TITLES.items() if scope in scopes and scope != "python"]
    if unknown:
        yield NotCompared(subject=", ".join(unknown), reason="a published list of distributions does not tell them")
    if "python" not in scopes:
        return
    if side.conda_environment is None and (unnamed := sorted(INSTALLERS - by_name(side.distributions).keys())):
        yield NotCompared(subject=", ".join(unnamed), reason="the published list does not name them")
    if side.python.version.count(".") < 2:
        reason = f"the published list only says {side.python.version}"
        yield NotCompared(subject="patch version of Python", reason=reason)
