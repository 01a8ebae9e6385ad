"""What of a lock is for which platform."""

from __future__ import annotations

from msgspec import Struct, structs

from envsync.lock.conda.grammar import subdir_of
from envsync.model import CondaPackage, Snapshot, SolvedEnvironment


class ForPlatform(Struct, frozen=True, kw_only=True):
    """The conda packages of a lock for one platform."""

    subdir: str
    packages: tuple[CondaPackage, ...]
    solved: SolvedEnvironment | None = None
    """How they were chosen; ``None``: they are those of the image."""


def packages_for(snapshot: Snapshot, subdir: str) -> ForPlatform | None:
    """What the lock has for ``subdir``: the image's own packages, or solved ones; ``None``: neither.

    Packages that fit all platforms, of an image whose platform nothing tells, are for every one.
    """
    environment = snapshot.conda_environment
    if environment is None:
        return None
    if subdir_of(environment, snapshot.platform) in (subdir, None):
        return ForPlatform(subdir=subdir, packages=environment.packages)
    solved = next((one for one in environment.solved if one.subdir == subdir), None)
    return None if solved is None else ForPlatform(subdir=subdir, packages=solved.packages, solved=solved)


def on_the_platform_of(actual: Snapshot, lock: Snapshot) -> Snapshot:
    """``lock`` with the packages that it has for the platform which ``actual`` is on; unchanged where it has none.

    So an environment that was solved for a Mac is compared with what was solved, not with the image's own packages.
    """
    theirs, ours = actual.conda_environment, lock.conda_environment
    if theirs is None or ours is None or (subdir := subdir_of(theirs)) is None:
        return lock
    found = packages_for(lock, subdir)
    if found is None or found.solved is None:
        return lock
    environment = structs.replace(ours, packages=found.packages)
    return structs.replace(lock, conda=(environment, *lock.conda[1:]))


def platforms(snapshot: Snapshot) -> tuple[str, ...]:
    """The platforms that a lock has conda packages for, the image's own first."""
    environment = snapshot.conda_environment
    if environment is None:
        return ()
    own = subdir_of(environment, snapshot.platform)
    return (*([own] if own else []), *(one.subdir for one in environment.solved))
