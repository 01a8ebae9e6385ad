"""Known findings, kept in a file: what ``envsync diff --format json`` wrote before is not told again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from envsync.drift.comparison import Accepted, Comparison
from envsync.drift.finding import SCOPES, Finding, Scope
from envsync.errors import UsageError
from envsync.redaction import printable

_ANEW = "Write it anew, without --baseline: envsync diff --format json --output FILE"


class _Side(msgspec.Struct, frozen=True):
    name: str


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """Of a finding, what makes it the same one; a kind may be one that this version does not know."""

    kind: str
    scope: str
    subject: str
    expected: str | None = None
    actual: str | None = None


class _Schema(msgspec.Struct, frozen=True):
    schema: int


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """Of :class:`envsync.report.json.Document`, what counts here."""

    schema: Literal[1]
    expected: _Side
    findings: tuple[_Known, ...]
    accepted: int = 0


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that somebody accepted."""

    file: str
    """Its name, for people."""
    image: str
    """What the findings are of: the reference of an image, or the path of an environment."""
    findings: frozenset[_Known]


def parse_baseline(data: bytes, file: str) -> Baseline:
    """Read what ``--format json`` wrote; ``file`` names it in errors.

    Raises:
        UsageError: it is damaged, of another schema, or was itself written with a baseline.
    """
    try:
        version = msgspec.json.decode(data, type=_Schema).schema
        if version != 1:
            raise UsageError(f"{file}: schema {version} (expected 1)", hint=_ANEW)
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file}: no report of envsync diff --format json: {error}", hint=_ANEW) from error
    if document.accepted:
        raise UsageError(
            f"{file}: lacks the {document.accepted} findings that a baseline had accepted when it was written",
            hint=_ANEW,
        )
    return Baseline(file=printable(file), image=document.expected.name, findings=frozenset(document.findings))


def apply_baseline(
    findings: Sequence[Finding], comparison: Comparison, baseline: Baseline, *, scopes: frozenset[Scope] = SCOPES
) -> tuple[tuple[Finding, ...], Comparison]:
    """The findings that are new, and the comparison that says how many are not.

    Another digest of the same image is fine: that its findings are the same is what is asked.

    Args:
        findings: all.
        comparison: theirs.
        baseline: what is accepted.
        scopes: what was compared; of others nobody can say that they are gone.

    Raises:
        UsageError: the baseline is of another image.
    """
    if _without_digest(baseline.image) != _without_digest(comparison.expected.name):
        raise UsageError(
            f"{baseline.file}: of {printable(baseline.image)} (expected {comparison.expected.name}, which A is)",
            hint=_ANEW,
        )
    keys = [_key(finding) for finding in findings]
    new = tuple(finding for finding, key in zip(findings, keys, strict=True) if key not in baseline.findings)
    gone = {known for known in baseline.findings - set(keys) if known.scope in scopes}
    accepted = Accepted(baseline=baseline.file, count=len(findings) - len(new), gone=len(gone))
    return new, msgspec.structs.replace(comparison, accepted=accepted)


def _key(finding: Finding) -> _Known:
    return _Known(
        kind=finding.kind,
        scope=finding.scope,
        subject=finding.subject,
        expected=finding.expected,
        actual=finding.actual,
    )


def _without_digest(reference: str) -> str:
    return reference.partition("@")[0]
