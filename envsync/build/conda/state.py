"""What is in a conda prefix on this machine, and taking away from it what the image does not have."""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from envsync.build.installed import Installed, read_installed, site_packages
from envsync.catalog.conda.record import CondaRecord, RecordError, parse_record
from envsync.errors import BuildError
from envsync.model import CondaPackage

META = "conda-meta"


def read_records(prefix: Path) -> dict[str, CondaRecord]:
    """The records of a prefix by name; those that make no sense are left out."""
    found: dict[str, CondaRecord] = {}
    for path in sorted((prefix / META).glob("*.json")):
        with contextlib.suppress(RecordError, OSError):
            record = parse_record(path.read_bytes())
            found.setdefault(record.package.name, record)
    return found


def is_installed(packages: Iterable[CondaPackage], records: Mapping[str, CondaRecord]) -> bool:
    """Whether exactly these packages are there, by name, version, build and hash."""
    wanted = {package.name: package for package in packages}
    return wanted.keys() == records.keys() and all(_is_same(one, records[name].package) for name, one in wanted.items())


def _is_same(one: CondaPackage, other: CondaPackage) -> bool:
    if (one.version, one.build, one.subdir) != (other.version, other.build, other.subdir):
        return False
    if one.sha256 is not None and other.sha256 is not None:
        return one.sha256 == other.sha256
    return one.md5 is not None and one.md5 == other.md5


class Distributions(Struct, frozen=True, kw_only=True):
    """What is in the site-packages of a conda prefix."""

    by_pip: tuple[Installed, ...]
    """Those that no conda package brought, or that pip put in the place of one that did."""
    by_conda: frozenset[str]
    """Normalised names of the others."""


def read_distributions(prefix: Path, records: Mapping[str, CondaRecord]) -> Distributions:
    """Tell apart who installed the distributions of a prefix: conda's RECORD is what its package brought."""
    place = site_packages(prefix)
    inside = f"{place.relative_to(prefix).as_posix()}/" if place is not None else ""
    brought: dict[str, str | None] = {}
    for record in records.values():
        for path in record.files:
            if not path.startswith(inside):
                continue
            entry, _, rest = path.removeprefix(inside).partition("/")
            brought.setdefault(entry, None)
            if rest == "RECORD":
                brought[entry] = record.sha256.get(path)
    by_pip, by_conda = [], set()
    for one in read_installed(prefix):
        if one.folder in brought and place is not None and _is_as_brought(place / one.folder, brought[one.folder]):
            by_conda.add(one.name)
        else:
            by_pip.append(one)
    return Distributions(by_pip=tuple(by_pip), by_conda=frozenset(by_conda))


def _is_as_brought(metadata: Path, known: str | None) -> bool:
    if known is None:
        return True
    try:
        return hashlib.sha256((metadata / "RECORD").read_bytes()).hexdigest() == known
    except OSError:  # what is missing is told elsewhere
        return True


def nested_environments(prefix: Path) -> tuple[str, ...]:
    """Environments inside of a prefix, as conda in it makes them: relative to it, sorted."""
    found = (path.parent for path in prefix.glob("envs/*/conda-meta"))
    return tuple(sorted(path.relative_to(prefix).as_posix() for path in found))


def make_readable(prefix: Path, packages: Iterable[CondaPackage]) -> None:
    """Give records the mode of other files: rattler writes them for their owner alone, conda for everyone."""
    mode = (prefix / META / "history").lstat().st_mode & 0o777
    for package in packages:
        path = prefix / META / f"{package.name}-{package.version}-{package.build}.json"
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                path.chmod(mode)


def remove_missing(prefix: Path, packages: Iterable[CondaPackage]) -> None:
    """Take away the files of packages that the image lacks, and the folders that this empties.

    A file is only removed where the record of its own package lists it, and no link leads to it.

    Raises:
        BuildError: one cannot be removed.
    """
    lacking = [package for package in packages if package.missing]
    records = read_records(prefix) if lacking else {}
    for package in lacking:
        record = records.get(package.name)
        if record is None:
            continue
        for path in sorted(frozenset(package.missing) & frozenset(record.files)):
            _remove(prefix, PurePosixPath(path))


def _remove(prefix: Path, path: PurePosixPath) -> None:
    parents = list(_parents(prefix, path))
    if any(parent.is_symlink() for parent in parents):
        return
    try:
        (prefix / path).unlink(missing_ok=True)
    except OSError as error:
        raise BuildError(f"{prefix / path}: cannot be removed, as in the image: {error.strerror}") from error
    with contextlib.suppress(OSError):
        for parent in parents:
            parent.rmdir()


def _parents(prefix: Path, path: PurePosixPath) -> Iterator[Path]:
    """The folders between the prefix and a file in it, innermost first."""
    return (prefix / parent for parent in path.parents if parent != PurePosixPath("."))
