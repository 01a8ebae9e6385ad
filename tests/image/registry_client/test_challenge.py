"""The header ``WWW-Authenticate``, from the grammar's own examples to nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.image.registry.challenge import Challenge, parse_challenges


def parsed(*headers: str) -> list[tuple[str, dict[str, str]]]:
    return [(each.scheme, each.parameters) for each in parse_challenges(headers)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        # https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [("basic", {"realm": "simple"}), ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'})],
        ),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Negotiate YWJj==, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Basic", [("basic", {})]),
        (', ,Basic ,, realm = "a" ,\t,charset=UTF-8,', [("basic", {"realm": "a", "charset": "UTF-8"})]),
        (
            "BEARER Realm=https://auth/token,Service=a:b",
            [("bearer", {"realm": "https://auth/token", "service": "a:b"})],
        ),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        ('Bearer realm="a, Basic realm=b"', [("bearer", {"realm": "a, Basic realm=b"})]),
        ('Bearer realm=""', [("bearer", {"realm": ""})]),
        ('Bearer realm="no end', [("bearer", {})]),
        ('Bearer realm="a"service="b"', [("bearer", {})]),
        ("", []),
        ('"quoted"', []),
    ],
)
def test_a_header(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parsed(header) == expected


def test_several_headers() -> None:
    assert parsed("Basic realm=a", "Bearer realm=b") == [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=255), max_size=300), max_size=3))
def test_nonsense_is_never_an_error(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower() != ""


@given(st.text(alphabet='Basic=,"\\ \t', max_size=200))
def test_what_looks_like_it_is_never_an_error(header: str) -> None:
    parse_challenges([header])


_NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=12)
_VALUES = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
_CHALLENGES = st.builds(Challenge, scheme=_NAMES, parameters=st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4))


@given(st.lists(_CHALLENGES, min_size=1, max_size=4))
def test_what_is_written_is_read(challenges: list[Challenge]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{each.scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in each.parameters.items())
        for each in challenges
    )
    assert list(parse_challenges([header])) == challenges


def test_a_long_header_takes_no_longer_than_it_is_long() -> None:
    for header in (
        "a" * 60_000,
        "a=" * 30_000,
        "," * 60_000,
        'a="' * 20_000,
        "a " * 30_000,
        '"\\' * 30_000,
        "a\t" * 30_000,
    ):
        parse_challenges([header])
