from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envsync.redaction import printable
from envsync.report.html.markup import Markup, count, isolated, said, tag, text
from tests.report.html.parsed import Parsed


def test_what_is_no_markup_is_escaped() -> None:
    assert (
        tag("p", "<b>", Markup("<br>"), title='"&', class_="x") == '<p title="&quot;&amp;" class="x">&lt;b&gt;<br></p>'
    )


def test_attributes_may_be_absent_or_without_a_value() -> None:
    assert tag("input", type="search", hidden=True, id=None, disabled=False) == '<input type="search" hidden>'


def test_what_does_not_print_becomes_an_escape() -> None:
    assert tag("p", "a\u202eb\n") == r"<p>a\u202eb\n</p>"


def test_only_what_may_be_large_is_bounded() -> None:
    assert isolated("numpy") == "<bdi>numpy</bdi>"
    assert isolated("Z\u0351") == '<bdi class="long">Z\u0351</bdi>'
    assert said("x" * 81) == f'<span class="long">{"x" * 81}</span>'


def test_of_what_is_endless_the_beginning_is_kept() -> None:
    assert text("x" * 10_000) == "x" * 2_000 + "… (10,000 characters)"


def test_counts() -> None:
    assert [count(1, "need"), count(1200, "need"), count(2, "is", "are")] == ["1 need", "1,200 needs", "2 are"]


@given(st.text(max_size=60))
def test_a_parser_finds_the_text_and_nothing_else(value: str) -> None:
    parsed = Parsed(tag("p", value, title=value))
    assert parsed.elements == [("p", {"title": printable(value)})]
    assert "".join(parsed.texts) == printable(value)
