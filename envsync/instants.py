"""Moments, as RFC 3339 writes them: https://www.rfc-editor.org/rfc/rfc3339."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_INSTANT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,12})?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def parse_instant(text: str) -> datetime | None:
    """A time in UTC and whole seconds; ``None`` where it is none."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    try:
        return datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def rfc3339(instant: datetime) -> str:
    """``2019-07-16T12:00:00Z``."""
    return f"{instant.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None).isoformat()}Z"
