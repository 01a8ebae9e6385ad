"""What is in a conda prefix on this machine, and taking away from it what the image does not have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from envsync.build.installed import Installed, read_installed
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
    wanted = {package.name: _identity(package) for package in packages}
    return wanted == {name: _identity(record.package) for name, record in records.items()}


def _identity(package: CondaPackage) -> tuple[str, str, str, str | None]:
    return package.version, package.build, package.subdir, package.md5


def read_pip_installed(prefix: Path, records: Mapping[str, CondaRecord]) -> tuple[Installed, ...]:
    """The distributions of a prefix that no conda package brought."""
    brought = {PurePosixPath(path).parts[-2] for record in records.values() for path in record.files if "/" in path}
    return tuple(one for one in read_installed(prefix) if one.folder not in brought)


def make_readable(prefix: Path) -> None:
    """Give records the mode of other files: rattler writes them for their owner alone, conda for everyone."""
    mode = (prefix / META / "history").stat().st_mode & 0o777
    for path in (prefix / META).glob("*.json"):
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
