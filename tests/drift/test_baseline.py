"""Known findings are not told again; a baseline that cannot be meant is an error."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envsync.drift.baseline import apply_baseline, parse_baseline
from envsync.drift.comparison import Comparison
from envsync.drift.finding import Finding
from envsync.errors import UsageError
from envsync.report.json import render
from tests.report.sides import finding, nothing

KNOWN = finding(), finding("libz.so.1"), finding("LANG", kind="environment-variable", scope="env")


def baseline(*findings: Finding, comparison: Comparison | None = None) -> bytes:
    return render(findings, comparison or nothing()).encode()


def named(reference: str) -> Comparison:
    comparison = nothing()
    return replace(comparison, expected=replace(comparison.expected, name=reference))


def test_only_new_findings_are_left() -> None:
    known = parse_baseline(baseline(*KNOWN), "known.json")
    now = (KNOWN[0], replace(KNOWN[1], impact="Other words.", fix=None, needed_by=()), finding("libm.so.6"))
    new, comparison = apply_baseline(now, nothing(), known)
    assert new == (now[2],)
    assert comparison.accepted is not None
    assert comparison.accepted.sentence == "2 findings accepted by known.json; 1 more that it knows is gone"
    assert json.loads(render(new, comparison))["accepted"] == 2


@pytest.mark.parametrize("change", [{"actual": "x"}, {"expected": "x"}, {"kind": "library-symbols"}, {"subject": "x"}])
def test_another_value_is_another_finding(change: dict[str, str]) -> None:
    now = replace(KNOWN[0], **change)
    assert apply_baseline([now], nothing(), parse_baseline(baseline(*KNOWN), "f"))[0] == (now,)


def test_what_was_not_compared_is_not_gone() -> None:
    _, comparison = apply_baseline((), nothing(), parse_baseline(baseline(*KNOWN), "f"), scopes=frozenset({"env"}))
    assert comparison.accepted is not None
    assert (comparison.accepted.count, comparison.accepted.gone) == (0, 1)
    assert comparison.accepted.sentence == "0 findings accepted by f; 1 more that it knows is gone"


def test_another_image() -> None:
    known = parse_baseline(baseline(comparison=named("acme/app:2\x1b")), "f")
    with pytest.raises(UsageError) as refused:
        apply_baseline((), nothing(), known)
    assert refused.value.message == r"f: of acme/app:2\x1b (expected acme/app:1, which A is)"
    assert refused.value.hint == "Write it anew, without --baseline: envsync diff --format json --output FILE"


def test_another_digest_of_the_same_image() -> None:
    known = parse_baseline(baseline(*KNOWN, comparison=named("acme/app@sha256:" + "1" * 64)), "f")
    assert apply_baseline(KNOWN, named("acme/app@sha256:" + "2" * 64), known)[0] == ()


def test_a_kind_of_a_later_version_does_no_harm() -> None:
    document = json.loads(baseline(*KNOWN))
    document["findings"].append({"kind": "new", "scope": "moon", "subject": "x", "more": [1]})
    new, comparison = apply_baseline(KNOWN, nothing(), parse_baseline(json.dumps(document).encode(), "f"))
    assert new == ()
    assert comparison.accepted is not None
    assert comparison.accepted.gone == 0


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "f: no report of envsync diff --format json: Input data was truncated"),
        (b"{}", "f: no report of envsync diff --format json: Object missing required field `schema`"),
        (b"\xff", "f: no report of envsync diff --format json: JSON is malformed: invalid character (byte 0)"),
        (b"[" * 100_000, "f: no report of envsync diff --format json: "),
        (b'{"schema": 2}', "f: schema 2 (expected 1)"),
        (b'{"schema": 1, "expected": {"name": 3}}', "f: no report of envsync diff --format json: Expected `str`, got"),
    ],
)
def test_damaged(data: bytes, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_baseline(data, "f")
    assert refused.value.message.startswith(text)


def test_one_that_was_written_with_a_baseline_lacks_what_that_had() -> None:
    new, comparison = apply_baseline(KNOWN, nothing(), parse_baseline(baseline(*KNOWN[:2]), "f"))
    with pytest.raises(UsageError, match="g: lacks the 2 findings that a baseline had accepted when it was written"):
        parse_baseline(render(new, comparison).encode(), "g")


@given(st.binary() | st.builds(lambda at: baseline(*KNOWN)[:at], st.integers(0, 2000)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        parse_baseline(data, "f")
