"""For a pull request: what an image says is text there, whatever it is; and never more than fits."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from envsync.drift.comparison import Accepted
from envsync.drift.finding import NotCompared
from envsync.exact.fidelity import Fidelity, Verdict
from envsync.redaction import printable
from envsync.report.markdown import LIMIT, code, prose, render
from tests.drift.sides import image, local
from tests.factory import distribution
from tests.report.sides import HOSTILE, compared, finding, hostile, nothing

GOLDEN = Path(__file__).parent / "golden/report.md"
MARKDOWN = MarkdownIt("commonmark").enable("table")
CELLS = re.compile(r"<td>(.*?)</td>", re.DOTALL)


def test_golden() -> None:
    """Set ENVSYNC_UPDATE_GOLDEN=1 to write it anew."""
    expected = image(distribution("six", "1.16"), distribution("numpy"), distribution("idna"))
    also = (
        finding(),
        finding("libz.so.1", needed_by=("pillow",), impact="Importing pillow fails.", fix="Use another system."),
        finding("bash", kind="os-package-version", severity="note", verdict="harmless"),
    )
    findings, comparison = compared(expected, local(distribution("idna")), *also)
    fidelity = Fidelity(verdicts=(Verdict(name="six", version="1", grade="missing"),))
    comparison = replace(
        comparison,
        accepted=Accepted(baseline="base_line.json", count=1, gone=0),
        not_compared=(NotCompared(subject="DB_TOKEN", reason="withheld"),),
    )
    told = render(findings, comparison, fidelity)
    if os.environ.get("ENVSYNC_UPDATE_GOLDEN"):
        GOLDEN.write_text(told, encoding="utf-8")
    assert told == GOLDEN.read_text(encoding="utf-8")


def test_nothing_to_tell() -> None:
    assert render((), nothing()).startswith("## envsync: no drift, 1 of 1 distributions identical\n")


@given(st.text(max_size=60))
@example("@a#1 www.x.org https://x.org")
def test_any_text_stays_one_cell(text: str) -> None:
    page = MARKDOWN.render(f"| a | b | c |\n| --- | --- | --- |\n| {code(text)} | {prose(text)} | end |\n")
    cells = [unescape(re.sub(r"</?code>", "", cell)) for cell in CELLS.findall(page)]
    assert "<a" not in page
    assert [words(cell) for cell in cells] == [words(printable(text)), words(printable(text)), "end"]


def words(text: str) -> str:
    return " ".join(text.replace("\u200b", "").split())


def test_hostile_texts() -> None:
    told = render(hostile(), nothing())
    page = MARKDOWN.render(told)
    assert "<script" not in page
    assert set(re.findall(r"</?([a-z0-9]+)", page)) <= {
        *("h2", "ul", "li", "p", "pre", "code", "details", "summary", "b"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert len(CELLS.findall(page)) == 5 * len(HOSTILE)
    assert all(line.isprintable() for line in told.split("\n"))
    assert not re.search(r"[@#]\w", re.sub(r"(?s)<code>.*?</code>|&#\d+;|`{3,}.*`{3,}", "", told))


def test_commands_stay_in_their_block() -> None:
    told = render([finding(fix="apt-get install ```"), finding("x", fix="apk add a\n```")], nothing())
    assert "\n````sh\napt-get install ```\napk add a\\n```\n````\n" in told


def test_no_more_than_fits() -> None:
    long = "&" * 300
    many = [finding(f"{number}{long}", expected=long, actual=long, fix=f"f {number} {long}") for number in range(500)]
    comparison = replace(nothing(), not_compared=(NotCompared(subject=long, reason=long),) * 50)
    told = render(many, comparison)
    assert LIMIT / 2 < len(told) <= LIMIT
    listed = told.count("\n| <code>")
    assert f"\nFindings left out: {500 - listed} for want of room (`envsync diff --all` shows them).\n" in told
    assert "more commands are left out here." in told
    assert "\n- … and 40 more\n" in told
