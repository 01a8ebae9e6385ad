"""The files of distributions in an image, by RECORD, and whether they are what it says."""

from __future__ import annotations

import posixpath
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.contents import digest_of, entry_point_scripts, installed_path, without_compiled
from envsync.errors import EnvsyncError
from envsync.files import FileReadError, FileTree
from envsync.model import Distribution
from envsync.record import Parse, RecordError, parse_record
from envsync.reference import Digest

_RECORD_LIMIT = 32 * 1024 * 1024
_PATCHED = 20
"""Files that are named of a distribution that was changed after its installation."""

Digests = Callable[[Iterable[str]], Mapping[str, bytes]]
"""SHA-256 of the regular files at absolute paths; those that are none are left out."""


Place = tuple[str, PurePosixPath | None]
"""Name and metadata of a distribution."""


class ListingError(EnvsyncError):
    """Nothing tells which files belong to a distribution. Callers say so of it."""


class ListedFile(Struct, frozen=True):
    """A file that a distribution consists of."""

    normal: str
    """See :mod:`envsync.contents`."""
    path: str
    """Absolute, in the image."""
    recorded: bytes | None
    """SHA-256, as RECORD says."""

    @property
    def is_script(self) -> bool:
        """Whether its first line is the installer's, and RECORD has that one."""
        return self.normal.startswith("bin/")


class Contents(Struct, frozen=True, kw_only=True):
    """The files of one distribution: SHA-256 digests by normal path."""

    actual: Mapping[str, bytes]
    """As they are."""
    recorded: Mapping[str, bytes] | None
    """As they were installed, as far as RECORD tells; ``None``: there is no RECORD."""
    missing: tuple[str, ...]
    """Listed, and not there."""

    @property
    def digest(self) -> Digest:
        """Of the files as they are."""
        return digest_of(self.actual)

    @property
    def patched(self) -> tuple[str, ...]:
        """What is not as it was installed, sorted."""
        was = self.recorded or {}
        changed = {path for path, digest in self.actual.items() if was.get(path, digest) != digest}
        return tuple(sorted(changed.union(self.missing)))


def list_files(tree: FileTree, distribution: Distribution, *, parse: Parse = parse_record) -> tuple[ListedFile, ...]:
    """What its RECORD lists, less what installers write.

    Raises:
        ListingError: there is none, or it cannot be understood.
    """
    if distribution.metadata is None or distribution.location is None:
        raise ListingError(f"{distribution.name}: nothing tells where it is")
    try:
        text = tree.read(distribution.metadata / "RECORD", limit=_RECORD_LIMIT).decode("utf-8", "surrogateescape")
        entries = parse(text)
    except (FileReadError, RecordError) as error:
        raise ListingError(f"{distribution.name}: {error.message}") from error
    base, info = f"{distribution.location}/", distribution.metadata.name
    generated = entry_point_scripts(distribution)
    found: dict[str, ListedFile] = {}
    for entry in entries:
        normal = installed_path(entry.path, info, generated)
        if normal is None:
            continue
        path = base + entry.path
        path = posixpath.normpath(path) if ".." in path else path
        digest = decoded(entry.digest) if entry.algorithm == "sha256" and entry.digest else None
        found[normal] = ListedFile(normal, path, digest)
    kept = without_compiled(found.keys())
    return tuple(file for normal, file in found.items() if normal in kept)


def decoded(digest: str) -> bytes | None:
    """The bytes of a SHA-256 in RECORD's URL-safe Base64."""
    try:
        raw = a2b_base64(digest.replace("-", "+").replace("_", "/") + "=" * (-len(digest) % 4))
    except ValueError:
        return None
    return raw if len(raw) == 32 else None


def read_contents(
    distributions: Iterable[Distribution],
    tree: FileTree,
    digests: Digests,
    *,
    trusting: bool = False,
    parse: Parse = parse_record,
) -> dict[int, Contents | ListingError]:
    """The contents of distributions by their position; all files are asked for at once.

    Args:
        distributions: installed, with RECORD.
        tree: where they are.
        digests: of files in ``tree``.
        trusting: believe RECORD, and ask only for what it does not tell, and for scripts.
        parse: RECORD.
    """
    listed: dict[int, tuple[ListedFile, ...] | ListingError] = {}
    for position, distribution in enumerate(distributions):
        try:
            listed[position] = list_files(tree, distribution, parse=parse)
        except ListingError as error:
            listed[position] = error
    files = [file for files in listed.values() if isinstance(files, tuple) for file in files]
    believed = {file.path: file.recorded for file in files if trusting and file.recorded and not file.is_script}
    found = {**believed, **digests(file.path for file in files if file.path not in believed)}
    return {
        position: one if isinstance(one, ListingError) else _contents(one, found) for position, one in listed.items()
    }


def _contents(files: tuple[ListedFile, ...], found: Mapping[str, bytes]) -> Contents:
    actual: dict[str, bytes] = {}
    recorded: dict[str, bytes] = {}
    missing: list[str] = []
    for file in files:
        digest = found.get(file.path)
        if digest is None:
            missing.append(file.normal)
            if file.recorded is not None:
                recorded[file.normal] = file.recorded
            continue
        actual[file.normal] = digest
        recorded[file.normal] = digest if file.is_script or file.recorded is None else file.recorded
    return Contents(actual=actual, recorded=recorded, missing=tuple(sorted(missing)))


def with_contents(distribution: Distribution, contents: Contents) -> Distribution:
    """What a snapshot says of the files."""
    from msgspec.structs import replace

    return replace(distribution, contents=contents.digest, patched=contents.patched[:_PATCHED])
