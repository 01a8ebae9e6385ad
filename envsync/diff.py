"""``diff``: two sides, each an environment, a lock or an image -> findings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from envsync.build.marker import Marker, read_marker
from envsync.drift.changes import find_changes
from envsync.drift.compare import compare
from envsync.drift.comparison import Comparison, describe_comparison
from envsync.drift.finding import SCOPES, Finding, NotCompared, Scope, ranked
from envsync.drift.fixes import create_environment
from envsync.drift.variables import compared_names
from envsync.errors import LockError, UsageError
from envsync.exact.fidelity import Fidelity, measure, other_builds
from envsync.local import describe
from envsync.locate import default_environment, is_environment, lock_at_hand
from envsync.lock.conda.platforms import on_the_platform_of
from envsync.lock.store import read_lock
from envsync.model import ImageSource, LocalSource, Snapshot
from envsync.names import normalized
from envsync.pull_options import Progress, PullOptions
from envsync.record import parse_record

if TYPE_CHECKING:
    from packaging.utils import NormalizedName


class DiffOptions(Struct, frozen=True, kw_only=True):
    """What to compare, and how deep."""

    scopes: frozenset[Scope] = SCOPES
    ignore: frozenset[NormalizedName] = frozenset()
    verify: bool = False
    """Hash every file of an environment against its RECORD."""


class Side(Struct, frozen=True, kw_only=True):
    """One thing to compare."""

    snapshot: Snapshot
    lock: str | None = None
    """The lock directory it was read from."""
    notes: tuple[NotCompared, ...] = ()


class Difference(Struct, frozen=True, kw_only=True):
    """The findings, and what was compared."""

    findings: tuple[Finding, ...]
    comparison: Comparison
    fidelity: Fidelity | None = None
    """How many distributions are byte for byte the image's; ``None`` where that is not known, or was not asked."""
    expected: Side
    actual: Side


def diff(
    first: str | None,
    second: str | None,
    root: Path,
    *,
    options: DiffOptions,
    pull: PullOptions,
    progress: Progress,
) -> Difference:
    """Compare two sides.

    Args:
        first: an environment, lock directory or image. Alone, an environment is compared with the lock it was made
            from, anything else with the environment that is active (or ``./.venv``, ``./.conda``). ``None``: that
            environment.
        second: the other one; it is judged by the first.
        root: the folder of lock directories.
        options: what to compare.
        pull: how to look at an image of which there is no lock.
        progress: where that tells how far it is.

    Raises:
        EnvsyncError: a side cannot be found or read.
    """
    if second is not None and first is not None:
        expected = _side(first, root, pull, progress)
        actual = _side(second, root, pull, progress, judged_by=expected.snapshot)
        return _compare(expected, actual, options, {})
    if first is not None and not is_environment(Path(first)):
        expected, environment = _side(first, root, pull, progress), default_environment()
    else:
        environment = Path(first) if first is not None else default_environment()
        expected = _lock_of(environment, root)
    marker = read_marker(environment)
    actual = Side(snapshot=_describe(environment, expected.snapshot))
    reasons = {part.name: part.reason for part in marker.not_reproducible} if marker else {}
    return _compare(expected, actual, options, reasons)


def _side(text: str, root: Path, pull: PullOptions, progress: Progress, *, judged_by: Snapshot | None = None) -> Side:
    from envsync.subject import find_subject  # all that reads images

    found = find_subject(text, root, pull, progress, lambda environment: _describe(environment, judged_by))
    return Side(snapshot=found.snapshot, lock=found.lock)


def _describe(environment: Path, expected: Snapshot | None) -> Snapshot:
    """Look at a local environment; of the machine around it only what ``expected`` asks for."""
    if expected is None:
        return describe(environment)
    return describe(
        environment,
        env_names=compared_names(expected),
        needs=expected.needs,
        with_virtual_packages=expected.conda_environment is not None,
    )


def _lock_of(environment: Path, root: Path) -> Side:
    """The lock that an environment was made from, as it is now; where the project was moved, that of the same image."""
    marker = read_marker(environment)
    if marker is None:
        raise UsageError(
            f"{environment}: envsync did not make this environment, so nothing tells what it should equal",
            hint="Name what to compare it with: envsync diff IMAGE, or envsync diff LOCK ENV",
        )
    try:
        lock = read_lock(Path(marker.lock.directory))
    except LockError as error:
        moved = lock_at_hand(marker.lock.reference, root)
        if moved is None:
            raise LockError(
                f"{environment} was made from a lock that is gone: {error.message}",
                hint=f"Pull it again (envsync pull {marker.lock.reference}), or name another side.",
            ) from error
        lock = moved.lock
    return Side(snapshot=lock.snapshot, lock=str(lock.path), notes=_moved(marker, lock.snapshot))


def _moved(marker: Marker, snapshot: Snapshot) -> tuple[NotCompared, ...]:
    """Say so when the lock is another one than the environment was made from."""
    if isinstance(snapshot.source, ImageSource) and snapshot.source.config_digest != marker.lock.config_digest:
        reason = "the lock was pulled anew since; this compares with what it is now"
        return (NotCompared(subject=f"the lock that {marker.environment} was made from", reason=reason),)
    return ()


def _compare(expected: Side, actual: Side, options: DiffOptions, reasons: Mapping[str, str]) -> Difference:
    accepted = {normalized(name): reason for name, reason in reasons.items()}
    as_found = expected
    if isinstance(actual.snapshot.source, LocalSource):
        expected = structs.replace(expected, snapshot=on_the_platform_of(actual.snapshot, expected.snapshot))
    notes = (*expected.notes, *actual.notes)
    inside = _inside(expected.snapshot, actual.snapshot, options, reasons)
    findings = compare(
        expected.snapshot,
        actual.snapshot,
        scopes=options.scopes,
        ignore=options.ignore,
        accepted=accepted,
        rebuilt=inside.rebuilt,
    )
    fidelity = inside.fidelity
    if "python" in options.scopes and isinstance(actual.snapshot.source, LocalSource):
        modified, unseen = _conda_files(expected.snapshot, actual.snapshot, options)
        told = {normalized(finding.subject) for finding in (*findings, *inside.changed)} | options.ignore
        builds = other_builds(fidelity, told) if fidelity is not None else ()
        findings = ranked((*findings, *inside.changed, *builds, *modified))
        notes = (*notes, *inside.unread, *unseen)
    return Difference(
        findings=findings,
        fidelity=fidelity if "python" in options.scopes else None,
        comparison=describe_comparison(
            expected.snapshot,
            actual.snapshot,
            findings,
            scopes=options.scopes,
            ignore=options.ignore,
            expected_lock=expected.lock,
            actual_lock=actual.lock,
            also_not_compared=notes,
        ),
        expected=as_found,
        actual=actual,
    )


class _Inside(Struct, frozen=True, kw_only=True):
    """What was seen of the files of a local environment."""

    changed: tuple[Finding, ...] = ()
    unread: tuple[NotCompared, ...] = ()
    fidelity: Fidelity | None = None

    @property
    def rebuilt(self) -> frozenset[str]:
        """Normalised names of what was built, or chosen, anew here."""
        edited = {normalized(finding.subject) for finding in self.changed}
        others = self.fidelity.rebuilt if self.fidelity is not None else ()
        return frozenset(others) - edited


def _inside(expected: Snapshot, actual: Snapshot, options: DiffOptions, reasons: Mapping[str, str]) -> _Inside:
    if not options.scopes & {"python", "os"} or not isinstance(actual.source, LocalSource):
        return _Inside()
    parse = cache(parse_record)  # both ask for every RECORD
    changed, unread = find_changes(actual, verify=options.verify, ignore=options.ignore, parse=parse)
    edited = {str(normalized(finding.subject)): finding.actual or "" for finding in changed}
    fidelity = measure(expected, actual, reasons=reasons, changed=edited, verify=options.verify, parse=parse)
    return _Inside(changed=changed, unread=unread, fidelity=fidelity)


def _conda_files(
    expected: Snapshot, actual: Snapshot, options: DiffOptions
) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
    if expected.conda_environment is None:
        return (), ()
    from envsync.drift.conda_files import verify_conda

    fix = create_environment(expected, actual)
    return verify_conda(actual, verify=options.verify, ignore=frozenset(options.ignore), fix=fix)
