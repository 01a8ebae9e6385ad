"""Versions of conda packages, and what match specs say of them: the part that virtual packages need.

https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html#package-match-specifications. A verdict
is ``True``, ``False``, or ``None`` where the spec or the version is not one that is understood here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})*")
_VERSION = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})*(?:\.?[a-z]{1,20}[0-9]{0,18})?")
_PART = re.compile(r"[0-9]+|[a-z]+")
_OPERATOR = re.compile(r"(>=|<=|==|!=|>|<|=|)([^<>=!~^$()\[\]]*)")
_UNORDERED = ("dev", "post")
"""conda sorts them in a way of their own."""

_BUILD = re.compile(r"[A-Za-z0-9_.+*]+")

Part = tuple[int, int, str]
_ZERO: Part = (1, 0, "")


def matches_version(spec: str, version: str) -> bool | None:
    """Whether ``version`` is one of ``>=2.17,<3.0.a0|4.*``: ``|`` binds less than ``,``."""
    return _any(_all(matches_one(one, version) for one in part.split(",")) for part in spec.split("|"))


def matches_build(spec: str, build: str) -> bool | None:
    """Whether a build string is ``spec``, where ``*`` is anything."""
    if not _BUILD.fullmatch(spec):
        return None
    return _has_shape(spec.split("*"), build)


def matches_one(spec: str, version: str) -> bool | None:
    """Whether ``version`` is one of ``>=2.17``, ``2.*`` or ``2.17``: a spec without ``,`` and ``|``."""
    if spec == "*":
        return True
    match = _OPERATOR.fullmatch(spec)
    if match is None:
        return None
    operator, wanted = match[1], match[2]
    prefix = wanted.removesuffix(".*")
    if operator in ("=", "", "!=") and (operator == "=" or prefix != wanted):
        begins = _begins_with(version, prefix)
        return (None if begins is None else not begins) if operator == "!=" else begins
    order = compare_versions(version, wanted)
    if order is None:
        return None
    match operator:
        case ">=":
            return order >= 0
        case ">":
            return order > 0
        case "<=":
            return order <= 0
        case "<":
            return order < 0
        case "!=":
            return order != 0
        case _:
            return order == 0


def compare_versions(one: str, other: str) -> int | None:
    """Negative, 0 or positive, as conda sorts versions; ``None`` where one of them is not understood."""
    left, right = _parts(one), _parts(other)
    if left is None or right is None:
        return None
    for mine, yours in zip_longest(left, right, fillvalue=[_ZERO]):
        for a, b in zip_longest(mine, yours, fillvalue=_ZERO):
            if a != b:
                return -1 if a < b else 1
    return 0


def _parts(version: str) -> list[list[Part]] | None:
    if not _VERSION.fullmatch(version) or any(word in version for word in _UNORDERED):
        return None
    return [list(_split(component)) for component in version.split(".")]


def _split(component: str) -> Iterator[Part]:
    """Letters sort before numbers, and every component begins with a number."""
    if not component[0].isdigit():
        yield _ZERO
    for text in _PART.findall(component):
        yield (1, int(text), "") if text[0].isdigit() else (0, 0, text)


def _begins_with(version: str, prefix: str) -> bool | None:
    if not _NUMBER.fullmatch(version) or not _NUMBER.fullmatch(prefix):
        return None
    mine, wanted = [[int(part) for part in text.split(".")] for text in (version, prefix)]
    if any(a != b for a, b in zip(mine, wanted, strict=False)):
        return False
    # Whether 2 is a 2.0.0.* the clients do not agree on.
    return True if len(mine) >= len(wanted) else None


def _has_shape(texts: list[str], build: str) -> bool:
    """Whether ``build`` holds ``texts`` in their order, the first at its beginning and the last at its end.

    Each is taken where it comes first, so that no pattern takes more than linear time.
    """
    if len(texts) == 1:
        return build == texts[0]
    first, *middle, last = texts
    if len(build) < len(first) + len(last) or not build.startswith(first) or not build.endswith(last):
        return False
    place, end = len(first), len(build) - len(last)
    for text in middle:
        found = build.find(text, place, end)
        if found < 0:
            return False
        place = found + len(text)
    return True


def _all(verdicts: Iterator[bool | None]) -> bool | None:
    told = tuple(verdicts)
    return False if False in told else None if None in told else True


def _any(verdicts: Iterator[bool | None]) -> bool | None:
    told = tuple(verdicts)
    return True if True in told else None if None in told else False
