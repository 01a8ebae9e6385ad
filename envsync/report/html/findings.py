"""The list of findings: every row is here; the script only hides, sorts and opens them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

from envsync.drift.finding import Finding, Severity, Verdict
from envsync.report.html.markup import Markup, count, extent, isolated, join, said, tag
from envsync.report.text import TITLES

_WEIGHTS: dict[str, str] = {
    "breaks": "breaks",
    "may-differ": "may differ",
    "harmless": "harmless",
    "error": "error",
    "warning": "warning",
    "note": "note",
}
_SCOPES: Mapping[str, str] = {"python": "Python", "env": "variables", "os": "system"}
_COLUMNS = ("Weight", "Name", "What", "Expected", "Actual")
_FEW = 20
_NAMES = 200
"""So many distributions are named that need one thing."""


def weight(finding: Finding) -> str:
    """What it means for the environment, or else how much it matters."""
    return finding.verdict or finding.severity


def mark(name: str, word: str | None = None) -> Markup:
    """A word with a sign before it that is its own in every colour."""
    return tag("span", word or _WEIGHTS.get(name, name), class_=f"mark mark-{name}")


def section(findings: Sequence[Finding], distributions: Mapping[str, str]) -> Markup:
    """The list, with its controls.

    Args:
        findings: most important first.
        distributions: the ID of what is said of a distribution, by its name.
    """
    title = tag("h2", "Findings", tag("span", f"{len(findings):,}", class_="count"))
    if not findings:
        return tag("section", title, tag("p", "Nothing differs.", class_="empty"), id="findings")
    head = (
        tag("th", tag("button", name, type="button"), scope="col", role="columnheader", aria_sort=order)
        for name, order in zip(_COLUMNS, ("ascending", None, None, None, None), strict=True)
    )
    table = tag(
        "table",
        tag("caption", "What differs, most important first", class_="unseen"),
        tag("thead", tag("tr", *head, role="row"), role="rowgroup"),
        *(_row(number, finding, distributions) for number, finding in enumerate(findings)),
        role="table",
        class_="findings",
    )
    nothing = tag(
        "p", "No finding is like this. ", tag("button", "Show all", type="button", id="reset"), class_="empty"
    )
    return tag("section", title, _controls(findings), table, tag("div", nothing, id="none", hidden=True), id="findings")


def _controls(findings: Sequence[Finding]) -> Markup:
    search = tag(
        "label",
        tag("span", "Search the findings", class_="unseen"),
        tag("input", type="search", id="search", placeholder="Search  ( / )", autocomplete="off", spellcheck="false"),
    )
    return tag(
        "div",
        tag("div", search, *_groups(findings), class_="filters"),
        tag(
            "div",
            tag("p", count(len(findings), "finding"), id="status", role="status"),
            tag("button", "Open all", type="button", id="open-all"),
            class_="state",
        ),
        class_="controls",
    )


def _groups(findings: Sequence[Finding]) -> Iterator[Markup]:
    """One set of buttons for each thing that can be chosen by; none pressed is all of them.

    What is so of all findings is no choice.
    """
    chosen: tuple[tuple[str, str, Mapping[str, str], list[str | None]], ...] = (
        ("verdict", "Verdict", {v: _WEIGHTS[v] for v in get_args(Verdict)}, [f.verdict for f in findings]),
        ("severity", "Severity", {s: _WEIGHTS[s] for s in get_args(Severity)}, [f.severity for f in findings]),
        ("scope", "Where", _SCOPES, [f.scope for f in findings]),
    )
    for key, title, words, values in chosen:
        buttons = [
            tag(
                "button",
                mark(value, word) if key == "verdict" else word,
                tag("span", f"{number:,}", class_="count"),
                type="button",
                aria_pressed="false",
                data_filter=key,
                data_value=value,
            )
            for value, word in words.items()
            if 0 < (number := values.count(value)) < len(values)
        ]
        if buttons:
            yield tag("div", tag("span", title, aria_hidden="true"), *buttons, role="group", aria_label=title)


def _row(number: int, finding: Finding, distributions: Mapping[str, str]) -> Markup:
    weighed = weight(finding)
    detail = f"f{number}-detail"
    opener = tag(
        "button", isolated(finding.subject), type="button", class_="opener", aria_expanded="false", aria_controls=detail
    )
    row = tag(
        "tr",
        _cell(mark(weighed), "Weight", "weight"),
        tag("th", opener, role="rowheader", scope="row"),
        _cell(_title(finding), "What", "what"),
        _cell(_value(finding, finding.expected), "Expected", "value"),
        _cell(_value(finding, finding.actual), "Actual", "value"),
        role="row",
    )
    return tag(
        "tbody",
        row,
        tag(
            "tr",
            tag("td", _detail(finding, distributions), colspan=5, role="cell"),
            id=detail,
            class_="detail",
            role="row",
        ),
        id=f"f{number}",
        class_="finding",
        role="rowgroup",
        data_verdict=finding.verdict,
        data_severity=finding.severity,
        data_scope=finding.scope,
    )


def _cell(content: str, label: str, look: str) -> Markup:
    return tag("td", content, class_=look, role="cell", data_label=label)


def _title(finding: Finding) -> str:
    return TITLES[finding.kind][0]


def _value(finding: Finding, value: str | None) -> Markup:
    if value is None:
        return tag("i", "not set" if finding.kind == "environment-variable" else "none")
    return said(value or '""')


def _detail(finding: Finding, distributions: Mapping[str, str]) -> Markup:
    terms = [
        ("Impact", said(finding.impact)),
    ]
    if finding.needed_by:
        terms.append(("Needed by", names(finding.needed_by, distributions)))
    if finding.package is not None:
        terms.append(("Package", said(finding.package)))
    if finding.fix is not None:
        terms.append(("Fix", command(finding.fix)))
    return tag("dl", *(tag("div", tag("dt", term), tag("dd", told)) for term, told in terms))


def names(needed_by: Sequence[str], distributions: Mapping[str, str]) -> Markup:
    """Distributions, each with a link to what is said of it."""
    shown = [_name(name, distributions.get(name)) for name in needed_by[:_NAMES]]
    rest = len(needed_by) - len(shown)
    return tag(
        "span",
        *shown,
        tag("span", f"and {rest:,} more") if rest else None,
        class_="chips" if len(shown) <= _FEW else "chips many",
    )


def _name(name: str, target: str | None) -> Markup:
    shown = isolated(name)
    return tag("a", shown, href=f"#{target}") if target is not None else shown


def command(fix: str) -> Markup:
    """What to type, with a button that copies it; a sentence stays one."""
    if fix[:1].isupper():
        return said(fix)
    copy = tag("button", "Copy", type="button", class_="copy", aria_label="Copy the command")
    return tag("span", tag("code", fix, class_=extent(fix)), copy, class_="command")


def fixes(commands: Iterable[str]) -> Markup:
    """Several of them."""
    return join(*(tag("li", command(one)) for one in commands))
