"""One difference between two snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from envsync.model import Record
from envsync.redaction import printable

Scope = Literal["python", "os", "env"]
Severity = Literal["error", "warning", "note"]
Verdict = Literal["breaks", "may-differ", "harmless"]
"""Of what the system around the environment has: a needed thing is absent; is another one; nothing here needs it."""
Kind = Literal[
    "interpreter-version",
    "interpreter-implementation",
    "interpreter-abi",
    "distribution-missing",
    "distribution-version",
    "distribution-origin",
    "distribution-modified",
    "distribution-build",
    "distribution-extra",
    "conda-environment-missing",
    "conda-package-missing",
    "conda-package-version",
    "conda-package-build",
    "conda-package-channel",
    "conda-package-hash",
    "conda-files-missing",
    "conda-files-changed",
    "conda-overwritten",
    "conda-virtual-package",
    "conda-package-extra",
    "environment-variable",
    "library-missing",
    "library-symbols",
    "library-version",
    "command-missing",
    "command-version",
    "resource-missing",
    "resource-version",
    "os-architecture",
    "os-release",
    "os-package-missing",
    "os-package-architecture",
    "os-package-version",
    "os-package-extra",
    "os-not-comparable",
]

SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
"""All scopes: what is compared unless somebody chose less."""


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
    """A command to type; or, beginning with a capital, a sentence that says what to do."""
    verdict: Verdict | None = None
    """Of scope ``os`` and ``env``: what it means for this environment; ``None`` of what is inside of it."""
    needed_by: tuple[str, ...] = ()
    """Distributions of the environment that need the subject, sorted."""
    package: str | None = None
    """The OS package that gives it on the expected side."""

    @property
    def is_harmless(self) -> bool:
        """Whether it is known that nothing here needs the subject: it is counted, and is no drift."""
        return self.verdict == "harmless"


class NotCompared(Record, frozen=True, kw_only=True):
    """What nothing can be said about: partial knowledge, which is no drift."""

    subject: str
    reason: str


def is_drift(findings: Iterable[Finding]) -> bool:
    """Whether there is one that matters: no machine has the packages of an image, and nothing but those."""
    return any(not finding.is_harmless for finding in findings)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort, most important first: by severity, scope (python, env, os), kind, subject; harmless ones last."""
    return tuple(sorted(findings, key=_rank))


_SEVERITY_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
_SCOPE_RANK: dict[Scope, int] = {"python": 0, "env": 1, "os": 2}
_KIND_RANK: dict[Kind, int] = {kind: rank for rank, kind in enumerate(get_args(Kind))}


def _rank(finding: Finding) -> tuple[int, bool, int, int, str, str, str, str]:
    return (
        _SEVERITY_RANK[finding.severity],
        finding.is_harmless,
        _SCOPE_RANK[finding.scope],
        _KIND_RANK[finding.kind],
        finding.subject.lower(),
        finding.subject,
        finding.expected or "",
        finding.actual or "",
    )


_SHOWN = 3


def shown(names: Sequence[str]) -> str:
    """A few names for a message: ``a, b, c and 4 more``."""
    rest = len(names) - _SHOWN
    return ", ".join(map(printable, names[:_SHOWN])) + (f" and {rest} more" if rest > 0 else "")
