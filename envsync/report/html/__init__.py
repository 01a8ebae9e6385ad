"""``envsync diff`` as one HTML file that needs nothing else: no network, no other file, and no script to be read.

What the page may do is in its content security policy: its own style and its own script, each by hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files as package_files

from envsync.drift.comparison import Comparison, Side
from envsync.drift.finding import Finding
from envsync.drift.fixes import merged
from envsync.exact.fidelity import Fidelity
from envsync.model import ImageSource, Snapshot
from envsync.report.html import files, findings, needs, overview
from envsync.report.html.markup import Markup, count, isolated, tag
from envsync.report.html.needed import needed


def render(
    found: Sequence[Finding],
    comparison: Comparison,
    fidelity: Fidelity | None,
    expected: Snapshot,
    actual: Snapshot,
) -> str:
    """The whole page; the same input gives the same bytes.

    Args:
        found: sorted, as :func:`envsync.drift.finding.ranked` does.
        comparison: what was compared with what.
        fidelity: how the files compare with those of the image; ``None`` where that is not known.
        expected: the lock or image: what it needs of the system is shown.
        actual: the other side, which was asked for the same.
    """
    wanted = needed(found, expected.needs, actual.needs)
    bars = overview.picture(overview.bars(found, comparison, fidelity, wanted, expected))
    sections = (
        ("Overview", _overview(bars, _fixes(found))),
        ("Findings", findings.section(found, needs.identifiers(wanted))),
        ("Needs", needs.section(wanted, expected.needs.objects if expected.needs is not None else 0)),
        ("Files", files.section(fidelity)),
        ("Not compared", files.not_compared(comparison.not_compared)),
    )
    there = [(title, section) for title, section in sections if section is not None]
    body = tag(
        "body",
        tag("a", "Skip to the findings", href="#findings", class_="skip"),
        _navigation([title for title, _ in there]),
        tag(
            "main",
            _header(found, comparison, fidelity, expected),
            *(section for _, section in there),
        ),
    )
    return f"<!doctype html>\n{tag('html', _head(comparison), body, lang='en')}\n"


def _head(comparison: Comparison) -> Markup:
    # A browser takes what stands in these two as it is; neither has text from anywhere else.
    style, script = (Markup((package_files(__name__) / name).read_text("utf-8")) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{comparison.expected.name} and {comparison.actual.name}: envsync diff"),
        tag("style", style),
        tag("script", script),
    )


def _hash(text: str) -> str:
    """https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _navigation(titles: Sequence[str]) -> Markup:
    links = (tag("a", title, href=f"#{title.lower().replace(' ', '-')}") for title in titles)
    return tag(
        "nav",
        tag("b", "envsync diff"),
        tag("span", *links),
        tag("button", "Dark", type="button", id="theme", class_="control"),
        aria_label="Sections",
    )


def _header(found: Sequence[Finding], comparison: Comparison, fidelity: Fidelity | None, expected: Snapshot) -> Markup:
    ours, theirs = comparison.expected, comparison.actual
    pulled = expected.source.pulled_at[:10] if isinstance(expected.source, ImageSource) else None
    title = tag("h1", isolated(ours.name), tag("span", " → ", class_="arrow"), isolated(theirs.name))
    sides = tag("div", _side("Expected", ours, pulled), _side("Actual", theirs, None), class_="sides")
    return tag("header", title, tag("p", *_weighted(verdict(found, comparison, fidelity)), class_="verdict"), sides)


def verdict(found: Sequence[Finding], comparison: Comparison, fidelity: Fidelity | None) -> str:
    """What it all comes to, in one sentence."""
    numbers = Counter(finding.verdict for finding in found)
    inside = sum(finding.scope == "python" for finding in found)
    counted = (
        (numbers["breaks"], "need is not met", "needs are not met"),
        (inside, "difference inside the environment", "differences inside the environment"),
        (numbers[None] - inside, "variable is set otherwise", "variables are set otherwise"),
        (numbers["may-differ"], "may differ around it", "may differ around it"),
        (numbers["harmless"], "is harmless", "are harmless"),
    )
    told = [count(number, *words) for number, *words in counted if number]
    if fidelity is not None:
        compared, identical, how = len(fidelity.verdicts), fidelity.count("identical"), ", byte for byte"
    else:
        compared, identical, how = comparison.distributions.compared, comparison.distributions.identical, ""
    same = f"{identical:,} of {count(compared, 'distribution')} identical{how}" if compared else ""
    said = ", ".join(told) or "No drift"
    return f"{said}{f'; {same}' if same else ''}."


def _weighted(sentence: str) -> Iterator[str]:
    """The same with its figures standing out."""
    for word in re.split(r"(\d[\d,]*\d|\d)", sentence):
        yield tag("b", word) if word[:1].isdigit() else word


def _overview(bars: Markup | None, fixes: Markup | None) -> Markup | None:
    if bars is None and fixes is None:
        return None
    return tag("section", tag("h2", "Overview"), bars, fixes, id="overview")


def _side(title: str, side: Side, pulled: str | None) -> Markup:
    kind = {"image": "image", "list": "published list", "local": "environment"}[side.kind]
    terms = (
        ("Name", side.name),
        ("Python", side.python),
        ("System", side.operating_system),
        ("Platform", side.platform),
        ("Digest", side.digest or side.config_digest),
        ("Built" if side.kind == "image" else "Dated", side.dated),
        ("Pulled", pulled),
        ("Lock", side.lock),
    )
    rows = (tag("div", tag("dt", term), tag("dd", value)) for term, value in terms if value)
    return tag("div", tag("h2", f"{title}: {kind}"), tag("dl", *rows), class_="side")


def _fixes(found: Sequence[Finding]) -> Markup | None:
    commands = merged(one.fix for one in found if one.fix is not None and not one.is_harmless)
    if not commands:
        return None
    return tag("div", tag("h3", "What to do"), tag("ul", findings.fixes(commands)), class_="fixes")
