"""Where an environment may be made, and where not."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envsync.build.marker import MARKER_NAME, Marker, read_marker
from envsync.errors import BuildError
from envsync.writing import STAGING, discard_leftovers


def absolute_target(target: Path) -> Path:
    """The absolute path of a target: a link stands for what it leads to, linked parents are kept as typed."""
    path = target.expanduser()
    if ".." in path.parts or os.path.islink(path) or path.name == "":
        return path.resolve()
    return path.absolute()


def check_target(target: Path) -> Marker | None:
    """Look at an absolute target before anything is done; returns the marker of an environment that is there.

    Raises:
        BuildError: it must not be touched, or cannot be.
        LockError: its marker is damaged.
    """
    if STAGING in target.name:
        raise BuildError(f"{target}: names with {STAGING!r} are envsync's own", hint="Choose another name.")
    if os.path.lexists(target) and not os.path.isdir(target):
        raise BuildError(f"{target}: is a file (expected a folder, or nothing)", hint="Name a new folder.")
    if _holds_running_interpreter(target):
        raise BuildError(
            f"{target}: is the environment that envsync itself runs in",
            hint="Name another folder; envsync can make environments anywhere.",
        )
    if outer := next((folder for folder in target.parents if _is_environment(folder)), None):
        raise BuildError(
            f"{target}: is inside the environment {outer}, and would be lost when that is made anew",
            hint="Name a folder outside of it.",
        )
    _check_parent(target)
    marker = read_marker(target)
    if marker is None and _is_filled(target):
        raise BuildError(
            f"{target}: exists, and envsync did not make it",
            hint="envsync never touches what it did not make: name another folder, or move this one away.",
        )
    return marker


def _check_parent(target: Path) -> None:
    """An environment is built beside its place, so the folder above must be readable and writable."""
    parent = next((folder for folder in target.parents if os.path.lexists(folder)), target.parent)
    may = os.R_OK | os.W_OK | os.X_OK
    if os.path.isdir(parent) and not os.access(parent, may, effective_ids=os.access in os.supports_effective_ids):
        raise BuildError(
            f"{target}: {parent} is not a folder that you may write to",
            hint="Name a folder elsewhere, or have its permissions changed.",
        )


def _is_environment(folder: Path) -> bool:
    return os.path.exists(folder / MARKER_NAME) and os.path.lexists(folder / "bin" / "python")


def _is_filled(target: Path) -> bool:
    try:
        return target.is_dir() and any(target.iterdir())
    except OSError as error:
        raise BuildError(f"{target}: cannot be looked into: {error.strerror}") from error


def _holds_running_interpreter(target: Path) -> bool:
    """Whether this process's environment is ``target`` or lies inside it."""
    if not os.path.isdir(target):
        return False
    prefix = Path(sys.prefix).resolve()
    return target.resolve() in (prefix, *prefix.parents)


@contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """Keep other envsync processes from working beside ``target`` for so long; waits for its turn.

    The parent folder itself is locked, so that no lock file is left behind; where it cannot be locked (some network
    file systems), or does not exist yet, this does nothing.
    """
    try:
        parent = os.open(target.parent, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        try:
            fcntl.flock(parent, fcntl.LOCK_EX)
        except OSError:
            pass
        else:
            # An interrupted run may have left the environment aside: what is checked next is what there really is.
            discard_leftovers(target)
        yield
    finally:
        os.close(parent)
