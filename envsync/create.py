"""``create``: lock -> environment -> the same environment, described from its files -> what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from envsync.build.marker import LockIdentity
from envsync.build.venv import BuildOptions, create
from envsync.errors import BuildError
from envsync.locate import Located
from envsync.lock.codec import encode_snapshot
from envsync.names import normalized

if TYPE_CHECKING:
    from envsync.build.events import Event
    from envsync.build.venv import Built
    from envsync.drift.finding import Finding

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

    Distributions whose files turn out to be changed are installed anew once.

    Raises:
        BuildError: nothing was changed; the message names the distribution or place.
        WriteError: the place cannot be written.
    """
    lock = located.lock
    if lock.snapshot.conda_environment is not None:
        raise BuildError(
            f"{lock.reference}: a conda environment, which envsync cannot make yet",
            hint=f"conda can, from the same lock: conda env create -f {lock.path / 'environment.yml'}",
        )
    identity = LockIdentity.of(
        lock.snapshot, snapshot_json=encode_snapshot(lock.snapshot), directory=lock.path.absolute()
    )
    options = BuildOptions(python=python, backend=backend)
    loading = Thread(target=_load_what_compares, daemon=True)
    loading.start()
    built = create(lock.snapshot, target, options=options, lock_id=identity, on_event=on_event)
    loading.join()
    inside, around = _compare(located, target, built)
    damaged = frozenset(normalized(finding.subject) for finding in inside if finding.kind == "distribution-modified")
    if damaged:
        options = msgspec.structs.replace(options, damaged=damaged)
        built = create(lock.snapshot, target, options=options, lock_id=identity, on_event=on_event)
        inside, around = _compare(located, target, built)
    return Created(located=located, target=target, built=built, python=inside, machine=around)


def _load_what_compares() -> None:
    """Import what is needed afterwards while uv works: a tenth of a second less to wait for."""
    import envsync.drift.changes
    import envsync.drift.compare
    import envsync.local  # noqa: F401


def _compare(located: Located, target: Path, built: Built) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What differs inside the environment, and around it."""
    from envsync.drift.changes import find_changes
    from envsync.drift.compare import compare
    from envsync.drift.finding import ranked
    from envsync.drift.variables import compared_names
    from envsync.local import describe

    expected = located.lock.snapshot
    actual = describe(target, env_names=compared_names(expected))
    reasons = {normalized(part.name): part.reason for part in built.not_reproducible}
    changed, _ = find_changes(actual)
    inside = compare(expected, actual, scopes=frozenset({"python"}), accepted=reasons)
    around = compare(expected, actual, scopes=frozenset({"env", "os"}))
    return ranked((*inside, *changed)), around
