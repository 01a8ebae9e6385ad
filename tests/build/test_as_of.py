"""The date of an image, and that of ``--as-of``."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.as_of import as_of, parse_as_of
from envsync.errors import UsageError
from tests.build.making import lock
from tests.factory import snapshot, source

NOW = datetime(2024, 5, 1, 12, 30, tzinfo=timezone.utc)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("created", "uploaded", "expected"),
    [
        ("2019-07-16T10:20:30.123456789Z", (), utc(2019, 7, 16, 10, 20, 30)),
        ("2019-07-16T10:20:30+09:00", (), utc(2019, 7, 16, 1, 20, 30)),
        ("2019-07-16T10:20:30Z", ("2020-03-04T01:54:52.484000Z", "2011-01-01T00:00:00Z"), utc(2020, 3, 4, 1, 54, 52)),
        # what builds that are the same each time stamp, and clocks that are wrong
        ("1970-01-01T00:00:00Z", (), None),
        ("1980-01-01T00:00:01Z", ("2020-01-01T00:00:00Z",), utc(2020, 1, 1)),
        ("2031-01-01T00:00:00Z", (), None),
        ("yesterday", ("never", "2020-02-30T00:00:00Z"), None),
        (None, (), None),
    ],
)
def test_the_newest_of_what_an_image_tells(
    created: str | None, uploaded: tuple[str, ...], expected: datetime | None
) -> None:
    image = msgspec.structs.replace(snapshot(), source=msgspec.structs.replace(source(), created=created))
    assert as_of(image, uploaded, now=NOW) == expected


def test_of_a_published_list_only_its_files_tell() -> None:
    assert as_of(lock("six==1.16.0"), now=NOW) is None
    assert as_of(lock("six==1.16.0"), ("2021-05-05T14:18:17.237000Z",), now=NOW) == utc(2021, 5, 5, 14, 18, 17)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-07-16", utc(2019, 7, 17)),
        ("2019-07-16T12:00:00Z", utc(2019, 7, 16, 12)),
        ("2019-07-16 12:00:00+02:00", utc(2019, 7, 16, 10)),
        ("2000-01-01", utc(2000, 1, 2)),
        ("2024-05-01", NOW),
    ],
)
def test_a_date_or_time_of_the_user(text: str, expected: datetime) -> None:
    assert parse_as_of(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("16.7.2019", "no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)"),
        ("2019-02-30", "no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)"),
        ("2019-07-16T12:00:00", "no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)"),
        ("9999-12-31", "no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)"),
        ("", "no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)"),
        ("2024-05-02", "lies in the future (expected when the image was made)"),
        ("2024-05-01T12:31:00Z", "lies in the future (expected when the image was made)"),
        ("9998-01-01", "lies in the future (expected when the image was made)"),
        ("1999-12-30", "is before 2000 (expected when the image was made)"),
    ],
)
def test_what_is_no_date_to_build_as_of(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_as_of(text, now=NOW)
    assert caught.value.message == f"--as-of {text}: {problem}"


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9:.]{8,12}([Zz]|[+-][0-9]{2}:[0-9]{2}))?"))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert utc(2000, 1, 1) <= parse_as_of(text, now=NOW) <= NOW
