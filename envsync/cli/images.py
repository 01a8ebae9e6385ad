"""``envsync images``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envsync.cli import console
from envsync.cli.options import Lockfiles, lockfiles_folder

if TYPE_CHECKING:
    from envsync.model import Source
    from envsync.official import ImageRow


def images(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is known, with notes and sources, as JSON.")
    ] = False,
    lockfiles: Lockfiles = None,
) -> int:
    """List the official images and their locks.

    What published sources say of each, and which locks of them are at hand.

    A lock under the folder of lock directories counts before one that came with envsync.
    """
    from envsync.official import DamagedLock, data_folder, rows
    from envsync.report.images import render_images, render_images_json

    folder = lockfiles_folder(lockfiles)
    listed = rows((folder, data_folder("lockfiles")), _read_source)
    console.data(render_images_json(listed) if as_json else render_images(listed, others=_others(folder, listed)))
    return 1 if any(isinstance(row.lock, DamagedLock) for row in listed) else 0


def _others(folder: Path, listed: Sequence[ImageRow]) -> list[tuple[str, Source]]:
    """Locks at hand of images that are not official: their directories and sources."""
    from envsync.errors import LockError
    from envsync.lock.store import find_locks, read_lock

    official = {row.lock.path for row in listed if row.lock is not None}
    found: list[tuple[str, Source]] = []
    for path in find_locks(folder):
        if str(path) not in official:
            with contextlib.suppress(LockError):  # pull and create tell of a damaged one
                found.append((str(path), read_lock(path).snapshot.source))
    return found


def _read_source(path: Path) -> Source | None:
    from envsync.errors import LockError
    from envsync.lock.store import SNAPSHOT, read_lock

    try:
        present = (path / SNAPSHOT).exists()
    except OSError as error:
        raise LockError(f"{path}: cannot be read: {error.strerror}") from error
    return read_lock(path).snapshot.source if present else None
