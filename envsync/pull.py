"""``pull``: reference -> image -> snapshot -> lock directory."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from envsync.errors import LockError
from envsync.lock.store import Written, lock_path, read_lock, write_lock
from envsync.model import ImageSource, Snapshot
from envsync.reference import ArchiveFile, Digest, ImageName, LayoutFolder, NamedImage, Platform, Reference
from envsync.take import Progress, PullOptions, take_snapshot


class Pulled(Struct, frozen=True, kw_only=True):
    """A snapshot and the lock directory it went to."""

    snapshot: Snapshot
    written: Written


def pull(reference: Reference, root: Path, options: PullOptions, progress: Progress) -> Pulled:
    """Learn what an image holds and write its lock directory under ``root``.

    Where nobody asked for a method, and the lock that is there already was made from an image of the same digest,
    that lock is the answer.

    Raises:
        EnvsyncError: the subclass of the stage that failed; nothing was written.
    """

    def at_hand(digest: Digest | None, platform: Platform | None) -> Snapshot | None:
        if digest is None or options.method != "auto" or options.cache is None or not isinstance(reference, NamedImage):
            return None
        return _at_hand(lock_path(root, reference.name), digest, platform, options)

    snapshot = take_snapshot(reference, options, progress, at_hand)
    return Pulled(snapshot=snapshot, written=write_lock(root_path(root, reference, snapshot), snapshot))


def _at_hand(path: Path, digest: Digest, platform: Platform | None, options: PullOptions) -> Snapshot | None:
    """What the lock at ``path`` says, if it was made from the image of this digest for this platform."""
    try:
        found = read_lock(path).snapshot
    except LockError:
        return None
    asked = platform or options.platform
    same = isinstance(found.source, ImageSource) and found.source.digest == digest
    fits = asked is None or (found.platform is not None and asked.accepts(found.platform))
    chosen = options.interpreter is None or found.python.executable == options.interpreter
    return found if same and fits and chosen else None


def root_path(root: Path, reference: Reference, snapshot: Snapshot) -> Path:
    """The lock directory of a snapshot: by the image's own name, else by that of its file."""
    match reference:
        case NamedImage(name=name):
            return lock_path(root, name)
        case ArchiveFile(path=path, name=tag) | LayoutFolder(path=path, tag=tag):
            source = snapshot.source
            if isinstance(source, ImageSource) and ":" not in _scheme(source.reference):
                return lock_path(root, ImageName.parse(source.reference))
            stem = re.sub(r"[^a-z0-9]+", "-", path.resolve().name.split(".")[0].lower()).strip("-") or "image"
            label = re.sub(r"[^A-Za-z0-9_.-]+", "-", tag or "latest").lstrip(".-") or "latest"
            return lock_path(root, ImageName(registry="local", repository=stem, tag=label))


def _scheme(reference: str) -> str:
    head = reference.split(":", 1)[0]
    return f"{head}:" if head in ("docker-archive", "oci-archive", "oci") else ""
