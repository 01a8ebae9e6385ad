from __future__ import annotations

import email
import re

from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.metadata import only_headers, parse_entry_points, parse_headers
from envsync.model import EntryPoint

WANTED = ("name", "requires-dist")
PIECES = st.sampled_from(
    ["Name: a", "NAME:b ", "Requires-Dist:  x; y", " folded", "\tfolded", "", "From me", ":", "Na me: c", "no header"]
)
HEADERS = st.lists(st.tuples(PIECES, st.sampled_from(["\n", "\r\n", "\r"]))).map(
    lambda lines: "".join(line + end for line, end in lines)
)


def test_fields_repeat_fold_and_ignore_case() -> None:
    data = b"NAME: a.b\r\nRequires-Dist: c\r\nrequires-dist: d;\r\n  python_version>'3'\r\n\r\nName: no"
    assert parse_headers(data, WANTED) == {
        "name": ["a.b"],
        "requires-dist": ["c", "d;\n  python_version>'3'"],
    }


def test_bytes_that_are_not_utf8_stay_where_they_are() -> None:
    assert parse_headers(b"Author: J\xfcrgen\nName: a\n", WANTED) == {"name": ["a"]}


@given(HEADERS)
def test_fields_are_those_that_the_email_parser_finds(text: str) -> None:
    message = email.message_from_string(text)
    found = parse_headers(text.encode(), WANTED)
    for field in WANTED:
        expected = [re.sub(r"\r\n?", "\n", value).strip() for value in message.get_all(field, [])]
        assert [value.strip() for value in found.get(field, [])] == expected


@given(st.binary())
def test_any_bytes_give_fields(data: bytes) -> None:
    assert set(parse_headers(data, WANTED)) <= set(WANTED)


@given(HEADERS, st.binary())
def test_headers_alone_say_the_same(text: str, body: bytes) -> None:
    data = text.encode() + body
    assert parse_headers(only_headers(data), WANTED) == parse_headers(data, WANTED)
    assert bool(only_headers(data)) == bool(data)


def test_the_description_is_no_header() -> None:
    assert only_headers(b"Name: a\r\n\r\nhello\n\n") == b"Name: a\r\n\r\n"
    assert only_headers(b"Name: a") == b"Name: a"


def test_a_long_folded_field_takes_linear_time() -> None:
    data = b"Name: a\n" + b" \n" * 500_000
    assert len(parse_headers(data, WANTED)["name"][0]) == 1_000_001


def test_entry_points_have_group_name_and_value() -> None:
    data = b"stray = x:y\n[console_scripts]\n# comment\n; comment\nrun = a.b:main [extra]\nbroken\n\n[g]\nk=v\n"
    assert parse_entry_points(data) == (
        EntryPoint(group="console_scripts", name="run", value="a.b:main [extra]"),
        EntryPoint(group="g", name="k", value="v"),
    )


@given(st.binary())
def test_any_bytes_give_entry_points(data: bytes) -> None:
    for point in parse_entry_points(data):
        assert point.group
        assert point.name
        assert point.value
