"""One difference between two snapshots."""

from __future__ import annotations

from typing import Literal

from envsync.model import Record

Scope = Literal["python", "os", "env"]
Severity = Literal["error", "warning", "note"]
Kind = Literal[
    "interpreter-version",
    "interpreter-implementation",
    "interpreter-abi",
    "distribution-missing",
    "distribution-extra",
    "distribution-version",
    "distribution-origin",
    "distribution-modified",
    "environment-variable",
    "os-release",
    "os-package-missing",
    "os-package-version",
    "os-package-architecture",
    "os-not-comparable",
]


class Finding(Record, frozen=True, kw_only=True):
    """What differs, how much it matters, and what to do."""

    kind: Kind
    scope: Scope
    severity: Severity
    subject: str
    """A distribution, package, variable or interpreter, by name."""
    expected: str | None = None
    """On the side of the lock or image (A)."""
    actual: str | None = None
    """On the other side (B)."""
    impact: str
    """One sentence: what this may break."""
    fix: str | None = None
    """What to type, or do."""
