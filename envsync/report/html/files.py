"""Whose files are not the image's, and what was not compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envsync.drift.finding import NotCompared
from envsync.exact.fidelity import Fidelity, Grade
from envsync.report.html.findings import mark
from envsync.report.html.markup import Markup, count, isolated, said, tag

_WORDS: dict[Grade, str] = {
    "identical": "identical",
    "same-release": "another build",
    "differs": "another version",
    "missing": "missing",
    "unknown": "not comparable",
}
_SHOWN: tuple[Grade, ...] = ("missing", "differs", "same-release", "unknown")


def section(fidelity: Fidelity | None) -> Markup | None:
    """How the files of each distribution compare with those in the image; the identical ones come last."""
    if fidelity is None:
        return None
    others = [verdict for grade in _SHOWN for verdict in fidelity.verdicts if verdict.grade == grade]
    same = [verdict for verdict in fidelity.verdicts if verdict.grade == "identical"]
    figures = f"{len(same):,} of {count(len(fidelity.verdicts), 'distribution')} are the image's, byte for byte."
    if fidelity.is_foreign:
        figures += " This machine is of another platform: compiled files cannot be the image's."
    rows = (
        tag("tr", tag("td", mark(v.grade, _WORDS[v.grade]), class_="weight"), *_cells(v.name, v.version, v.reason))
        for v in others
    )
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Files", "Distribution", "Version", "Why")))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="plain") if others else None
    return tag(
        "section",
        tag("h2", "Files, byte for byte"),
        tag("p", figures, class_="under"),
        table,
        _folded(f"{len(same):,} identical", (f"{v.name} {v.version}" for v in same)) if same else None,
        _library(fidelity),
        id="files",
    )


def _cells(name: str, version: str, reason: str) -> tuple[Markup, ...]:
    return (
        tag("th", isolated(name), scope="row"),
        tag("td", said(version), class_="value"),
        tag("td", said(reason) if reason else None),
    )


def _library(fidelity: Fidelity) -> Markup | None:
    if not fidelity.modules or not fidelity.differing_modules:
        return None
    title = f"{len(fidelity.differing_modules):,} of {count(fidelity.modules, 'module')} of the standard library differ"
    return _folded(title, fidelity.differing_modules)


def _folded(title: str, names: Iterable[str]) -> Markup:
    return tag("details", tag("summary", title), tag("p", *(tag("span", isolated(n)) for n in names), class_="chips"))


def not_compared(notes: Sequence[NotCompared]) -> Markup | None:
    """Partial knowledge, which is no drift."""
    if not notes:
        return None
    rows = (tag("div", tag("dt", isolated(note.subject)), tag("dd", said(note.reason))) for note in notes)
    return tag(
        "section",
        tag("h2", "Not compared", tag("span", f"{len(notes):,}", class_="count")),
        tag("dl", *rows, class_="notes"),
        id="not-compared",
    )
