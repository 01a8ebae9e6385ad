"""Which lock a user means."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from envsync.errors import UsageError
from envsync.lock.store import SNAPSHOT, Lock, choose_lock, edited_files, find_locks, lock_path, read_lock
from envsync.official import data_folder
from envsync.reference import (
    SCHEMES,
    ArchiveFile,
    ImageName,
    LayoutFolder,
    NamedImage,
    Reference,
    parse_reference,
)

if TYPE_CHECKING:
    from envsync.pull_options import Progress, PullOptions


class Located(Struct, frozen=True, kw_only=True):
    """A lock, and how it was come by."""

    lock: Lock
    shipped: bool = False
    """It is one of those that come with envsync."""
    pulled: bool = False
    """It was made just now."""
    edited: tuple[str, ...] = ()
    """Files of it that are not what its snapshot is written as."""


def locate_lock(image: str | None, root: Path, options: PullOptions, progress: Progress) -> Located:
    """The lock to make an environment from.

    Args:
        image: an image reference or lock directory; ``None``: the only lock under ``root``, else the last one pulled.
        root: the folder of lock directories.
        options: for an image of which there is no lock: it is pulled.
        progress: where a pull tells how far it is.

    Raises:
        LockError: none, ambiguous or damaged.
        EnvsyncError: the image had to be pulled, and that failed.
    """
    at_hand = Located(lock=choose_lock(root)) if image is None else lock_at_hand(image, root)
    if at_hand is not None:
        edited = edited_files(at_hand.lock.path, at_hand.lock.snapshot)
        return msgspec.structs.replace(at_hand, edited=edited)
    assert image is not None  # noqa: S101 - a lock was chosen otherwise
    from envsync.pull import pull

    pulled = pull(parse_meant(image), root, options, progress)
    return Located(lock=Lock(path=pulled.written.path, snapshot=pulled.snapshot), pulled=True)


def lock_at_hand(text: str, root: Path) -> Located | None:
    """The lock of an image reference, or at a path: under ``root``, else shipped with envsync; ``None``: there is none.

    Raises:
        LockError: it is damaged.
        ReferenceSyntaxError: ``text`` is neither a lock directory nor an image reference.
    """
    if is_there(Path(text) / SNAPSHOT):
        return Located(lock=read_lock(Path(text)))
    match parse_meant(text):
        case NamedImage(name=name):
            for folder, shipped in ((root, False), (data_folder("lockfiles"), True)):
                path = lock_path(folder, name)
                if is_there(path / SNAPSHOT):
                    return Located(lock=read_lock(path), shipped=shipped)
        case ArchiveFile() | LayoutFolder():
            pass
    return None


def parse_meant(text: str) -> Reference:
    """Parse an image reference; one that is rather a path is refused with what was probably meant.

    Raises:
        UsageError: there is a file or folder of this name, or the name is that of a file.
        ReferenceSyntaxError: see :func:`envsync.reference.parse_reference`.
    """
    if text.partition(":")[0] in SCHEMES:
        return parse_reference(text)
    path = Path(text)
    looks_like_a_path = text.startswith((".", "/", "~")) or text.endswith((".tar", ".tar.gz", ".tgz", ".tar.zst"))
    if not is_there(path) and not looks_like_a_path:
        return parse_reference(text)
    if not looks_like_a_path and path.is_dir() and not path.is_absolute() and ":" not in text:
        looks_like_a_path = any((path / name).exists() for name in ("oci-layout", "snapshot.json")) or any(
            find_locks(path)
        )
    if not looks_like_a_path:
        return parse_reference(text)
    if not is_there(path):
        raise UsageError(f"{text}: no such file or folder", hint="An archive is named so: docker-archive:FILE")
    if path.is_dir():
        inside = [f"  {found}" for found in find_locks(path)[:10]]
        hint = "\n".join(["The locks in it:", *inside]) if inside else f"For an OCI layout: oci:{text}[:TAG]"
        raise UsageError(f"{text}: a folder that is no lock directory and no environment", hint=hint)
    raise UsageError(f"{text}: a file, not the name of an image", hint=f"Did you mean docker-archive:{text}?")


def rescue(name: str) -> str | None:
    """What can be done where the image ``name`` cannot be had: a lock that is shipped, or another spelling."""
    from envsync.official import catalogue

    known = [f"{image.repository}:{tag.tag}" for image in catalogue() for tag in image.tags]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.85)
        return f"Did you mean {' or '.join(close)}?" if close else None
    path = lock_path(data_folder("lockfiles"), ImageName.parse(name))
    if not (path / SNAPSHOT).is_file():
        return None
    return f"A lock from a published list comes with envsync: envsync create .venv --image {name}"


def default_environment() -> Path:
    """The environment that a command without arguments means: the active one, else ``./.venv``, else ``./.conda``.

    The one that envsync itself is installed in is not meant by being active.

    Raises:
        UsageError: there is none.
    """
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if active and Path(active).resolve() != Path(sys.prefix).resolve():
        return Path(active)
    for usual in (Path(".venv"), Path(".conda")):
        if is_environment(usual):
            return usual
    raise UsageError(
        "no environment is active, and there is none at .venv or .conda",
        hint="Make one: envsync create .venv\nOr name what to compare: envsync diff ENV, envsync diff IMAGE IMAGE",
    )


def is_environment(path: Path) -> bool:
    """Whether ``path`` looks like a virtual environment, or any other prefix with a Python."""
    return any(is_there(path / name) for name in ("pyvenv.cfg", "bin/python", "bin/python3"))


def is_there(path: Path) -> bool:
    """Whether there is anything at ``path``, which may be longer than any path can be."""
    try:
        return path.exists()
    except OSError:
        return False
