"""What a registry wants to see: the header ``WWW-Authenticate``.

https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token in the grammar's sense
_SCHEME = re.compile(rf"[ \t,]*({_TOKEN})(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
# Values that ought to be quoted and are not, such as URLs, are taken as they stand.
_PARAMETER = re.compile(rf'[ \t,]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))[ \t]*(?=,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Challenge(Struct, frozen=True, kw_only=True):
    """One way to log in."""

    scheme: str
    """In lower case: ``bearer``, ``basic``."""
    parameters: dict[str, str]
    """By name in lower case; the first of several."""


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all headers ``WWW-Authenticate`` of an answer; what follows a malformed part is left out."""
    return tuple(challenge for header in headers for challenge in _parse(header))


def _parse(header: str) -> Iterator[Challenge]:
    position = 0
    while found := _SCHEME.match(header, position):
        position = found.end()
        parameters: dict[str, str] = {}
        if lone := _TOKEN68.match(header, position):
            position = lone.end()
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = parameter.end()
        yield Challenge(scheme=found[1].lower(), parameters=parameters)
