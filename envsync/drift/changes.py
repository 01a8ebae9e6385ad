"""Files of a local environment that are not what was installed, by the ``RECORD`` of each distribution."""

from __future__ import annotations

import os
import stat
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.contents import MARKER
from envsync.drift import fixes
from envsync.drift.finding import Finding, NotCompared, ranked, shown
from envsync.drift.hashing import Hashed, hash_file, hash_files
from envsync.files import FileReadError, HostTree
from envsync.model import Distribution, Snapshot
from envsync.names import normalized
from envsync.record import Parse, RecordEntry, RecordError, parse_record
from envsync.redaction import printable

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

_WITHOUT_HASH = (".pyc", "/RECORD", "/RECORD.jws", "/RECORD.p7s")
_CLOCK_SLACK_NS = 2_000_000_000
"""Files that one installation writes within this time of its RECORD belong to it."""
_TRUSTED_HASHES = frozenset({"sha256", "sha384", "sha512", "sha224", "blake2b", "blake2s", "sha3_256", "sha3_512"})


class _File(Struct, frozen=True):
    """A file that RECORD lists, and where it is."""

    entry: RecordEntry
    path: str


class _Check(Struct, kw_only=True):
    """What was seen of one distribution."""

    distribution: Distribution
    listed: Sequence[RecordEntry]
    files: int = 0
    missing: list[str] = []
    changed: list[_File] = []
    overwritten: dict[str, int] = {}
    """How many files another distribution, by name, has put its own in the place of."""
    outside: list[str] = []
    unread: list[str] = []
    to_hash: list[_File] = []


def find_changes(
    snapshot: Snapshot,
    *,
    verify: bool = False,
    ignore: frozenset[NormalizedName] = frozenset(),
    parse: Parse = parse_record,
) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
    """Compare the files of a local environment with the ``RECORD`` files in it.

    The quick check finds files that are missing, have another size, or were written after their RECORD and
    have another hash; ``verify`` hashes every file. Bytecode, which Python writes itself, does not count.

    Args:
        snapshot: of the local environment.
        verify: read and hash every file.
        ignore: normalised names of distributions that do not count.
        parse: RECORD.
    """
    checks: list[_Check] = []
    skipped: list[NotCompared] = []
    without_record: list[str] = []
    for distribution in snapshot.distributions:
        # The RECORD in a conda package was written before prefixes were: conda's own records tell what is right.
        if normalized(distribution.name) in ignore or distribution.location is None or distribution.conda is not None:
            continue
        try:
            found = _read_record(distribution, parse)
        except (RecordError, FileReadError) as error:
            skipped.append(NotCompared(subject=f"files of {distribution.name}", reason=printable(error.message)))
            continue
        if found is None:
            without_record.append(distribution.name)
        else:
            roots = _roots(snapshot, str(distribution.location))
            checks.append(_look_at(distribution, *found, roots=roots, verify=verify))
    _hash_files(checks)
    _excuse_shared_files(checks)
    if without_record:
        skipped.append(NotCompared(subject=f"files of {', '.join(without_record)}", reason="installed without RECORD"))
    if not verify and checks:
        skipped.append(NotCompared(subject="contents of files", reason="only size and time (--verify reads them all)"))
    environment = str(getattr(snapshot.source, "path", snapshot.python.prefix))
    findings = ranked(_finding(check, environment) for check in checks if check.missing or check.changed)
    return findings, (*(note for check in checks for note in _notes(check)), *skipped)


def _read_record(distribution: Distribution, parse: Parse) -> tuple[tuple[RecordEntry, ...], int] | None:
    """The entries and the time of change (nanoseconds) of a RECORD; ``None`` where there is none."""
    if distribution.metadata is None:
        return None
    path = distribution.metadata / "RECORD"
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:
        return None
    text = HostTree().read(path).decode("utf-8", "surrogateescape")
    return parse(text), changed


def _roots(snapshot: Snapshot, location: str) -> tuple[str, ...]:
    """The folders that files of a distribution may be in, each with a slash at its end."""
    python = snapshot.python
    prefixes = {f"{prefix}/" for prefix in (python.prefix, python.base_prefix) if prefix is not None}
    holding = tuple(prefix for prefix in prefixes if location.startswith(prefix))
    if holding:
        # The longest, so that a distribution of a venv may not list files of its base around it.
        return (max(holding, key=len),)
    library = next((parent for parent in PurePosixPath(location).parents if parent.name in ("lib", "lib64")), None)
    return (f"{library.parent if library else location}/",)


def _look_at(
    distribution: Distribution,
    entries: Sequence[RecordEntry],
    recorded_at: int,
    *,
    roots: tuple[str, ...],
    verify: bool,
) -> _Check:
    """Look at each file once, without reading it."""
    check = _Check(distribution=distribution, listed=entries)
    base = f"{distribution.location}/"
    latest = recorded_at + _CLOCK_SLACK_NS
    for entry in entries:
        name = entry.path
        if name.endswith(_WITHOUT_HASH):
            continue
        path = _place(base, name)
        if not path.startswith(roots):
            check.outside.append(name)
            continue
        check.files += 1
        try:
            status = os.stat(path)  # noqa: PTH116 - tens of thousands of files: plain strings
        except (FileNotFoundError, NotADirectoryError):
            check.missing.append(name)
            continue
        except OSError:
            check.unread.append(name)
            continue
        if not stat.S_ISREG(status.st_mode) or entry.size not in (None, status.st_size):
            check.changed.append(_File(entry, path))
        elif entry.algorithm in _TRUSTED_HASHES and (verify or status.st_mtime_ns > latest):
            check.to_hash.append(_File(entry, path))
    return check


def _place(base: str, name: str) -> str:
    """The path that RECORD means by ``name``."""
    if name.startswith("/") or ".." in name:
        return os.path.normpath(name if name.startswith("/") else base + name)
    return base + name


def _hash_files(checks: Sequence[_Check]) -> None:
    files = [(check, file) for check in checks for file in check.to_hash]
    for (check, file), digest in zip(files, hash_files([_hashed(file) for _, file in files]), strict=True):
        if digest is None:
            check.unread.append(file.entry.path)
        elif _spelt(digest) != file.entry.digest:
            check.changed.append(file)


def _excuse_shared_files(checks: Sequence[_Check]) -> None:
    """Take out of the changes what is exactly another distribution's file: both have one of that path.

    The one that was installed last is right to have it so, in the image as well.
    """
    disputed = {file.path for check in checks for file in check.changed}
    if not disputed:
        return
    claims: dict[str, list[tuple[str, RecordEntry]]] = {}
    for check in checks:
        base = f"{check.distribution.location}/"
        for entry in check.listed:
            if (path := _place(base, entry.path)) in disputed:
                claims.setdefault(path, []).append((check.distribution.name, entry))
    for check in checks:
        for file in tuple(check.changed):
            for name, entry in claims[file.path]:
                if entry.digest and entry is not file.entry and _has(_File(entry, file.path), entry.digest):
                    check.changed.remove(file)
                    check.overwritten[name] = check.overwritten.get(name, 0) + 1
                    break


def _has(file: _File, digest: str) -> bool:
    found = hash_file(_hashed(file))
    return found is not None and _spelt(found) == digest


def _hashed(file: _File) -> Hashed:
    return file.path, file.entry.algorithm or "sha256"


def _spelt(digest: bytes) -> str:
    """As RECORD spells it."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _finding(check: _Check, environment: str) -> Finding:
    told = [f"{len(names)} {what}: {shown(sorted(names))}" for what, names in _groups(check) if names]
    return Finding(
        kind="distribution-modified",
        scope="python",
        severity="error" if check.missing else "warning",
        subject=check.distribution.name,
        expected=f"{check.files} files as installed",
        actual="; ".join(told),
        impact=(
            "What imports or runs the missing files fails."
            if check.missing
            else "It runs code that is not what was installed."
        ),
        fix=_fix(check.distribution, environment),
    )


def _fix(distribution: Distribution, environment: str) -> str | None:
    """Of what was repacked from an image no index has the files: what it has of that name are others."""
    if distribution.metadata is not None and Path(distribution.metadata / MARKER).is_file():
        return f"envsync create {fixes.quoted(environment)}"
    return fixes.reinstall_distribution(distribution, environment)


def _groups(check: _Check) -> Iterator[tuple[str, list[str]]]:
    yield "missing", check.missing
    yield "changed", [file.entry.path for file in check.changed]


def _notes(check: _Check) -> Iterator[NotCompared]:
    subject = f"files of {check.distribution.name}"
    if check.outside:
        reason = f"RECORD lists files outside of the environment: {shown(sorted(check.outside))}"
        yield NotCompared(subject=subject, reason=reason)
    for name, count in sorted(check.overwritten.items()):
        reason = f"{count} shared with {printable(name)}, whose own are in place"
        yield NotCompared(subject=subject, reason=reason)
    if check.unread:
        yield NotCompared(subject=subject, reason=f"cannot be read: {shown(sorted(check.unread))}")
