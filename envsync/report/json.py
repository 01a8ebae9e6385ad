"""``envsync diff --json``; its schema is ``docs/schemas/diff.schema.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from envsync.drift.comparison import Comparison, Counts, Side
from envsync.drift.finding import Finding, NotCompared, is_drift
from envsync.exact.fidelity import Fidelity
from envsync.report.fidelity import FidelityFigures, fidelity_figures


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a comparison."""

    schema: Literal[1]
    expected: Side
    actual: Side
    drift: bool
    """Whether there is any finding that is not harmless, of whatever severity."""
    distributions: Counts
    conda: Counts | msgspec.UnsetType = msgspec.UNSET
    """Conda packages; only where both sides are conda environments."""
    fidelity: FidelityFigures | msgspec.UnsetType = msgspec.UNSET
    """Absent where the files of the image, or of the environment, are not known."""
    accepted: int | msgspec.UnsetType = msgspec.UNSET
    """How many findings the baseline knows, which are not among these; absent where none was given."""
    findings: tuple[Finding, ...]
    """Most important first."""
    not_compared: tuple[NotCompared, ...]


def render(findings: Sequence[Finding], comparison: Comparison, fidelity: Fidelity | None = None) -> str:
    """The findings as JSON: the same bytes for the same input, two spaces, a final newline."""
    document = Document(
        schema=1,
        expected=comparison.expected,
        actual=comparison.actual,
        drift=is_drift(findings),
        distributions=comparison.distributions,
        conda=msgspec.UNSET if comparison.conda is None else comparison.conda,
        fidelity=msgspec.UNSET if fidelity is None else fidelity_figures(fidelity),
        accepted=msgspec.UNSET if comparison.accepted is None else comparison.accepted.count,
        findings=tuple(findings),
        not_compared=comparison.not_compared,
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode("utf-8") + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of what :func:`render` returns."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Document)}
