"""Files of a local conda environment that are not what conda installed, by the records in ``conda-meta``.

https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html#info-paths-json. What is missing is
part of the snapshot; this looks into the files that are there.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from envsync.drift.finding import Finding, NotCompared, ranked, shown
from envsync.drift.hard_links import HardLinks
from envsync.drift.hashing import hash_files
from envsync.files import FileReadError, HostTree
from envsync.model import Snapshot
from envsync.names import normalized
from envsync.paths_data import PathsData, brought, placed
from envsync.record import RecordError, parse_record
from envsync.redaction import printable


class _Link(Struct, frozen=True, kw_only=True):
    source: str | None = None
    """The folder of the unpacked package."""


class _Record(Struct, frozen=True, kw_only=True):
    """What of a file of ``conda-meta`` tells about files."""

    name: str
    noarch: str | bool | None = None
    files: tuple[str, ...] = ()
    paths_data: PathsData = PathsData()
    link: _Link | None = None


class _Check(Struct, kw_only=True):
    """What was seen of one package."""

    name: str
    files: int = 0
    changed: list[str] = []
    outside: list[str] = []
    unread: list[str] = []
    unknown: bool = False
    """Whether the record tells no hashes."""
    to_hash: list[tuple[str, str, str]] = []
    """Relative path, real path, SHA-256."""


def verify_conda(
    snapshot: Snapshot,
    *,
    verify: bool = False,
    ignore: frozenset[str] = frozenset(),
    fix: str | None = None,
    hashed: Sequence[Path] = (),
) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
    """Compare the files of a local conda environment with the records in it; nothing where it is none.

    Byte code does not count, and neither do files that the RECORD of a distribution lists which conda did not bring.

    Args:
        snapshot: of the local environment.
        verify: read and hash every file; without, nothing is looked at, and a note says so.
        ignore: normalised names of packages that do not count.
        fix: what to type where files are changed.
        hashed: folders with unpacked packages, of which each file was just hashed: one that is the same file in the
            environment (a hard link) is not read again.
    """
    environment = snapshot.conda_environment
    if environment is None or environment.prefix is None or not environment.packages:
        return (), ()
    if not verify:
        reason = "only whether they are there (--verify reads them all)"
        return (), (NotCompared(subject="contents of conda packages' files", reason=reason),)
    prefix, tree = environment.prefix, HostTree()
    counted = {package.name for package in environment.packages if normalized(package.name) not in ignore}
    owned, skipped = _owned_by_others(snapshot, tree, prefix)
    checks: dict[str, _Check] = {}
    root, links = _Root(str(prefix)), HardLinks(str(prefix), hashed)
    for name in tree.list(prefix / "conda-meta"):
        if not name.endswith(".json"):
            continue
        try:
            record = parse_paths(tree.read(prefix / "conda-meta" / name))
        except (FileReadError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            skipped.append(NotCompared(subject=f"files of {printable(name)}", reason=printable(str(error))[:200]))
            continue
        # Of several records of one package the first counts, as in the snapshot.
        if record.name in counted and record.name not in checks:
            checks[record.name] = _look_at(record, root, owned, links)
    _hash_files(checks.values())
    findings = ranked(_finding(check, fix) for check in checks.values() if check.changed)
    notes = [note for check in checks.values() for note in _notes(check)]
    if unknown := sorted(check.name for check in checks.values() if check.unknown):
        notes.append(NotCompared(subject=f"files of {shown(unknown)}", reason="their records tell no hashes"))
    return findings, (*notes, *skipped)


def parse_paths(data: bytes) -> _Record:
    """The files that a ``conda-meta/*.json`` lists.

    Raises:
        msgspec.MsgspecError: no JSON, or no such record.
    """
    record = msgspec.json.decode(data, type=_Record)
    paths = placed(record.paths_data.paths, record.files, noarch_python=record.noarch == "python")
    return msgspec.structs.replace(record, name=record.name.lower(), files=(), paths_data=PathsData(paths=paths))


class _Root:
    """A prefix, and which folders in it are really in it."""

    def __init__(self, prefix: str) -> None:
        self.path = prefix
        self._real = os.path.realpath(prefix)
        self._inside: dict[str, bool] = {"": True}
        self._plain: dict[str, bool] = {"": True}

    def holds(self, path: str) -> bool:
        """Whether ``path``, relative to the prefix, is in it: a link in the place of a folder may lead elsewhere."""
        folder, _, name = path.rpartition("/")
        if folder not in self._inside:
            self._inside[folder] = self._has(folder)
        return self._inside[folder] and name != ".." and "\0" not in name and not path.startswith("/")

    def _has(self, folder: str) -> bool:
        if folder.startswith("/") or "\0" in folder or ".." in folder.split("/"):
            return False
        if self._is_plain(folder):
            return True
        real = os.path.realpath(f"{self.path}/{folder}")
        return real == self._real or real.startswith(f"{self._real.rstrip('/')}/")

    def _is_plain(self, folder: str) -> bool:
        """Whether no part of the path is a link: asked once for each, which is faster than asking for the real path."""
        if folder not in self._plain:
            try:
                found = os.lstat(f"{self.path}/{folder}")
            except OSError:
                return False
            above = posixpath.dirname(folder)
            self._plain[folder] = stat.S_ISDIR(found.st_mode) and self._is_plain(above)
        return self._plain[folder]


def _owned_by_others(
    snapshot: Snapshot, tree: HostTree, prefix: PurePosixPath
) -> tuple[frozenset[str], list[NotCompared]]:
    """Relative paths that a RECORD lists of a distribution which conda did not bring."""
    owned: set[str] = set()
    skipped: list[NotCompared] = []
    for distribution in snapshot.distributions:
        metadata = distribution.metadata
        if distribution.conda is not None or metadata is None or distribution.location is None:
            continue
        if tree.stat(metadata / "RECORD") is None:
            continue
        try:
            entries = parse_record(tree.read(metadata / "RECORD").decode("utf-8", "surrogateescape"))
        except (RecordError, FileReadError) as error:
            subject = f"conda files that {printable(distribution.name)} wrote over"
            skipped.append(NotCompared(subject=subject, reason=printable(error.message)))
            continue
        for entry in entries:
            path = posixpath.normpath(posixpath.join(str(distribution.location), entry.path))
            owned.add(path.removeprefix(f"{prefix}/"))
    return frozenset(owned), skipped


def _look_at(record: _Record, root: _Root, owned: frozenset[str], links: HardLinks) -> _Check:
    """Look at each file once, without reading it."""
    entries = [entry for entry in brought(record.paths_data.paths) if entry.path not in owned]
    check = _Check(name=record.name, files=len(entries))
    # A package without files, as metapackages are, has nothing to tell.
    check.unknown = bool(entries) and not any(entry.installed_sha256 for entry in entries)
    is_linked = links.of_package(record.link.source if record.link else None, noarch=record.noarch == "python")
    for entry in entries:
        if not root.holds(entry.path):
            check.outside.append(entry.path)
            continue
        if entry.sha256_in_prefix in (None, entry.sha256) and is_linked(entry.path):
            continue
        path = f"{root.path}/{entry.path}"
        try:
            look = os.lstat if entry.path_type == "softlink" else os.stat
            mode = look(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue  # missing: the snapshot says so
        except OSError:
            check.unread.append(entry.path)
            continue
        if entry.path_type == "softlink":
            if not stat.S_ISLNK(mode):
                check.changed.append(entry.path)
        elif entry.path_type == "directory" or (known := entry.installed_sha256) is None:
            continue
        elif not stat.S_ISREG(mode):
            check.changed.append(entry.path)
        else:
            check.to_hash.append((entry.path, path, known.lower()))
    return check


def _hash_files(checks: Iterable[_Check]) -> None:
    files = [(check, *file) for check in checks for file in check.to_hash]
    digests = hash_files([(path, "sha256") for _, _, path, _ in files])
    for (check, name, _, known), digest in zip(files, digests, strict=True):
        if digest is None:
            check.unread.append(name)
        elif digest.hex() != known:
            check.changed.append(name)


def _finding(check: _Check, fix: str | None) -> Finding:
    return Finding(
        kind="conda-files-changed",
        scope="python",
        severity="warning",
        subject=check.name,
        expected=f"{check.files} files as installed",
        actual=f"{len(check.changed)} changed: {shown(sorted(check.changed))}",
        impact="It runs code that is not what was installed.",
        fix=fix,
    )


def _notes(check: _Check) -> Iterator[NotCompared]:
    subject = f"files of {printable(check.name)}"
    if check.outside:
        reason = f"the record lists files outside of the environment: {shown(sorted(check.outside))}"
        yield NotCompared(subject=subject, reason=reason)
    if check.unread:
        yield NotCompared(subject=subject, reason=f"cannot be read: {shown(sorted(check.unread))}")
