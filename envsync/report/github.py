"""``envsync diff --format github``: annotations of a workflow run.

Format: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands; escaping is that of
https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from envsync.drift.comparison import Comparison
from envsync.drift.finding import Finding, Severity
from envsync.exact.fidelity import Fidelity
from envsync.model import Snapshot
from envsync.redaction import printable
from envsync.report.places import Places
from envsync.report.text import TITLES, summary

SHOWN = 10
"""Of each level, GitHub shows so many of a step, and drops the others without a word."""

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}


def render(
    findings: Sequence[Finding],
    comparison: Comparison,
    fidelity: Fidelity | None,
    expected: Snapshot,
    *,
    lock: PurePosixPath | None = None,
) -> str:
    """One workflow command a line, and a last line with the figures; what is harmless is only counted.

    Args:
        findings: most important first.
        comparison: what was compared with what.
        fidelity: how the files compare with those of the image.
        expected: the side that is right.
        lock: its directory, relative to the repository.
    """
    places = Places(expected, lock) if lock is not None else None
    lines: list[str] = []
    for severity, level in _LEVELS.items():
        of_level = [f for f in findings if f.severity == severity and not f.is_harmless]
        shown = of_level if len(of_level) <= SHOWN else of_level[: SHOWN - 1]
        lines += [_annotation(level, finding, places) for finding in shown]
        if len(shown) < len(of_level):
            left = f"… and {len(of_level) - len(shown)} more, which envsync diff --all shows"
            lines.append(_command(level, left, title=f"envsync: {len(of_level)} {level}s"))
    return "\n".join([*lines, f"envsync: {'; '.join(_figures(findings, comparison, fidelity))}"]) + "\n"


def _annotation(level: str, finding: Finding, places: Places | None) -> str:
    single, _ = TITLES[finding.kind]
    sides = " -> ".join(value for value in (finding.expected, finding.actual) if value)
    lines = [f"{finding.subject}{f': {sides}' if sides else ''}", finding.impact]
    if finding.needed_by:
        lines.append(f"needed by {', '.join(finding.needed_by)}")
    if finding.fix is not None:
        lines.append(f"fix: {finding.fix}")
    place: dict[str, str] = {}
    if places is not None:
        found = places.of(finding)
        place = {"file": str(found.file), "line": str(found.line)}
    return _command(level, "\n".join(map(printable, lines)), **place, title=f"envsync: {single}")


def _command(level: str, message: str, **properties: str) -> str:
    told = ",".join(f"{name}={escaped_property(printable(value))}" for name, value in properties.items())
    return f"::{level} {told}::{escaped(message)}"


def escaped(text: str) -> str:
    """``text`` as the message of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    """``text`` as the value of a property."""
    return escaped(text).replace(":", "%3A").replace(",", "%2C")


def _figures(findings: Sequence[Finding], comparison: Comparison, fidelity: Fidelity | None) -> Iterator[str]:
    """Numbers alone: no text of an image, which could hold a command of the runner's older syntax."""
    yield summary(findings, comparison)
    if harmless := sum(finding.is_harmless for finding in findings):
        yield f"{harmless} harmless, not annotated"
    if fidelity is not None:
        yield f"{fidelity.count('identical')} of {len(fidelity.verdicts)} distributions byte-identical"
    if comparison.accepted is not None:
        yield f"{comparison.accepted.count} accepted by the baseline, {comparison.accepted.gone} of it gone"
    if comparison.not_compared:
        yield f"{len(comparison.not_compared)} not compared"
    yield f"GitHub shows {SHOWN} annotations of each level in a step"
