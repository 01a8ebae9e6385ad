"""What a command is about: an environment, a lock or an image, as its user names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from envsync.errors import UsageError
from envsync.local import describe
from envsync.locate import default_environment, is_environment, is_there, lock_at_hand, parse_meant
from envsync.lock.store import SNAPSHOT, choose_lock, find_locks
from envsync.model import Snapshot
from envsync.pull_options import Progress, PullOptions
from envsync.redaction import printable
from envsync.take import take_snapshot


class Subject(Struct, frozen=True, kw_only=True):
    """A snapshot, and where it is from."""

    snapshot: Snapshot
    lock: str | None = None
    """The lock directory it was read from."""


def find_subject(
    text: str,
    root: Path,
    pull: PullOptions,
    progress: Progress,
    describe: Callable[[Path], Snapshot] = describe,
) -> Subject:
    """What ``text`` names.

    Args:
        text: an environment, a lock directory, or an image, of which the lock counts first.
        root: the folder of lock directories.
        pull: how to look at an image of which there is no lock; nothing is written but the cache.
        progress: where that tells how far it is.
        describe: how to look at an environment of this machine.

    Raises:
        EnvsyncError: it cannot be found or read.
    """
    path = Path(text)
    if is_environment(path):
        return Subject(snapshot=describe(path))
    if is_there(path) and path.is_dir() and (text.startswith((".", "/", "~")) or text.endswith("/")):
        located = lock_at_hand(text, root) if (path / SNAPSHOT).exists() else None
        if located is None:
            raise UsageError(
                f"{text}: neither an environment (no pyvenv.cfg, no bin/python) nor a lock directory (no {SNAPSHOT})"
            )
    else:
        located = lock_at_hand(text, root)
    if located is not None:
        return Subject(snapshot=located.lock.snapshot, lock=str(located.lock.path))
    reference = parse_meant(text)
    if not any(mark in text for mark in ":/@"):
        progress.note(f"{printable(text)}: no environment and no lock here, so taken for an image")
    return Subject(snapshot=take_snapshot(reference, pull, progress))


def usual_subject(root: Path, progress: Progress) -> Subject:
    """What a command that only looks means without a name: the lock that ``create`` takes, else the environment.

    Raises:
        EnvsyncError: there is neither, or several locks of which none was pulled last.
    """
    locks = find_locks(root)
    if locks:
        lock = choose_lock(root, "envsync show ")
        progress.note(
            f"{'the only lock' if len(locks) == 1 else f'of {len(locks)} locks, the one pulled last'} in {root}"
        )
        return Subject(snapshot=lock.snapshot, lock=str(lock.path))
    try:
        environment = default_environment()
    except UsageError as error:
        raise UsageError(
            f"{root}: no lock here, and {error.message}",
            hint="Make a lock: envsync pull IMAGE\nOr name what to look at: envsync show IMAGE, envsync show ENV",
        ) from error
    progress.note(f"no lock in {root}: the environment {environment}")
    return Subject(snapshot=describe(environment))
