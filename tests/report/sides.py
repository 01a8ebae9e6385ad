"""Comparisons, for tests of reports of them."""

from __future__ import annotations

from envsync.drift.compare import compare
from envsync.drift.comparison import Comparison, describe_comparison
from envsync.drift.finding import Finding, ranked
from envsync.model import Snapshot
from tests.drift.sides import image, local
from tests.factory import distribution

HOSTILE = (
    "<script>alert(1)</script>",
    "a%0A::error::b",
    "\n::error file=x::y",
    "##[error]z",
    "a|b",
    "a\\|b",
    "``` `x` ```",
    "@admin #1 GH-1",
    "[here](https://example.org) ![x](y) www.example.org",
    "\x1b[31mred\u202e",
    "</code></details><b>**_~~:tada:~~_**",
    "&lt;&#60;",
    "\udcff",
    "",
    " ",
)


def compared(expected: Snapshot, actual: Snapshot, *more: Finding) -> tuple[tuple[Finding, ...], Comparison]:
    findings = ranked((*compare(expected, actual), *more))
    return findings, describe_comparison(expected, actual, findings)


def nothing() -> Comparison:
    return compared(image(distribution("six")), local(distribution("six")))[1]


def finding(subject: str = "libgomp.so.1", **fields: object) -> Finding:
    values = {
        "kind": "library-missing",
        "scope": "os",
        "severity": "error",
        "verdict": "breaks",
        "expected": "libgomp1 12.2.0-14",
        "impact": "Importing lightgbm fails.",
        "fix": "apt-get install libgomp1",
        "needed_by": ("lightgbm", "xgboost"),
        "package": "libgomp1",
        **fields,
    }
    return Finding(subject=subject, **values)


def hostile() -> tuple[Finding, ...]:
    """Findings in which every text is what an image might say to harm whoever reads it."""
    return tuple(
        finding(text, expected=text, actual=text, impact=text, fix=f"apt-get {text}", needed_by=(text,), package=text)
        for text in HOSTILE
    )
