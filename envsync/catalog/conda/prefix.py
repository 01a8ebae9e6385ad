"""One conda prefix, from the bytes of its files: the environment, and which package brought what. Pure."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog.bounds import Notes
from envsync.catalog.conda.condarc import CondarcError, parse_channels
from envsync.catalog.conda.history import parse_history, parse_pinned
from envsync.catalog.conda.record import CondaRecord, RecordError, parse_record
from envsync.channels import DEFAULTS, channel_name
from envsync.model import CondaEnvironment, CondaPackage, Distribution, Skipped
from envsync.redaction import printable
from envsync.reference import Digest

MISSING = 20_000
"""Files of one prefix that are recorded as missing, or as overwritten."""

FILES = 400_000
"""Files of one prefix that are looked at; a full Anaconda has 250,000."""

_METADATA = (".dist-info", ".egg-info")


class RecordFile(Struct, frozen=True, kw_only=True):
    """A ``conda-meta/*.json`` as found."""

    name: str
    data: bytes
    layer: Digest | None = None


class Prefix(Struct, frozen=True, kw_only=True):
    """What stands in a prefix's folders."""

    path: PurePosixPath
    records: Iterable[RecordFile]
    """Sorted by name; gone through once, so that no more than one need be in memory."""
    history: bytes | None = None
    pinned: bytes | None = None
    condarcs: tuple[bytes, ...] = ()
    """Of the image: the first that names channels counts."""
    absent: Callable[[Sequence[str]], Iterable[str]] = lambda _paths: ()
    """Those of some paths, relative to the prefix, at which nothing is."""
    recorded: Callable[[Distribution], Iterable[str]] = lambda _distribution: ()
    """The absolute paths that a distribution's RECORD lists."""


class Owners(Struct, frozen=True, kw_only=True):
    """Which conda package brought which distribution."""

    packages: Mapping[PurePosixPath, str]
    """By the absolute path of a ``.dist-info`` or ``.egg-info``."""
    records: Mapping[PurePosixPath, str]
    """By the same paths, the SHA-256 that the RECORD inside has, as the package brought it."""

    def of(self, distribution: Distribution) -> str | None:
        """The conda package that brought a distribution; ``None`` where pip did, be it over conda's own files."""
        path = distribution.metadata
        if path is None or path not in self.packages:
            return None
        known = self.records.get(path)
        same = known is None or distribution.record is None or str(distribution.record) == f"sha256:{known}"
        return self.packages[path] if same else None


class Found(Struct, frozen=True, kw_only=True):
    """One environment."""

    environment: CondaEnvironment
    owners: Owners
    skipped: tuple[Skipped, ...]


def describe_prefix(prefix: Prefix, distributions: Sequence[Distribution]) -> Found:
    """Put an environment together; what of it cannot be read is noted.

    Args:
        prefix: its files.
        distributions: of the interpreters whose prefix it is.
    """
    notes = Notes("conda packages", printable(str(prefix.path)))
    records = _parsed(prefix, notes)
    owners = _owners(prefix.path, records)
    absent = frozenset(prefix.absent([path for record in records for path in record.files]))
    overwritten = _overwritten(prefix, records, [d for d in distributions if owners.of(d) is None])
    packages = tuple(
        _with_state(record, absent, overwritten, notes) for record in sorted(records, key=lambda r: r.package.name)
    )
    if prefix.history is None:
        notes.add(_note(prefix.path / "conda-meta/history", "not there: which packages were asked for is not known"))
    environment = CondaEnvironment(
        prefix=prefix.path,
        channels=_channels(prefix, packages, notes),
        requested=parse_history(prefix.history or b""),
        pinned=parse_pinned(prefix.pinned or b""),
        packages=packages,
    )
    return Found(environment=environment, owners=owners, skipped=notes.all())


def _parsed(prefix: Prefix, notes: Notes) -> list[CondaRecord]:
    """All records that make sense; of several of one package the first."""
    by_name: dict[str, CondaRecord] = {}
    room = FILES
    for file in prefix.records:
        place = prefix.path / "conda-meta" / file.name
        try:
            record = parse_record(file.data)
        except RecordError as error:
            notes.add(_note(place, error.message))
            continue
        package = record.package
        if file.name != f"{package.name}-{package.version}-{package.build}.json":
            notes.add(_note(place, "its name is not that of the package which it describes"))
        if package.name in by_name:
            other = by_name[package.name].package
            notes.add(
                _note(place, f"a second record of {package.name}, beside {other.version} {other.build}: not counted")
            )
            continue
        if len(record.files) > room:
            record = replace(record, files=(), sha256={})
            notes.left_out(f"{package.name}: more than {FILES} files in this environment: its own are not looked at")
        room -= len(record.files)
        by_name[package.name] = replace(record, package=replace(package, layer=file.layer))
    return list(by_name.values())


def _owners(prefix: PurePosixPath, records: Iterable[CondaRecord]) -> Owners:
    owners: dict[PurePosixPath, str] = {}
    hashes: dict[PurePosixPath, str] = {}
    for record in records:
        for path in record.files:
            if not any(suffix in path for suffix in _METADATA):
                continue
            for part in _METADATA:
                head, found, tail = path.partition(part)
                if not found or (tail and not tail.startswith("/")):
                    continue
                folder = prefix / (head + part)
                owners.setdefault(folder, record.package.name)
                if tail == "/RECORD" and path in record.sha256:
                    hashes[folder] = record.sha256[path]
    return Owners(packages=owners, records=hashes)


def _overwritten(
    prefix: Prefix, records: Iterable[CondaRecord], distributions: Sequence[Distribution]
) -> dict[str, dict[str, set[str]]]:
    """By package: the files that a distribution of pip's lists as its own, each with the names of these."""
    if not distributions:
        return {}
    owner = {path: record.package.name for record in records for path in record.files}
    root = f"{prefix.path}/".replace("//", "/")
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for distribution in distributions:
        for path in prefix.recorded(distribution):
            inner = posixpath.normpath(path).removeprefix(root)
            if inner in owner:
                found[owner[inner]][inner].add(distribution.name)
    return {package: dict(paths) for package, paths in found.items()}


def _with_state(
    record: CondaRecord, absent: frozenset[str], overwritten: Mapping[str, Mapping[str, set[str]]], notes: Notes
) -> CondaPackage:
    package = record.package
    missing = sorted(path for path in record.files if path in absent)
    taken = overwritten.get(package.name, {})
    if len(missing) > MISSING or len(taken) > MISSING:
        notes.left_out(
            f"{package.name}: more than {MISSING} of its files are missing or overwritten: not all are listed"
        )
    return replace(
        package,
        missing=tuple(missing[:MISSING]),
        overwritten=tuple(sorted(taken)[:MISSING]),
        overwritten_by=tuple(sorted({name for names in taken.values() for name in names})),
    )


def _channels(prefix: Prefix, packages: Iterable[CondaPackage], notes: Notes) -> tuple[str, ...]:
    """As ``conda env export``: what is configured, and before that what only packages name."""
    configured: tuple[str, ...] = ()
    for data in prefix.condarcs:
        try:
            configured = configured or parse_channels(data)
        except CondarcError as error:
            notes.add(_note(prefix.path / ".condarc", error.message))
    used = dict.fromkeys(channel_name(package.channel) for package in packages)
    extra = [name for name in used if name not in (configured or (DEFAULTS,))]
    if not configured and DEFAULTS not in used:
        return tuple(sorted(extra))
    return (*sorted(extra), *(configured or (DEFAULTS,)))


def _note(path: PurePosixPath, reason: str) -> Skipped:
    return Skipped(subject=printable(path.name), place=printable(str(path)), reason=printable(reason))
