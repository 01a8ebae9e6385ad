"""Which lock a user means."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from envsync.errors import UsageError
from envsync.lock.store import SNAPSHOT, Lock, choose_lock, lock_path, read_lock
from envsync.official import data_folder
from envsync.pull import Progress, PullOptions, pull
from envsync.reference import ArchiveFile, LayoutFolder, NamedImage, parse_reference


class Located(Struct, frozen=True, kw_only=True):
    """A lock, and how it was come by."""

    lock: Lock
    shipped: bool = False
    """It is one of those that come with envsync."""
    pulled: bool = False
    """It was made just now."""


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
    if image is None:
        return Located(lock=choose_lock(root))
    at_hand = lock_at_hand(image, root)
    if at_hand is not None:
        return at_hand
    pulled = pull(parse_reference(image), root, options, progress)
    return Located(lock=Lock(path=pulled.written.path, snapshot=pulled.snapshot), pulled=True)


def lock_at_hand(text: str, root: Path) -> Located | None:
    """The lock of an image reference, or at a path: under ``root``, else shipped with envsync; ``None``: there is none.

    Raises:
        LockError: it is damaged.
        ReferenceSyntaxError: ``text`` is neither a lock directory nor an image reference.
    """
    if (Path(text) / SNAPSHOT).is_file():
        return Located(lock=read_lock(Path(text)))
    match parse_reference(text):
        case NamedImage(name=name):
            for folder, shipped in ((root, False), (data_folder("lockfiles"), True)):
                path = lock_path(folder, name)
                if (path / SNAPSHOT).is_file():
                    return Located(lock=read_lock(path), shipped=shipped)
        case ArchiveFile() | LayoutFolder():
            pass
    return None


def default_environment() -> Path:
    """The environment that a command without arguments means: the active one, else ``./.venv``.

    Raises:
        UsageError: there is neither.
    """
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if active:
        return Path(active)
    if is_environment(Path(".venv")):
        return Path(".venv")
    raise UsageError(
        "no environment is active, and there is none at .venv",
        hint="Make one: envsync create .venv\nOr name what to compare: envsync diff ENV, envsync diff IMAGE IMAGE",
    )


def is_environment(path: Path) -> bool:
    """Whether ``path`` looks like a virtual environment, or any other prefix with a Python."""
    return (path / "pyvenv.cfg").is_file() or any((path / "bin" / name).exists() for name in ("python", "python3"))
