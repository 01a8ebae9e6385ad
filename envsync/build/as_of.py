"""The date of an image, as of which its sdists are built anew. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone

from envsync.errors import UsageError
from envsync.instants import parse_instant
from envsync.model import ImageSource, Snapshot
from envsync.redaction import printable

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NOT_BEFORE = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""No index had anything then; what builds that are the same each time stamp (1970, 1980) is older too."""


def as_of(snapshot: Snapshot, uploaded: Iterable[str] = (), *, now: datetime | None = None) -> datetime | None:
    """When the image was made, in UTC: the newest of what it says and of when its files were uploaded.

    Args:
        snapshot: of an image, or of a published list, which says nothing of its date itself.
        uploaded: upload times (PEP 700) of files of the index that the image is known to have.
        now: what is later is not believed; ``None``: the present.
    """
    texts = [*uploaded]
    if isinstance(snapshot.source, ImageSource) and snapshot.source.created is not None:
        texts.append(snapshot.source.created)
    limit = now or datetime.now(timezone.utc)
    found = (parse_instant(text) for text in texts)
    return max((one for one in found if one is not None and _NOT_BEFORE <= one <= limit), default=None)


def parse_as_of(text: str, *, now: datetime | None = None) -> datetime:
    """The argument of ``--as-of``; a date without a time means all of that day, in UTC.

    Raises:
        UsageError: it is none, in the future, or before there was anything on an index.
    """
    limit = now or datetime.now(timezone.utc)
    shown = printable(text[:100])
    if _DATE.fullmatch(text):
        found = _day(text)
        end = None if found is None else datetime.combine(found, time(), timezone.utc) + timedelta(days=1)
        instant = end if end is None or end.date() > limit.date() + timedelta(days=1) else min(end, limit)
    else:
        instant = parse_instant(text)
    if instant is None:
        raise UsageError(f"--as-of {shown}: no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)")
    if instant > limit:
        raise UsageError(f"--as-of {shown}: lies in the future (expected when the image was made)")
    if instant < _NOT_BEFORE:
        raise UsageError(f"--as-of {shown}: is before 2000 (expected when the image was made)")
    return instant


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found < date.max else None
