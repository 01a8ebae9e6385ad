"""``envsync diff --format markdown``, for a comment on a pull request.

Format: https://github.github.com/gfm/. All text that an image chose is escaped character by character, so that it
can be no markup, link, mention or reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from envsync.drift.comparison import Comparison, Side
from envsync.drift.finding import Finding, Kind, Severity
from envsync.drift.fixes import merged
from envsync.exact.fidelity import Fidelity
from envsync.redaction import printable
from envsync.report.text import TITLES, summary

LIMIT = 60_000
"""Characters; GitHub refuses a comment of more than 65,536."""

_COMMANDS = 12_000
"""Characters of commands, at most."""
_VALUE = 600
"""Characters of one text, escaped."""

# Punctuation can mark something up, begin a link (as in "https:" and "www."), a mention or a reference to an issue.
_MARKUP = re.compile(r"[^\w ,:;()/'=+.-]|_|:(?! )|(?<=www)\.", re.IGNORECASE)
_HALF_ENTITY = re.compile(r"&[^;]*\Z")
_BACKTICKS = re.compile(r"`+")


def render(findings: Sequence[Finding], comparison: Comparison, fidelity: Fidelity | None = None) -> str:
    """A heading with the figures, a table for each kind of finding, and what to type.

    Args:
        findings: most important first.
        comparison: what was compared with what.
        fidelity: how the files compare with those of the image.
    """
    before = [f"## envsync: {_figures(findings, comparison)}", "", *_sides(comparison), *_facts(comparison, fidelity)]
    listed = [finding for finding in findings if not finding.is_harmless]
    after = [*_fixes(listed), *_not_compared(comparison)]
    room = LIMIT - _size(before) - _size(after) - 200
    tables: list[str] = []
    told = 0
    for (severity, kind), group in groupby(listed, key=lambda finding: (finding.severity, finding.kind)):
        found = list(group)
        table, shown = _table(severity, kind, found, room)
        tables += table
        room -= _size(table)
        told += shown
    harmless, without_room = len(findings) - len(listed), len(listed) - told
    left_out = [f"{harmless} harmless, as nothing here needs what differs"] * bool(harmless)
    left_out += [f"{without_room} for want of room"] * bool(without_room)
    if left_out:
        after[:0] = [f"Findings left out: {'; '.join(left_out)} (`envsync diff --all` shows them).", ""]
    return "\n".join([*before, *tables, *after]).rstrip("\n") + "\n"


def code(text: str) -> str:
    """``text`` on one line, in the font of code; in there nobody is mentioned."""
    shown = _MARKUP.sub(_entity, printable(text))
    return f"<code>{_cut(shown)}</code>" if shown.strip() else ""


def prose(text: str) -> str:
    """``text`` on one line; a space of no width keeps what begins with ``@`` or ``#`` from being a reference."""
    return _cut(_MARKUP.sub(lambda mark: _entity(mark) + ("&#8203;" if mark[0] in "@#" else ""), printable(text)))


def _entity(mark: re.Match[str]) -> str:
    return f"&#{ord(mark[0])};"


def _cut(escaped: str) -> str:
    return escaped if len(escaped) <= _VALUE else f"{_HALF_ENTITY.sub('', escaped[:_VALUE])}…"


def _size(lines: Sequence[str]) -> int:
    return sum(map(len, lines)) + len(lines)


def _figures(findings: Sequence[Finding], comparison: Comparison) -> str:
    told = summary(findings, comparison)
    counted = (("conda packages", comparison.conda), ("distributions", comparison.distributions))
    same = [f"{c.identical} of {c.compared} {what} identical" for what, c in counted if c is not None and c.compared]
    return ", ".join([told, *same])


def _sides(comparison: Comparison) -> Iterator[str]:
    for letter, side in (("A", comparison.expected), ("B", comparison.actual)):
        yield f"- {letter}: {_side(side)}"
    yield ""


def _side(side: Side) -> str:
    kind = {"image": "image", "list": "published list of", "local": "environment"}[side.kind]
    digest = (side.digest or side.config_digest or "")[:19]
    facts = [digest, f"Python {side.python}", side.operating_system or "", side.platform or ""]
    return ", ".join([f"{kind} {code(side.name)}", *(prose(fact) for fact in facts if fact)])


def _facts(comparison: Comparison, fidelity: Fidelity | None) -> Iterator[str]:
    if fidelity is not None:
        yield f"Fidelity: {fidelity.count('identical')} of {len(fidelity.verdicts)} distributions are byte-identical."
        yield ""
    if comparison.accepted is not None:
        yield f"{prose(comparison.accepted.sentence)}."
        yield ""


def _table(severity: Severity, kind: Kind, findings: Sequence[Finding], room: int) -> tuple[list[str], int]:
    """A folded table of as many findings as there is room for, and how many these are."""
    single, plural = TITLES[kind]
    title = single if len(findings) == 1 or not plural else f"{len(findings)} {plural}"
    is_needed = any(finding.needed_by for finding in findings)
    is_shared = len({finding.impact for finding in findings}) == 1
    columns = ["", "A", "B", *(["needed by"] if is_needed else []), *([] if is_shared else ["what it may break"])]
    head = [
        f"<details{' open' if severity == 'error' else ''}><summary><b>{severity}</b>: {title}</summary>",
        "",
        f"| {' | '.join(columns)} |",
        f"|{' --- |' * len(columns)}",
    ]
    foot = ["", *([f"{prose(findings[0].impact)}\n"] if is_shared else []), "</details>", ""]
    room -= _size(head) + _size(foot)
    rows: list[str] = []
    for finding in findings:
        row = _row(finding, needed=is_needed, impact=not is_shared)
        room -= len(row) + 1
        if room < 0:
            break
        rows.append(row)
    return ([*head, *rows, *foot], len(rows)) if rows else ([], 0)


def _row(finding: Finding, *, needed: bool, impact: bool) -> str:
    cells = [code(finding.subject), code(finding.expected or ""), code(finding.actual or "")]
    cells += [prose(", ".join(finding.needed_by))] * needed
    cells += [prose(finding.impact)] * impact
    return f"| {' | '.join(cells)} |"


def _fixes(findings: Sequence[Finding]) -> Iterator[str]:
    """Commands as they stand, in a fence that is longer than any row of backticks in them; then sentences."""
    fixes = merged(finding.fix for finding in findings if finding.fix is not None)
    commands: list[str] = []
    sentences: list[str] = []
    room = _COMMANDS
    for fix in fixes:
        told = f"- {prose(fix)}" if fix[:1].isupper() else printable(fix)
        room -= len(told) + 1
        if room >= 0:
            (sentences if fix[:1].isupper() else commands).append(told)
    if commands:
        fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall("\n".join(commands))), default=0))
        yield from ["What to type:", "", f"{fence}sh", *commands, fence, ""]
    if sentences:
        yield from [*sentences, ""]
    if left := len(fixes) - len(commands) - len(sentences):
        yield from [f"{left} more commands are left out here.", ""]


def _not_compared(comparison: Comparison) -> Iterator[str]:
    notes = comparison.not_compared
    if notes:
        yield from [f"<details><summary>{len(notes)} not compared</summary>", ""]
        yield from (f"- {code(note.subject)}: {prose(note.reason)}" for note in notes[:10])
        if len(notes) > 10:
            yield f"- … and {len(notes) - 10} more"
        yield from ["", "</details>", ""]
