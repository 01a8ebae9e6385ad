"""Drift of the interpreter itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsync.drift import fixes
from envsync.drift.finding import Finding, Kind, Severity
from envsync.model import ListSource, Snapshot

_ABI = re.compile(r"cp[0-9]+([a-z]*)")


def compare_interpreters(expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    """Version, implementation and ABI. An ABI that differs only with the version is not told again."""

    def finding(kind: Kind, severity: Severity, values: tuple[str, str], impact: str) -> Finding:
        fix = fixes.install_interpreter(expected, actual)
        return Finding(
            kind=kind,
            scope="python",
            severity=severity,
            subject="python",
            expected=values[0],
            actual=values[1],
            impact=impact,
            fix=fix,
        )

    ours, theirs = expected.python, actual.python
    vague = isinstance(expected.source, ListSource) or isinstance(actual.source, ListSource)
    same_minor = _minor(ours.version) == _minor(theirs.version)
    if ours.implementation != theirs.implementation:
        impact = "Another implementation: compiled distributions, and details of the language, are not the same."
        yield finding("interpreter-implementation", "error", (ours.implementation, theirs.implementation), impact)
    if not same_minor:
        impact = "Another minor version: compiled distributions need another ABI, and syntax and modules differ."
        yield finding("interpreter-version", "error", (ours.version, theirs.version), impact)
    elif ours.version != theirs.version and not (vague and _covers(ours.version, theirs.version)):
        impact = "Another patch release: fixes of the interpreter and its modules are there on one side only."
        yield finding("interpreter-version", "warning", (ours.version, theirs.version), impact)
    if ours.abi is None or theirs.abi is None or ours.implementation != theirs.implementation:
        return
    differ = ours.abi != theirs.abi if same_minor else _build(ours.abi) != _build(theirs.abi)
    if differ:
        impact = "Another build of the interpreter: what is compiled for one cannot be imported by the other."
        yield finding("interpreter-abi", "error", (ours.abi, theirs.abi), impact)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _covers(one: str, other: str) -> bool:
    """Whether one of the versions only says less than the other: ``3.7`` and ``3.7.16``."""
    short, long = sorted((one, other), key=len)
    return long.startswith(f"{short}.")


def _build(abi: str) -> set[str]:
    """What an ABI tag says besides the version: ``t`` and ``d``; ``m`` and ``u`` go with the version."""
    match = _ABI.fullmatch(abi)
    return set(match[1]) - set("mu") if match else {abi}
