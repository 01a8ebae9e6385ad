"""Moments in texts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.instants import parse_instant, rfc3339


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-07-16T10:20:30.123456789Z", "2019-07-16T10:20:30Z"),
        ("2019-07-16t10:20:30z", "2019-07-16T10:20:30Z"),
        ("2019-07-16 23:20:30-09:30", "2019-07-17T08:50:30Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_the_forms_that_are_in_use(text: str, expected: str) -> None:
    instant = parse_instant(text)
    assert instant is not None
    assert rfc3339(instant) == expected


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-1439, 1439))
def test_times_come_back(instant: datetime, minutes: int) -> None:
    there = instant.replace(microsecond=0, tzinfo=timezone.utc)
    elsewhere = there.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_instant(elsewhere.isoformat()) == there
    assert parse_instant(rfc3339(there)) == there


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,12}([Zz]|[+-][0-9]{2}:[0-9]{2})"))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    instant = parse_instant(text)
    assert instant is None or instant.tzinfo == timezone.utc
