"""Stanzas, against the plainest way to read them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.bounds import Notes
from envsync.catalog.stanzas import MOST, stanzas
from envsync.model import Skipped

FIELD = re.compile(rb"^(Package|V)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
PIECES = [b"Package: a", b"package:b", b"V:1", b" V:2", b"", b" \t", b"\r", b":", b"V :\xff", b"x"]
DATABASES = st.lists(st.sampled_from(PIECES)).map(b"\n".join)


def read(data: bytes) -> list[dict[str, str]]:
    notes = Notes("it", "/it")
    found = list(stanzas(data, FIELD, notes))
    assert notes.all() == ()
    return found


def test_the_first_of_several_counts_and_blank_lines_separate() -> None:
    data = b"\n\nPackage: a\nV:1\nv: 2\n continued\n \t\r\nPackage:\n\n\n \nother\n"
    assert read(data) == [{"package": "a", "v": "1"}, {"package": ""}, {}]


@given(DATABASES)
def test_stanzas_are_what_splitting_at_blank_lines_gives(data: bytes) -> None:
    expected = []
    for stanza in re.split(rb"\n[ \t\r]*(?:\n|\Z)", data):
        if stanza.strip():
            fields: dict[str, str] = {}
            for key, value in FIELD.findall(stanza):
                fields.setdefault(key.decode().lower(), value.decode("utf-8", "replace").strip())
            expected.append(fields)
    assert read(data) == expected


def test_a_value_longer_than_any_honest_one_is_none() -> None:
    assert read(b"Package: " + b"a" * 499 + b"\nV: " + b"1" * 500) == [{"package": "a" * 499, "v": ""}]


def test_more_stanzas_than_any_system_has_are_not_read() -> None:
    notes = Notes("it", "/it")
    assert sum(1 for _ in stanzas(b"x\n\n" * (MOST + 1), FIELD, notes)) == MOST
    reason = "more than 200000 stanzas: the others are not read"
    assert notes.all() == (Skipped(subject="it", place="/it", reason=reason),)
