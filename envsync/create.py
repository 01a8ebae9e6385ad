"""``create``: lock -> environment -> the same environment, described from its files -> what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from envsync.build.marker import LockIdentity
from envsync.build.venv import BuildOptions, create
from envsync.drift.changes import find_changes
from envsync.drift.compare import compare
from envsync.drift.finding import Finding, Scope, ranked
from envsync.drift.names import normalized
from envsync.drift.variables import compared_names
from envsync.local import describe
from envsync.locate import Located
from envsync.lock.codec import encode_snapshot

if TYPE_CHECKING:
    from envsync.build.events import Event
    from envsync.build.venv import Built

Backend = Literal["uv", "pip"]


class Created(Struct, frozen=True, kw_only=True):
    """An environment that was made, and how it compares with its lock."""

    located: Located
    target: Path
    built: Built
    python: tuple[Finding, ...]
    """What differs inside the environment: empty for an exact twin."""
    machine: tuple[Finding, ...]
    """What the machine around it lacks: variables and OS packages."""

    @property
    def is_twin(self) -> bool:
        """Whether everything that can be compared inside the environment is as in the image."""
        return not self.python


def create_environment(
    located: Located, target: Path, *, python: str | None, backend: Backend, on_event: Callable[[Event], None]
) -> Created:
    """Make, or update, the environment at ``target`` and compare it with the lock, from the files on disk.

    Raises:
        BuildError: nothing was changed; the message names the distribution or place.
        WriteError: the place cannot be written.
    """
    lock = located.lock
    identity = LockIdentity.of(
        lock.snapshot, snapshot_json=encode_snapshot(lock.snapshot), directory=lock.path.absolute()
    )
    options = BuildOptions(python=python, backend=backend)
    built = create(lock.snapshot, target, options=options, lock_id=identity, on_event=on_event)
    actual = describe(target, env_names=compared_names(lock.snapshot))
    reasons = {normalized(part.name): part.reason for part in built.not_reproducible}
    changed, _ = find_changes(actual)
    inside = compare(lock.snapshot, actual, scopes=frozenset[Scope]({"python"}), accepted=reasons)
    around = compare(lock.snapshot, actual, scopes=frozenset[Scope]({"env", "os"}))
    return Created(located=located, target=target, built=built, python=ranked((*inside, *changed)), machine=around)
