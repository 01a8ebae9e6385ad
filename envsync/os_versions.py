"""Which of two versions of an OS package is the later, by the rules of the system that it is from.

dpkg: deb-version(7); rpm: https://rpm-software-management.github.io/rpm/manual/dependencies.html#versioning;
pacman: vercmp(8); apk: apk-package(5); Homebrew: https://docs.brew.sh/Versions, and its ``version.rb``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

LESS, EQUAL, GREATER = -1, 0, 1


def compare_versions(manager: str, one: str, other: str) -> int:
    """Below 0 where ``one`` is the earlier, 0 where they are the same, above 0 where it is the later.

    Args:
        manager: of :class:`envsync.model.OsPackage`; of one that is not known, equal texts are the same, and no more.
        one: a version of a package, any text.
        other: another one.
    """
    compare = _BY_MANAGER.get(manager)
    return compare(one, other) if compare is not None else _order(one, other)


def _order(one: str, other: str) -> int:
    return (one > other) - (one < other)


def _number(digits: str) -> tuple[int, str]:
    """A key that orders numbers of any length, which :class:`int` refuses."""
    plain = digits.lstrip("0")
    return len(plain), plain


def _numbers(one: str, other: str) -> int:
    first, second = _number(one), _number(other)
    return (first > second) - (first < second)


def _epoch(version: str) -> tuple[str, str]:
    """The epoch, 0 where there is none, and the rest."""
    epoch, colon, rest = version.partition(":")
    return (epoch, rest) if colon and re.fullmatch(r"[0-9]*", epoch) else ("0", version)


# --- dpkg ---------------------------------------------------------------------------------------------

_DPKG_PART = re.compile(r"([^0-9]*)([0-9]*)")


def _dpkg(one: str, other: str) -> int:
    (first, one), (second, other) = _epoch(one), _epoch(other)
    (one, revision), (other, revision_of_other) = _at_last_dash(one), _at_last_dash(other)
    return _numbers(first, second) or _dpkg_part(one, other) or _dpkg_part(revision, revision_of_other)


def _at_last_dash(version: str) -> tuple[str, str]:
    upstream, dash, revision = version.rpartition("-")
    return (upstream, revision) if dash else (version, "")


def _dpkg_part(one: str, other: str) -> int:
    parts = zip_longest(_DPKG_PART.findall(one), _DPKG_PART.findall(other), fillvalue=("", ""))
    for (text, digits), (text_of_other, digits_of_other) in parts:
        # A text is followed by its end, which is more than a tilde and less than anything else.
        first, second = ([*map(_dpkg_rank, each), 0] for each in (text, text_of_other))
        found = (first > second) - (first < second) or _numbers(digits, digits_of_other)
        if found:
            return found
    return EQUAL


def _dpkg_rank(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) + (0 if character.isascii() and character.isalpha() else 0x110000)


# --- rpm ----------------------------------------------------------------------------------------------

_RPM_PART = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
_TILDE, _END, _CARET, _LETTERS, _DIGITS = range(5)


def _rpm(one: str, other: str) -> int:
    (first, one), (second, other) = _epoch(one), _epoch(other)
    (one, release), (other, release_of_other) = _at_last_dash(one), _at_last_dash(other)
    return _numbers(first, second) or _rpm_part(one, other) or _rpm_part(release, release_of_other)


def _rpm_part(one: str, other: str) -> int:
    first, second = (list(map(_rpm_rank, [*_RPM_PART.findall(each), ""])) for each in (one, other))
    return (first > second) - (first < second)


def _rpm_rank(part: str) -> tuple[int, tuple[int, str]]:
    """Parts in their order: a tilde, the end, a caret, letters, digits."""
    if part.isdigit():
        return _DIGITS, _number(part)
    kind = {"~": _TILDE, "": _END, "^": _CARET}.get(part, _LETTERS)
    return kind, (0, part)


# --- pacman -------------------------------------------------------------------------------------------

_PACMAN_PART = re.compile(r"([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+|\Z)")


def _pacman(one: str, other: str) -> int:
    (first, one), (second, other) = _epoch(one), _epoch(other)
    (one, release), (other, release_of_other) = _at_last_dash(one), _at_last_dash(other)
    found = _numbers(first, second) or _pacman_part(one, other)
    return found or (_pacman_part(release, release_of_other) if release and release_of_other else EQUAL)


def _pacman_part(one: str, other: str) -> int:
    """As rpm did it in 2008, but a part after another number of separators is the later one."""
    first, second = _PACMAN_PART.findall(one), _PACMAN_PART.findall(other)
    for (separator, part), (separator_of_other, part_of_other) in zip(first, second, strict=False):
        if not part or not part_of_other:
            return _pacman_rest((separator, part), (separator_of_other, part_of_other))
        if len(separator) != len(separator_of_other):
            return _sign(len(separator) - len(separator_of_other))
        if part.isdigit() != part_of_other.isdigit():
            return GREATER if part.isdigit() else LESS
        found = _numbers(part, part_of_other) if part.isdigit() else _order(part, part_of_other)
        if found:
            return found
    return EQUAL


def _pacman_rest(one: tuple[str, str], other: tuple[str, str]) -> int:
    """Where a side has ended: letters at once are less than the end, anything else is more."""
    both = any(one) and any(other)  # then separators were passed over before one ended
    ranks = [_pacman_rank("" if both else separator, part) for separator, part in (one, other)]
    return _sign(ranks[0] - ranks[1])


def _pacman_rank(separator: str, part: str) -> int:
    return LESS if part.isalpha() and not separator else int(bool(separator or part))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


# --- apk ----------------------------------------------------------------------------------------------

_DIGITS_AT_START = re.compile(r"[0-9]+")
_APK_PART = re.compile(
    r"\.(?P<number>[0-9]+)|(?P<letter>[a-z])"
    r"|_(?P<suffix>alpha|beta|pre|rc|cvs|svn|git|hg|p)(?P<of_suffix>[0-9]*)|~(?P<hash>[0-9a-f]+)|-r(?P<revision>[0-9]+)"
)
_APK_SUFFIXES = ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p")
_BEFORE, _INVALID, _APK_END, _REVISION, _HASH, _OF_SUFFIX, _SUFFIX, _LETTER, _NUMBER, _FIRST = range(10)
"""Kinds of parts in their order: first what comes before the version itself, ``_rc``; then the later its place is."""

_ApkPart = tuple[int, tuple[int, str]]


def _apk(one: str, other: str) -> int:
    first, second = _apk_parts(one), _apk_parts(other)
    return (first > second) - (first < second)


def _apk_parts(version: str) -> list[_ApkPart]:
    first = _DIGITS_AT_START.match(version)
    at = first.end() if first else 0
    parts: list[_ApkPart] = [(_FIRST, _number(version[:at]))]
    while at < len(version):
        match = _APK_PART.match(version, at)
        if match is None:
            return [*parts, (_INVALID, (0, ""))]
        parts += _apk_part(match)
        at = match.end()
    return [*parts, (_APK_END, (0, ""))]


def _apk_part(match: re.Match[str]) -> list[_ApkPart]:
    kind, text = match.lastgroup, match[match.lastgroup or 0]
    if kind == "number":
        # As behind a decimal point, where one begins with a zero.
        return [(_NUMBER, (0, text) if text.startswith("0") else _number(text))]
    if kind == "of_suffix":
        place = _APK_SUFFIXES.index(match["suffix"])
        before = place < _APK_SUFFIXES.index("")
        return [(_BEFORE if before else _SUFFIX, (place, "")), *([(_OF_SUFFIX, _number(text))] if text else [])]
    if kind == "revision":
        return [(_REVISION, _number(text))]
    return [(_HASH if kind == "hash" else _LETTER, (0, text))]


# --- Homebrew -----------------------------------------------------------------------------------------

_BREW = re.compile(r"(.+?)(?:_([0-9]+))?")
_BREW_PART = re.compile(
    r"(?P<alpha>alpha[0-9]*|a[0-9]+)|(?P<beta>beta[0-9]*|b[0-9]+)|(?P<pre>pre[0-9]*)|(?P<rc>rc[0-9]*)"
    r"|(?P<patch>p[0-9]*)|(?P<post>.post[0-9]+)|(?P<number>[0-9]+)|(?P<text>[a-z]+)",
    re.IGNORECASE | re.ASCII,
)
_NOT_DIGITS = re.compile(r"[^0-9]+")
_HEAD = re.compile(r"HEAD(?:-.*)?", re.DOTALL)
_BREW_RANKS = {"alpha": 0, "beta": 1, "pre": 2, "rc": 3, "patch": 4, "post": 4}
_BEFORE_NOTHING = ("alpha", "beta", "pre", "rc")
_NOTHING = ("nothing", "")


def _brew(one: str, other: str) -> int:
    first, second = (_BREW.fullmatch(version) for version in (one, other))
    if first is None or second is None:
        return _order(one, other)
    return _brew_version(first[1], second[1]) or _numbers(first[2] or "", second[2] or "")


def _brew_version(one: str, other: str) -> int:
    heads = [bool(_HEAD.fullmatch(version)) for version in (one, other)]
    if any(heads):
        return heads[0] - heads[1]
    parts, others = (
        [(match.lastgroup or "", match[0]) for match in _BREW_PART.finditer(each)] for each in (one, other)
    )
    at = at_other = 0
    while at < len(parts) or at_other < len(others):
        left, right = _brew_at(parts, at), _brew_at(others, at_other)
        found = _brew_part(left, right)
        number, number_of_other = left[0] == "number", right[0] == "number"
        if not found or number == number_of_other:
            step = step_of_other = True
        else:
            # A zero that only one side has is passed over: 1.0-beta is 1-beta.
            found = _brew_part(left, _NOTHING) if number else _brew_part(_NOTHING, right)
            step, step_of_other = number, number_of_other
        if found:
            return found
        at += step
        at_other += step_of_other
    return EQUAL


def _brew_at(parts: Sequence[tuple[str, str]], place: int) -> tuple[str, str]:
    return parts[place] if place < len(parts) else _NOTHING


def _brew_part(one: tuple[str, str], other: tuple[str, str]) -> int:
    (kind, text), (kind_of_other, text_of_other) = one, other
    if kind == kind_of_other == "number":
        return _numbers(text, text_of_other)
    if _NOTHING in (one, other):
        return _brew_nothing(other) if one == _NOTHING else -_brew_nothing(one)
    if "number" in (kind, kind_of_other):
        return GREATER if kind == "number" else LESS
    if kind in _BREW_RANKS and kind_of_other in _BREW_RANKS:
        if kind == kind_of_other:
            return _numbers(_NOT_DIGITS.sub("", text), _NOT_DIGITS.sub("", text_of_other))
        if _BREW_RANKS[kind] != _BREW_RANKS[kind_of_other]:
            return _sign(_BREW_RANKS[kind] - _BREW_RANKS[kind_of_other])
    return _order(text, text_of_other)


def _brew_nothing(other: tuple[str, str]) -> int:
    """How nothing compares to a part."""
    kind, text = other
    if other == _NOTHING or (kind == "number" and not text.strip("0")):
        return EQUAL
    return GREATER if kind in _BEFORE_NOTHING else LESS


_BY_MANAGER = {"dpkg": _dpkg, "rpm": _rpm, "pacman": _pacman, "apk": _apk, "brew": _brew}
