"""Making, and bringing up to date, the virtual environment that is the twin of a lock.

Everything is done in a folder beside the target and swapped in at the end, so that the environment that was there
remains until the new one is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from envsync.build.backend import Backend, NoLongerThereError, Request
from envsync.build.circumstances import circumstances
from envsync.build.clone import clone
from envsync.build.events import Event, InterpreterFound, Note
from envsync.build.installed import Installed, is_satisfied, read_installed
from envsync.build.interpreter import LocalPython, find_interpreter
from envsync.build.marker import MARKER_NAME, LockIdentity, Marker, encode_marker, found_lacking, keep_marker
from envsync.build.pip import Pip
from envsync.build.plan import Chooser, Installable, NotReproducible, Plan, as_origins_say, make_plan
from envsync.build.relocate import relocate
from envsync.build.target import absolute_target, check_target, exclusive
from envsync.build.uv import Uv
from envsync.cache_folders import note_use
from envsync.errors import BuildError
from envsync.model import Snapshot
from envsync.names import normalized
from envsync.writing import discard_leftovers, replace_folder, staged_folder

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from envsync.build.python.provide import PythonOptions

TWO_HOURS = 7200.0
"""Seconds; enough for the largest environment on a slow line."""


class BuildOptions(Struct, frozen=True, kw_only=True):
    """A user's choices."""

    python: str | None = None
    """The path of an interpreter, or ``X.Y[.Z]``; of no account where there are ``pythons``."""
    pythons: PythonOptions | None = None
    """Which interpreter, and where one may be had from; ``None``: only from this machine."""
    backend: Literal["uv", "pip"] = "uv"
    offline: bool = False
    """Only what the cache has."""
    damaged: frozenset[NormalizedName] = frozenset()
    """Distributions to install anew although name and version are right: their files are not what was installed."""
    as_of: datetime | None = None
    """UTC: sdists are built with what the index had then."""
    strict: bool = False
    """All or nothing: what cannot be built, or had from an index, is an error."""
    chooser: Chooser | None = None
    """Decides where distributions come from, once the interpreter is known; ``None``: as their origins alone say."""
    timeout: float = TWO_HOURS
    """Seconds, for each run of uv or pip."""


class Built(Struct, frozen=True, kw_only=True):
    """What was made."""

    path: Path
    plan: Plan | None = None
    """Where everything came from; ``None`` of a conda environment."""
    python: LocalPython
    names: tuple[str, ...]
    """All distributions of the lock that the environment holds, as the lock spells them."""
    not_reproducible: tuple[NotReproducible, ...]
    unchanged: int
    installed: int
    """New ones and replaced ones."""
    removed: int
    """Those that the lock does not have."""
    hashed: tuple[Path, ...] = ()
    """Folders with unpacked conda packages, of which each file was hashed just before it was linked from there."""


class _Change(Struct, frozen=True, kw_only=True):
    """What of an environment is not as the plan wants it; all of it where there is none. Names are normalised."""

    missing: frozenset[str]
    stale: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.extra)


def create(
    lock: Snapshot,
    target: Path,
    *,
    options: BuildOptions,
    lock_id: LockIdentity,
    on_event: Callable[[Event], None],
) -> Built:
    """Make ``target`` the twin of ``lock``; an environment that envsync made is brought up to date.

    ``on_event`` may be called from another thread.

    Raises:
        BuildError: names the distribution or path, and the cause; what was there before is untouched.
        InterpreterNotFoundError: no interpreter fits.
        UnsafeValueError: a name or version of the lock could inject into a requirements file.
        LockError: the marker of the environment that is there is damaged.
        WriteError: a file cannot be written.
    """
    place = absolute_target(target)
    make_plan(lock)  # what cannot be asked for is refused before anything is done
    with exclusive(place):
        old = check_target(place)
        python = _interpreter(lock, options, on_event)
        on_event(InterpreterFound(path=python.path, version=python.version, exact=python.exact))

        if options.pythons is not None and options.pythons.cache is not None:
            note_use(options.pythons.cache, python.path, place)

        def make(*, believing: bool) -> Built:
            plan = make_plan(lock, options.chooser(python, believing=believing) if options.chooser else as_origins_say)
            job = _Job(
                place=place,
                plan=plan,
                python=python,
                options=_checked(plan, options),
                believing=believing,
                lock_id=lock_id,
                on_event=on_event,
            )
            return job.update(old) if old is not None and job.can_update(old) else job.make_anew()

        try:
            return make(believing=options.chooser is not None)
        except NoLongerThereError as error:
            on_event(Note(text=f"{error.message}: asking the indexes what there is instead"))
            return make(believing=False)


def _checked(plan: Plan, options: BuildOptions) -> BuildOptions:
    """The options for a plan that can be carried out.

    Raises:
        BuildError: it cannot.
    """
    lacking = plan.not_reproducible
    # An index that has nothing at all is another one than the user thinks.
    if lacking and (options.strict or (not plan.makeable and not all(part.editable for part in lacking))):
        raise lacking_error(lacking, strict=options.strict)
    return options if options.as_of is not None else msgspec.structs.replace(options, as_of=plan.as_of)


def _interpreter(lock: Snapshot, options: BuildOptions, on_event: Callable[[Event], None]) -> LocalPython:
    if options.pythons is None:
        return find_interpreter(lock.python, requested=options.python)
    from envsync.build.python.provide import provide_interpreter

    return provide_interpreter(lock, options.pythons, on_event)


def lacking_error(lacking: Sequence[NotReproducible], *, strict: bool) -> BuildError:
    """All or nothing was asked for, or nothing is there."""
    first, *others = lacking
    more = f" (and {len(others)} more cannot be had)" if others else ""
    hint = "create --plan shows where each distribution comes from."
    return BuildError(
        f"{first.name} {first.version}: {first.reason}{more}",
        hint=f"Without --strict the rest is made. {hint}" if strict else f"Nothing of the lock can be had here. {hint}",
    )


class _Job(Struct, frozen=True, kw_only=True):
    """One call of :func:`create`."""

    place: Path
    plan: Plan
    python: LocalPython
    options: BuildOptions
    believing: bool = False
    """Whether the plan was made without asking indexes for what the lock proves."""
    lock_id: LockIdentity
    on_event: Callable[[Event], None]

    def can_update(self, old: Marker) -> bool:
        """Whether the environment there has the right interpreter, maker and place."""
        executable = self.place / "bin" / "python"
        return (
            old.python == self.python.version
            and old.backend == self.options.backend
            and old.environment == str(self.place)
            and (self.place / "pyvenv.cfg").is_file()
            and executable.exists()
            and executable.resolve() == self.python.path.resolve()
        )

    def make_anew(self) -> Built:
        """Make the environment from nothing."""
        with staged_folder(self.place) as staging:
            self.backend.make(staging, self.python, prompt=self.prompt)
            wanted = self.plan.makeable
            change = _Change(missing=frozenset(normalized(part.name) for part in wanted))
            return self._finish(staging, wanted, change, ())

    def update(self, old: Marker) -> Built:
        """Change what differs, or nothing."""
        discard_leftovers(self.place / MARKER_NAME)
        lacking = found_lacking(old, self.lock_id, self.plan, now="" if self.options.strict else self._now())
        absent = {normalized(one.name) for one in lacking}
        wanted = self.plan.makeable_without(lacking)
        change = difference(wanted, read_installed(self.place))
        change = msgspec.structs.replace(change, stale=change.stale | (self.options.damaged - change.missing - absent))
        if not change:
            keep_marker(self.place, self._marker(lacking))
            return self._built(wanted, lacking, change)
        with staged_folder(self.place) as staging:
            clone(self.place, staging)
            return self._finish(staging, wanted, change, lacking)

    @property
    def backend(self) -> Backend:
        """The one that was chosen."""
        return Uv() if self.options.backend == "uv" else Pip()

    @property
    def prompt(self) -> str:
        """What an activated shell shows: the folder's name, or the project's for ``.venv``."""
        name = self.place.name
        return self.place.parent.name or name if name in (".venv", "venv", "env", ".env") else name

    def _finish(
        self,
        staging: Path,
        wanted: tuple[Installable, ...],
        change: _Change,
        lacking: tuple[NotReproducible, ...],
    ) -> Built:
        request = Request(
            env=staging,
            python=self.python.version,
            wanted=wanted,
            stale=change.stale,
            damaged=self.options.damaged,
            extra=change.extra,
            offline=self.options.offline,
            as_of=self.options.as_of,
            strict=self.options.strict,
            believing=self.believing,
            circumstances=self._now(),
            timeout=self.options.timeout,
            on_event=self.on_event,
        )
        lacking += self.backend.install(request)
        relocate(staging, staged_as=staging, target=self.place)
        (staging / MARKER_NAME).write_bytes(encode_marker(self._marker(lacking)))
        replace_folder(staging, self.place)
        return self._built(wanted, lacking, change)

    def _now(self) -> str:
        return circumstances(os.environ, self.place, as_of=self.options.as_of)

    def _marker(self, lacking: tuple[NotReproducible, ...]) -> Marker:
        return Marker(
            environment=str(self.place),
            lock=self.lock_id,
            python=self.python.version,
            backend=self.options.backend,
            not_reproducible=self.plan.not_reproducible + lacking,
        )

    def _built(self, wanted: tuple[Installable, ...], lacking: tuple[NotReproducible, ...], change: _Change) -> Built:
        absent = {normalized(one.name) for one in lacking}
        present = [part for part in wanted if normalized(part.name) not in absent]
        changed = [part for part in present if normalized(part.name) in change.missing | change.stale]
        return Built(
            path=self.place,
            plan=self.plan,
            python=self.python,
            names=tuple(part.name for part in present),
            not_reproducible=self.plan.not_reproducible + lacking,
            unchanged=len(present) - len(changed),
            installed=len(changed),
            removed=len(change.extra),
        )


def difference(wanted: tuple[Installable, ...], installed: tuple[Installed, ...]) -> _Change:
    """Compare what is wanted with what is there, by name, version and origin."""
    parts = {normalized(part.name): part for part in wanted}
    there: dict[str, list[Installed]] = {}
    for one in installed:
        there.setdefault(one.name, []).append(one)
    return _Change(
        missing=frozenset(parts.keys() - there.keys()),
        stale=frozenset(
            name
            for name, part in parts.items()
            if name in there and not (len(there[name]) == 1 and is_satisfied(part, there[name][0]))
        ),
        extra=frozenset(there.keys() - parts.keys()),
    )
