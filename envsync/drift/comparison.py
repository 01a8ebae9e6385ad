"""What was compared with what: all that a report says besides the findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from envsync.drift.compare import not_compared
from envsync.drift.conda import ANOTHER_PACKAGE, packages_by_name
from envsync.drift.distributions import by_name
from envsync.drift.finding import SCOPES, Finding, Kind, NotCompared, Scope
from envsync.model import ImageSource, ListSource, LocalSource, Snapshot
from envsync.names import normalized
from envsync.redaction import printable

if TYPE_CHECKING:
    from packaging.utils import NormalizedName


class Side(Struct, frozen=True, kw_only=True):
    """One side of a comparison."""

    kind: Literal["image", "list", "local"]
    """An image that was run or read, a published list, or an environment on this machine."""
    name: str
    """The image's reference, or the environment's path."""
    lock: str | None
    """The lock directory it was read from."""
    digest: str | None
    """Of the image's manifest or index."""
    config_digest: str | None
    """Of the image's config."""
    dated: str | None
    """When the image was built, or the list published."""
    python: str
    """The interpreter's version."""
    operating_system: str | None
    platform: str | None
    """``linux/amd64``."""


class Counts(Struct, frozen=True, kw_only=True):
    """Distributions or conda packages of the expected side, ignored ones left out."""

    compared: int
    identical: int


class Accepted(Struct, frozen=True, kw_only=True):
    """What a baseline took out of the findings."""

    baseline: str
    """The file's name, for people."""
    count: int
    """Findings that it knows, and that are not told."""
    gone: int
    """Those that it knows and that are not there any more."""

    @property
    def sentence(self) -> str:
        """For people: ``12 findings accepted by baseline.json; 3 more that it knows are gone``."""
        findings = "1 finding" if self.count == 1 else f"{self.count} findings"
        gone = f"; {self.gone} more that it knows {'is' if self.gone == 1 else 'are'} gone" if self.gone else ""
        return f"{findings} accepted by {self.baseline}{gone}"


class Comparison(Struct, frozen=True, kw_only=True):
    """The frame around the findings."""

    expected: Side
    actual: Side
    distributions: Counts
    not_compared: tuple[NotCompared, ...]
    conda: Counts | None = None
    """``None`` unless both sides are conda environments."""
    accepted: Accepted | None = None
    """``None``: no baseline was given."""


_DIFFERENT: frozenset[Kind] = frozenset(
    {"distribution-missing", "distribution-version", "distribution-origin", "distribution-modified"}
)

_DIFFERENT_CONDA: frozenset[Kind] = ANOTHER_PACKAGE | {
    "conda-files-missing",
    "conda-files-changed",
    "conda-overwritten",
}


def is_only_a_mirror(finding: Finding) -> bool:
    """Whether a package is from another channel, and the same byte for byte."""
    return finding.kind == "conda-package-channel" and finding.severity == "note"


def describe_comparison(
    expected: Snapshot,
    actual: Snapshot,
    findings: Sequence[Finding],
    *,
    scopes: frozenset[Scope] = SCOPES,
    ignore: frozenset[NormalizedName] = frozenset(),
    expected_lock: str | None = None,
    actual_lock: str | None = None,
    also_not_compared: tuple[NotCompared, ...] = (),
) -> Comparison:
    """Say what was compared, how much of it is identical, and what was not compared.

    Args:
        expected: A.
        actual: B.
        findings: all that was found, by :func:`compare` and :func:`find_changes`.
        scopes: as given to :func:`compare`.
        ignore: as given to :func:`compare`.
        expected_lock: the lock directory that A was read from.
        actual_lock: the lock directory that B was read from.
        also_not_compared: what :func:`find_changes` could not look at.
    """
    names = by_name(expected.distributions).keys() - ignore if "python" in scopes else set()
    different = {normalized(f.subject) for f in findings if f.kind in _DIFFERENT}
    return Comparison(
        expected=_side(expected, expected_lock),
        actual=_side(actual, actual_lock),
        distributions=Counts(compared=len(names), identical=len(names - different)),
        not_compared=(*not_compared(expected, actual, scopes=scopes, ignore=ignore), *also_not_compared),
        conda=_conda(expected, actual, findings, ignore) if "python" in scopes else None,
    )


def _conda(
    expected: Snapshot, actual: Snapshot, findings: Iterable[Finding], ignore: frozenset[NormalizedName]
) -> Counts | None:
    ours = expected.conda_environment
    if ours is None or actual.conda_environment is None:
        return None
    names = {name for name in packages_by_name(ours) if normalized(name) not in ignore}
    different = {f.subject for f in findings if f.kind in _DIFFERENT_CONDA and not is_only_a_mirror(f)}
    return Counts(compared=len(names), identical=len(names - different))


def _side(snapshot: Snapshot, lock: str | None) -> Side:
    digest = config_digest = dated = None
    kind: Literal["image", "list", "local"]
    match snapshot.source:
        case ImageSource() as image:
            kind, name, dated = "image", image.reference, image.created
            digest, config_digest = image.digest, image.config_digest
        case ListSource() as published:
            kind, name, dated = "list", published.reference, published.date
        case LocalSource(path=path):
            kind, name = "local", str(path)
    return Side(
        kind=kind,
        # A path may hold bytes that are no text; JSON cannot carry them as they are.
        name=printable(name),
        lock=None if lock is None else printable(lock),
        digest=None if digest is None else str(digest),
        config_digest=None if config_digest is None else str(config_digest),
        dated=dated,
        python=snapshot.python.version,
        operating_system=printable(snapshot.os.label) if snapshot.os is not None else None,
        platform=None if snapshot.platform is None else str(snapshot.platform),
    )
