"""``pull``: reference -> image -> snapshot -> lock directory."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct, structs

from envsync.errors import LockError, SolveError, UsageError
from envsync.lock.conda.grammar import subdir_of
from envsync.lock.store import Written, lock_path, read_lock, same_facts, says_more, write_lock
from envsync.model import CondaEnvironment, ImageSource, Snapshot, SolvedEnvironment
from envsync.pull_options import Progress, PullOptions
from envsync.reference import ArchiveFile, Digest, ImageName, LayoutFolder, NamedImage, Platform, Reference
from envsync.solve import ChannelAccess, Telling, solve
from envsync.take import take_snapshot


class Wishes(Struct, frozen=True, kw_only=True):
    """What the lock of a conda image is to have beyond the image's facts; a later pull keeps it where it can."""

    name: str | None = None
    """Of the environment, in ``environment.yml``."""
    subdirs: tuple[str, ...] = ()
    """Platforms to choose packages for, as conda names them; that of the image itself is there anyway."""
    channels: ChannelAccess = ChannelAccess()


class Pulled(Struct, frozen=True, kw_only=True):
    """A snapshot and the lock directory it went to."""

    snapshot: Snapshot
    written: Written
    dropped: tuple[str, ...] = ()
    """Platforms that the lock had packages for, solved for the image as it was before."""


def pull(
    reference: Reference, root: Path, options: PullOptions, progress: Progress, wishes: Wishes | None = None
) -> Pulled:
    """Learn what an image holds and write its lock directory under ``root``.

    Where nobody asked for a method, and the lock that is there already was made from an image of the same digest,
    that lock is the answer.

    Raises:
        SolveError: nothing fits one of the platforms wished for; the lock was written without it.
        EnvsyncError: the subclass of the stage that failed; nothing was written.
    """
    wishes = wishes or Wishes()

    def at_hand(digest: Digest | None, platform: Platform | None) -> Snapshot | None:
        if digest is None or options.method != "auto" or options.cache is None or not isinstance(reference, NamedImage):
            return None
        return _at_hand(lock_path(root, reference.name), digest, platform, options)

    snapshot = take_snapshot(reference, options, progress, at_hand)
    path = root_path(root, reference, snapshot)
    environment = snapshot.conda_environment
    if environment is None:
        if wishes.name is not None or wishes.subdirs:
            raise UsageError(
                f"{reference}: {'--name' if wishes.name is not None else f'--platform {wishes.subdirs[0]}'}: "
                "its Python is of no conda environment, which alone has a name and is solved",
                hint="Leave the option out: wheels for another platform are chosen by create.",
            )
        return Pulled(snapshot=snapshot, written=write_lock(path, snapshot))
    return _pull_conda(path, snapshot, environment, wishes, progress, fresh=options.cache is None)


def _pull_conda(
    path: Path,
    snapshot: Snapshot,
    environment: CondaEnvironment,
    wishes: Wishes,
    progress: Progress,
    *,
    fresh: bool,
) -> Pulled:
    """Write the lock of a conda image with what is wished for, and what was wished for before and still holds."""
    previous = _written(path)
    before = (previous and previous.conda_environment) or CondaEnvironment()
    holds = previous is not None and same_facts(previous, snapshot)
    own = subdir_of(environment, snapshot.platform)
    asked = [subdir for subdir in wishes.subdirs if subdir != own]
    old = {one.subdir: one for one in before.solved if holds}
    solved = {subdir: one for subdir, one in old.items() if not (fresh and subdir in asked)}
    telling = Telling(step=progress.step, note=progress.note)
    failed: list[SolveError] = []
    for subdir in asked:
        if subdir in solved:
            continue
        try:
            solved[subdir] = solve(environment, subdir, wishes.channels, telling)
        except SolveError as error:
            failed.append(error)
            if subdir in old:
                solved[subdir] = old[subdir]
    name = wishes.name if wishes.name is not None else before.name
    chosen = tuple(solved[subdir] for subdir in sorted(solved))
    if previous is not None and not says_more(snapshot, previous) and (name, chosen) != (before.name, before.solved):
        snapshot = previous  # written again for what was chosen: its facts, and when they were first seen, stay
    snapshot = _with_choices(snapshot, name, chosen)
    written = write_lock(path, snapshot)
    if failed:
        hints = dict.fromkeys(error.hint for error in failed if error.hint)
        raise SolveError(
            "\n".join(error.message for error in failed),
            hint="\n".join([*hints, f"The lock of the image itself is written: {path}"]),
        ) from failed[0]
    dropped = tuple(one.subdir for one in before.solved if one.subdir not in solved)
    return Pulled(snapshot=snapshot, written=written, dropped=dropped)


def _with_choices(snapshot: Snapshot, name: str | None, solved: tuple[SolvedEnvironment, ...]) -> Snapshot:
    first, *others = snapshot.conda
    return structs.replace(snapshot, conda=(structs.replace(first, name=name, solved=solved), *others))


def _written(path: Path) -> Snapshot | None:
    """What the lock at ``path`` says; ``None``: there is none that can be read."""
    try:
        return read_lock(path).snapshot
    except LockError:
        return None


def _at_hand(path: Path, digest: Digest, platform: Platform | None, options: PullOptions) -> Snapshot | None:
    """What the lock at ``path`` says, if it was made from the image of this digest for this platform."""
    found = _written(path)
    if found is None:
        return None
    asked = platform or options.platform
    same = isinstance(found.source, ImageSource) and found.source.digest == digest
    fits = asked is None or (found.platform is not None and asked.accepts(found.platform))
    chosen = options.interpreter is None or found.python.executable == options.interpreter
    if not (same and fits and chosen):
        return None
    if options.artifacts is None:
        return found
    # An older envsync did not look at what the environment needs of its system.
    return found if found.needs is not None and options.artifacts.are_at_hand(found) else None


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
