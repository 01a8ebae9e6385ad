"""``envsync diff --format sarif``, for code scanning: one run, a rule for each kind of finding.

Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. What GitHub takes of it:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import msgspec

from envsync import __version__
from envsync.drift.comparison import Comparison
from envsync.drift.finding import Finding, Kind
from envsync.exact.fidelity import Fidelity
from envsync.model import Snapshot
from envsync.redaction import printable
from envsync.report.places import Places
from envsync.report.rules import MEANINGS
from envsync.report.text import TITLES

RESULTS = 5_000
"""GitHub keeps no more of a run, and refuses one of more than 25,000."""


def render(
    findings: Sequence[Finding],
    comparison: Comparison,
    fidelity: Fidelity | None,
    expected: Snapshot,
    *,
    lock: PurePosixPath | None = None,
) -> str:
    """The findings as a SARIF log: the same bytes for the same input.

    Args:
        findings: most important first.
        comparison: what was compared with what.
        fidelity: how the files compare with those of the image.
        expected: the side that is right.
        lock: its directory, relative to the repository.
    """
    told = findings[:RESULTS]
    rules = list(dict.fromkeys(finding.kind for finding in told))
    run = {
        "tool": {"driver": {"name": "envsync", "version": __version__, "rules": [_rule(kind) for kind in rules]}},
        "automationDetails": {"id": f"envsync/{_text(comparison.expected.name)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": text}}
                    for text in _notes(comparison, fidelity, len(findings) - len(told))
                ],
            }
        ],
        "results": list(_results(told, rules, Places(expected, lock))),
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _rule(kind: Kind) -> dict[str, Any]:
    single, _ = TITLES[kind]
    return {
        "id": kind,
        "name": "".join(word.capitalize() for word in kind.split("-")),
        "shortDescription": {"text": single[0].upper() + single[1:]},
        "fullDescription": {"text": MEANINGS[kind]},
        "help": {"text": MEANINGS[kind]},
        "properties": {"tags": ["environment"], "precision": "high"},
    }


def _notes(comparison: Comparison, fidelity: Fidelity | None, left_out: int) -> Iterator[str]:
    if fidelity is not None:
        yield f"fidelity: {fidelity.count('identical')} of {len(fidelity.verdicts)} byte-identical"
    if comparison.accepted is not None:
        yield _text(comparison.accepted.sentence)
    if left_out:
        yield f"{left_out} less important findings are left out: a run has at most {RESULTS}"
    for note in comparison.not_compared:
        yield _text(f"not compared: {note.subject}: {note.reason}")


def _results(findings: Sequence[Finding], rules: list[Kind], places: Places) -> Iterator[dict[str, Any]]:
    index = {kind: number for number, kind in enumerate(rules)}
    seen: Counter[str] = Counter()
    for finding in findings:
        place = places.of(finding)
        is_harmless = finding.is_harmless
        known_by = fingerprint(finding)
        seen[known_by] += 1
        known_by = f"{known_by}:{seen[known_by]}"
        yield {
            "ruleId": finding.kind,
            "ruleIndex": index[finding.kind],
            **({"kind": "informational", "level": "none"} if is_harmless else {"level": finding.severity}),
            "message": {"text": _message(finding)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(os.fsencode(place.file))},
                        "region": {"startLine": place.line},
                    },
                    "logicalLocations": [{"fullyQualifiedName": _text(finding.subject)}],
                }
            ],
            # GitHub goes by the first one, and would else hash the line, which several findings may share.
            "partialFingerprints": {"primaryLocationLineHash": known_by, "envsyncFinding/v1": known_by},
            "properties": _properties(finding),
        }


def fingerprint(finding: Finding) -> str:
    """What makes it the same finding tomorrow: its kind, its subject and what is expected of that."""
    identity = msgspec.json.encode([finding.kind, printable(finding.subject), printable(finding.expected or "")])
    return hashlib.sha256(identity).hexdigest()[:32]


def _message(finding: Finding) -> str:
    single, _ = TITLES[finding.kind]
    sides = " -> ".join(value for value in (finding.expected, finding.actual) if value)
    lines = [f"{finding.subject}: {single}{f' ({sides})' if sides else ''}. {finding.impact}"]
    if finding.needed_by:
        lines.append(f"Needed by {', '.join(finding.needed_by)}.")
    if finding.fix is not None:
        lines.append(finding.fix if finding.fix[:1].isupper() else f"Fix: {finding.fix}")
    return "\n".join(map(_text, lines))


def _properties(finding: Finding) -> dict[str, Any]:
    values = {
        "scope": finding.scope,
        "verdict": finding.verdict,
        "expected": finding.expected,
        "actual": finding.actual,
        "package": finding.package,
        "fix": finding.fix,
    }
    properties: dict[str, Any] = {name: printable(value) for name, value in values.items() if value is not None}
    if finding.needed_by:
        properties["neededBy"] = [printable(name) for name in finding.needed_by]
    return properties


def _text(text: str) -> str:
    """Text for a message, in which ``[text](target)`` would be a link."""
    return printable(text).replace("](", "] (")
