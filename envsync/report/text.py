"""``envsync diff`` for people: most important first, readable at 80 columns and without colour."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal, get_args

from envsync.drift.comparison import Comparison, Side
from envsync.drift.finding import Finding, Kind, NotCompared, Severity
from envsync.drift.finding import shown as shown_of
from envsync.drift.fixes import merged
from envsync.exact.fidelity import Fidelity
from envsync.redaction import printable
from envsync.report.fidelity import fidelity_lines

FOLD = 10
"""So many findings of one kind are shown unless all are asked for."""

_VALUE_LIMIT = 240
_NAME_COLUMN = 28
TITLES: dict[Kind, tuple[str, str]] = {
    "interpreter-version": ("another version of Python", ""),
    "interpreter-implementation": ("another implementation of Python", ""),
    "interpreter-abi": ("another ABI of Python", ""),
    "distribution-missing": ("missing distribution", "missing distributions"),
    "distribution-version": ("distribution of another version", "distributions of other versions"),
    "distribution-origin": ("distribution of another origin", "distributions of other origins"),
    "distribution-build": ("distribution of another build", "distributions of another build"),
    "distribution-modified": (
        "distribution with changed files",
        "distributions with changed files",
    ),
    "distribution-extra": ("extra distribution", "extra distributions"),
    "conda-environment-missing": ("no conda environment", ""),
    "conda-package-missing": ("missing conda package", "missing conda packages"),
    "conda-package-version": ("conda package of another version", "conda packages of other versions"),
    "conda-package-build": ("conda package of another build", "conda packages of other builds"),
    "conda-package-channel": ("conda package of another channel", "conda packages of other channels"),
    "conda-package-hash": ("conda package with another hash", "conda packages with other hashes"),
    "conda-files-missing": ("conda package with missing files", "conda packages with missing files"),
    "conda-files-changed": ("conda package with changed files", "conda packages with changed files"),
    "conda-overwritten": ("conda package that pip wrote over", "conda packages that pip wrote over"),
    "conda-virtual-package": ("virtual package that does not fit", "virtual packages that do not fit"),
    "conda-package-extra": ("extra conda package", "extra conda packages"),
    "environment-variable": ("environment variable", "environment variables"),
    "library-missing": ("missing shared library", "missing shared libraries"),
    "library-symbols": ("shared library without needed symbols", "shared libraries without needed symbols"),
    "library-version": ("shared library of another version", "shared libraries of other versions"),
    "command-missing": ("missing command", "missing commands"),
    "command-version": ("command of another version", "commands of other versions"),
    "resource-missing": ("missing piece of system data", "missing pieces of system data"),
    "resource-version": ("piece of system data that differs", "pieces of system data that differ"),
    "os-architecture": ("another CPU architecture", ""),
    "os-release": ("another operating system", ""),
    "os-package-missing": ("missing OS package", "missing OS packages"),
    "os-package-architecture": ("OS package of another architecture", "OS packages of another architecture"),
    "os-package-version": ("OS package of another version", "OS packages of other versions"),
    "os-package-extra": ("extra OS package", "extra OS packages"),
    "os-not-comparable": ("OS packages cannot be compared", ""),
}
_MEANINGS: dict[Kind, str] = {
    "library-missing": "What is linked with them cannot be imported; code that loads them fails.",
    "library-symbols": "What needs them cannot be imported: it was built for newer ones.",
    "library-version": "What needs them may behave otherwise.",
    "command-missing": "What runs them fails.",
    "command-version": "What runs them may behave otherwise.",
}
"""Of kinds whose findings name what needs the subject: what they mean, once for all of them."""
_SHELL_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
Word = Literal["error", "warning", "note", "harmless"]
_COLOURS: dict[Word, str] = {"error": "1;31", "warning": "1;33", "note": "1;36", "harmless": "2"}


def render(
    findings: Sequence[Finding],
    comparison: Comparison,
    *,
    width: int = 80,
    colour: bool = False,
    fold: bool = True,
    fidelity: Fidelity | None = None,
) -> str:
    """The report of a comparison.

    Args:
        findings: sorted, as :func:`envsync.drift.finding.ranked` does.
        comparison: what was compared with what.
        width: columns.
        colour: mark severities with ANSI escapes.
        fold: show only the first :data:`FOLD` findings of a kind, and of harmless ones how many there are.
        fidelity: how the files compare with those of the image.
    """
    exact = fidelity_lines(fidelity, width) if fidelity is not None else []
    mattering = [finding for finding in findings if not finding.is_harmless]
    after = [
        *(_wrapped(_counts(mattering, comparison), width, "") if mattering else _no_drift(comparison, width)),
        *exact,
        *_harmless(len(findings) - len(mattering), width, fold),
        *_not_compared(comparison, width, fold),
        *([comparison.accepted.sentence] if comparison.accepted is not None else ()),
    ]
    listed = mattering if fold else findings
    if not listed:
        return "\n".join(after) + "\n"
    lines = [*_side("A", comparison.expected, width), *_side("B", comparison.actual, width)]
    told: list[str] = []
    for (word, kind), group in groupby(listed, key=lambda finding: (_word(finding), finding.kind)):
        lines += ["", *_group(word, kind, list(group), told, width, colour, fold)]
    return "\n".join([*lines, "", *after]) + "\n"


def _word(finding: Finding) -> Word:
    return "harmless" if finding.is_harmless else finding.severity


def figures(findings: Sequence[Finding]) -> list[str]:
    """``2 errors``, ``1 note``: of those that make the exit code 1; what is harmless does not count."""
    mattering = [finding.severity for finding in findings if not finding.is_harmless]
    numbers = {severity: mattering.count(severity) for severity in get_args(Severity)}
    return [f"{number} {severity}{'' if number == 1 else 's'}" for severity, number in numbers.items() if number]


def summary(findings: Sequence[Finding], comparison: Comparison) -> str:
    """``2 errors, 1 note``; or that there is nothing."""
    return ", ".join(figures(findings)) or nothing_found(comparison)


def nothing_found(comparison: Comparison) -> str:
    """What is said where there are no findings, or none that the baseline has not."""
    return "no drift" if comparison.accepted is None else "nothing new"


def _no_drift(comparison: Comparison, width: int) -> Iterator[str]:
    counts, nothing = _identical(comparison), nothing_found(comparison)
    told = f"{nothing}: {counts} (Python {comparison.actual.python})"
    yield from _wrapped(told if counts else nothing, width, "", "  ")


def _harmless(count: int, width: int, fold: bool) -> list[str]:
    if not count:
        return []
    what = "difference" if count == 1 else "differences"
    where = " (--all)" if fold else ""
    return _wrapped(f"harmless: {count} {what} of the system that nothing here needs{where}", width, "", "  ")


def _side(letter: str, side: Side, width: int) -> Iterator[str]:
    match side.kind:
        case "image":
            digest = side.digest or side.config_digest or ""
            told = [f"image {side.name}", digest[:19], f"Python {side.python}"]
        case "list":
            told = [f"published list of {side.name}", side.dated or "", f"Python {side.python}"]
        case "local":
            told = [f"environment {side.name}", f"Python {side.python}"]
    yield from _wrapped(f"{letter}  {', '.join(filter(None, told))}", width, "", "   ")
    if side.lock:
        yield from _wrapped(f"lock {side.lock}", width, "   ")


def _group(
    word: Word,
    kind: Kind,
    findings: list[Finding],
    told: list[str],
    width: int,
    colour: bool,
    fold: bool,
) -> Iterator[str]:
    single, plural = TITLES[kind]
    mark = f"\x1b[{_COLOURS[word]}m{word}\x1b[0m" if colour else word
    yield f"{mark}: {single if not plural else f'1 {single}' if len(findings) == 1 else f'{len(findings)} {plural}'}"
    shown = findings[:FOLD] if fold else findings
    hidden = len(findings) - len(shown)
    column = min(max(len(printable(finding.subject)) for finding in shown), _NAME_COLUMN)
    meaning = _MEANINGS.get(kind)
    shared = meaning is not None or len({finding.impact for finding in findings}) == 1
    for finding in shown:
        yield from _row(finding, column, width)
        if not shared:
            yield from _wrapped(finding.impact, width, " " * 6)
    if hidden:
        yield f"  … and {hidden} more (--all)"
    if shared:
        yield from _wrapped(meaning or findings[0].impact, width, "    ")
    is_breaking = any(finding.verdict == "breaks" for finding in findings)
    yield from _fixes(findings, findings if is_breaking else shown, told, width)


def _row(finding: Finding, column: int, width: int) -> Iterator[str]:
    """``name  A -> B`` on one line where it fits."""
    name = printable(finding.subject)
    ours, theirs = _value(finding.expected), _value(finding.actual)
    if finding.kind == "environment-variable":
        values = f"{ours or 'not set'} -> {theirs or 'not set'}"
    else:
        values = " -> ".join(value for value in (ours, theirs) if value)
    if finding.kind in _MEANINGS:
        values += f"{', ' if values else ''}for {shown_of(finding.needed_by)}"
    line = f"  {name.ljust(column)}  {values}"
    if len(line) <= width:
        yield line
        return
    yield from _wrapped(name, width, "  ")
    for letter, value in (("A", ours), ("B", theirs)):
        if value:
            yield from _wrapped(f"{letter}  {value}", width, " " * 6, " " * 9)
    if finding.kind in _MEANINGS:
        yield from _wrapped(f"for {shown_of(finding.needed_by)}", width, " " * 6, " " * 9)


def _value(text: str | None) -> str:
    if text is None:
        return ""
    safe = printable(text)
    if not safe:
        return '""'
    return safe if len(safe) <= _VALUE_LIMIT else f"{safe[:_VALUE_LIMIT]}…"


def _fixes(findings: list[Finding], shown: list[Finding], told: list[str], width: int) -> Iterator[str]:
    """The commands of a group, of what breaks whole ones; of the one that was told last only that."""
    whole = merged(finding.fix for finding in findings if finding.fix is not None)
    told_of = findings if findings[0].verdict == "breaks" else shown
    commands = merged(finding.fix for finding in told_of if finding.fix is not None)
    for command in commands:
        partial = "" if command in whole else " …"
        yield from (
            ["    fix: as above"] if told[-1:] == [command] else command_lines(printable(command) + partial, width)
        )
        told.append(command)


def command_lines(fix: str, width: int, first: str = "    fix: ") -> Iterator[str]:
    """A command over several lines can be copied as it stands: each but the last ends in a backslash."""
    rest = " " * len(first)
    if fix[0].isupper():
        yield from _wrapped(fix, width, first, rest)
        return
    line = first.rstrip()
    for word in _SHELL_WORD.findall(fix):
        if len(line) + len(word) + 3 > width and line.strip() != "fix:":
            yield f"{line} \\"
            line = rest[:-1]
        line += f" {word}"
    yield line


def _counts(findings: Sequence[Finding], comparison: Comparison) -> str:
    counts = _identical(comparison)
    return f"drift: {', '.join(figures(findings))}{f'; {counts}' if counts else ''}"


def _identical(comparison: Comparison) -> str:
    """``3 of 4 conda packages and 7 of 7 distributions identical``; empty where nothing was compared."""
    counted = (("conda packages", comparison.conda), ("distributions", comparison.distributions))
    told = [f"{c.identical} of {c.compared} {what}" for what, c in counted if c is not None and c.compared]
    return f"{' and '.join(told)} identical" if told else ""


def _not_compared(comparison: Comparison, width: int, fold: bool) -> Iterator[str]:
    notes: Sequence[NotCompared] = comparison.not_compared
    if not notes:
        return
    yield "not compared:"
    for note in notes[:FOLD] if fold else notes:
        yield from _wrapped(f"{_value(note.subject)}: {_value(note.reason)}", width, "  ", "    ")
    if fold and len(notes) > FOLD:
        yield f"  … and {len(notes) - FOLD} more (--all)"


def _wrapped(text: str, width: int, first: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_on_hyphens=False,
    )
