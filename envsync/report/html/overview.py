"""The picture: what part of the environment is identical, of another build, differs, is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from envsync.drift.comparison import Comparison, Counts
from envsync.drift.finding import Finding
from envsync.exact.fidelity import Fidelity
from envsync.model import Snapshot
from envsync.report.html.markup import Markup, tag
from envsync.report.html.needed import Group, Need, State

_GROUPS: tuple[tuple[Group, str], ...] = (
    ("library", "Shared libraries"),
    ("command", "Commands"),
    ("resource", "Data of the system"),
)
_STATES: tuple[tuple[State, str, str], ...] = (
    ("there", "same", "there"),
    ("harmless", "build", "harmless"),
    ("may-differ", "differs", "may differ"),
    ("breaks", "missing", "breaks"),
    ("neither", "unknown", "in neither"),
    ("unknown", "unknown", "not known"),
)


class Part(Struct, frozen=True):
    """One piece of a bar."""

    look: str
    """``same``, ``build``, ``differs``, ``missing`` or ``unknown``: each has a pattern of its own."""
    number: int
    word: str


class Bar(Struct, frozen=True):
    """One kind of thing that the environment has, or needs."""

    title: str
    note: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(part.number for part in self.parts)


def bars(
    findings: Sequence[Finding],
    comparison: Comparison,
    fidelity: Fidelity | None,
    needs: Sequence[Need],
    expected: Snapshot,
) -> Iterator[Bar]:
    """All that there is something to say of."""
    extra = sum(finding.kind == "distribution-extra" for finding in findings)
    note = f"and {extra} extra" if extra else ""
    if fidelity is not None:
        yield _bar("Distributions", _fidelity(fidelity), note or "by the contents of their files")
        if fidelity.modules is not None:
            differing = len(fidelity.differing_modules)
            parts = [("same", fidelity.modules - differing, "identical"), ("differs", differing, "differ")]
            yield _bar("Standard library", parts, "modules")
    elif comparison.distributions.compared:
        yield _bar("Distributions", _counted(comparison.distributions, findings, "distribution-missing"), note)
    if comparison.conda is not None and comparison.conda.compared:
        yield _bar("Conda packages", _counted(comparison.conda, findings, "conda-package-missing"), "")
    for group, title in _GROUPS:
        states = [need.state for need in needs if need.group == group]
        if states:
            yield _bar(title, [(look, states.count(state), word) for state, look, word in _STATES], "needed")
    packages = [finding for finding in findings if finding.kind.startswith("os-package") and finding.expected]
    if expected.os_packages and packages:
        verdicts = [finding.verdict or "may-differ" for finding in packages]
        same = max(len(expected.os_packages) - len(packages), 0)
        told = [(look, verdicts.count(state), word) for state, look, word in _STATES if state in set(verdicts)]
        yield _bar("OS packages", [("same", same, "the same"), *told], "of the image")


def _bar(title: str, parts: Iterable[tuple[str, int, str]], note: str) -> Bar:
    return Bar(title, note, tuple(Part(*part) for part in parts if part[1]))


def _fidelity(fidelity: Fidelity) -> list[tuple[str, int, str]]:
    return [
        ("same", fidelity.count("identical"), "identical"),
        ("build", fidelity.count("same-release"), "of another build"),
        ("differs", fidelity.count("differs"), "of another version"),
        ("missing", fidelity.count("missing"), "missing"),
        ("unknown", fidelity.count("unknown"), "not comparable"),
    ]


def _counted(counts: Counts, findings: Iterable[Finding], missing: str) -> list[tuple[str, int, str]]:
    absent = min(sum(finding.kind == missing for finding in findings), counts.compared - counts.identical)
    differing = counts.compared - counts.identical - absent
    return [("same", counts.identical, "identical"), ("differs", differing, "differ"), ("missing", absent, "missing")]


def picture(shown: Iterable[Bar]) -> Markup | None:
    """The bars, each with its figures in words."""
    figures = [_figure(bar) for bar in shown if bar.total]
    return tag("div", PATTERNS, *figures, class_="bars") if figures else None


def _figure(bar: Bar) -> Markup:
    told = ", ".join(f"{part.number} {part.word}" for part in bar.parts)
    return tag(
        "figure",
        tag("figcaption", tag("b", bar.title), tag("span", f"{bar.total:,}{f' {bar.note}' if bar.note else ''}")),
        tag("svg", *_segments(bar), class_="bar", role="img", aria_label=f"{bar.title}: {told}"),
        tag("ul", *(tag("li", _key(part), tag("b", f"{part.number:,}"), f" {part.word}") for part in bar.parts)),
    )


def _segments(bar: Bar) -> Iterator[Markup]:
    """Positions in per cent of the width; however few there are of something, it is seen."""
    shares = [max(part.number / bar.total * 100, 1.5) for part in bar.parts]
    scale = 100 / sum(shares)
    start = 0.0
    for part, share in zip(bar.parts, shares, strict=True):
        title = tag("title", f"{part.number:,} {part.word}")
        position = {"x": f"{start:.3f}%", "width": f"{share * scale:.3f}%"}
        yield tag("rect", title, **position, height="100%", class_=f"look-{part.look}")
        start += share * scale


def _key(part: Part) -> Markup:
    box = tag("rect", width="100%", height="100%", class_=f"look-{part.look}")
    return tag("svg", box, class_="key", aria_hidden="true")


def _pattern(name: str, *shapes: Markup) -> Markup:
    ground = tag("rect", width=8, height=8, class_="ground")
    return tag("pattern", ground, *shapes, id=f"p-{name}", width=8, height=8, patternUnits="userSpaceOnUse")


PATTERNS = tag(
    "svg",
    tag(
        "defs",
        _pattern("build", tag("path", d="M-2 2l4-4M0 8l8-8M6 10l4-4", class_="stroke")),
        _pattern("differs", *(tag("circle", cx=x, cy=y, r="1.6", class_="dot") for x, y in ((2, 2), (6, 6)))),
        _pattern("missing", tag("path", d="M0 0l8 8M8 0l-8 8", class_="stroke")),
        _pattern("unknown", tag("circle", cx=4, cy=4, r=".9", class_="dot")),
    ),
    class_="patterns",
    aria_hidden="true",
)
"""Read without colour: full, striped, dotted, crossed, sparse."""
