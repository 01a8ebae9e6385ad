"""Making, and bringing up to date, the conda environment that is the twin of a lock.

As a virtual environment, it is made in a folder beside the target and swapped in at the end; its files are told the
target's path from the start. Only a conda, mamba or micromamba of the user's own works in the target itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import msgspec
from msgspec import Struct

from envsync.build.backend import Request
from envsync.build.circumstances import circumstances
from envsync.build.conda.activate import write_activation
from envsync.build.conda.checks import check_packages, check_pinned
from envsync.build.conda.failure import shown
from envsync.build.conda.history import render_history
from envsync.build.conda.own_client import EXPLICIT, Client, create_prefix, fetched_from
from envsync.build.conda.own_files import write_own
from envsync.build.conda.packages import PATIENCE, Job, Places, install_packages
from envsync.build.conda.registered import register
from envsync.build.conda.state import (
    META,
    is_installed,
    make_readable,
    nested_environments,
    read_distributions,
    read_records,
    remove_missing,
)
from envsync.build.events import Event, InterpreterFound, Line, Note
from envsync.build.interpreter import LocalPython
from envsync.build.marker import MARKER_NAME, LockIdentity, Marker, encode_marker, found_lacking, keep_marker
from envsync.build.plan import Chooser, NotReproducible, Plan, make_plan
from envsync.build.relocate import relocate
from envsync.build.target import absolute_target, check_target, exclusive
from envsync.build.uv import Uv
from envsync.build.venv import TWO_HOURS, Built, difference
from envsync.conda_config.network import Network
from envsync.errors import BuildError
from envsync.host import conda_subdir
from envsync.lock.conda.explicit import render_explicit
from envsync.lock.conda.platforms import packages_for, platforms
from envsync.model import CondaEnvironment, CondaPackage, Snapshot
from envsync.names import normalized
from envsync.redaction import printable
from envsync.writing import WriteError, discard_leftovers, replace_folder, staged_folder

CondaBackend = Literal["rattler", Client]


class CondaOptions(Struct, frozen=True, kw_only=True):
    """A user's choices, and where their conda keeps what."""

    backend: CondaBackend = "rattler"
    places: Places = lambda channel: (channel,)
    """Where packages of a channel come from."""
    check: Callable[[tuple[str, ...]], None] = lambda _urls: None
    """Told, before anything is fetched, the URLs that packages will come from; raises where they must not."""
    network: Network = Network()
    home: Path | None = None
    """The user's, whose list of environments the new one joins; ``None``: it joins none."""
    anew: bool = False
    """Make it from nothing: the files there are not what they were."""
    damaged: frozenset[str] = frozenset()
    """Normalised names of distributions whose files are not what was installed: uv's cache may be spoilt too."""
    as_of: datetime | None = None
    """See :class:`envsync.build.venv.BuildOptions`, as the next two."""
    strict: bool = False
    chooser: Chooser | None = None
    timeout: float = TWO_HOURS
    """Seconds, for each run of another program."""
    patience: float = PATIENCE
    """Seconds in which nothing at all happens with the packages."""


def create_conda(
    lock: Snapshot,
    target: Path,
    *,
    options: CondaOptions,
    lock_id: LockIdentity,
    on_event: Callable[[Event], None],
) -> Built:
    """Make ``target`` the twin of a lock with a conda environment; one that envsync made is brought up to date.

    Raises:
        BuildError: names the package, distribution or path, and the cause; what was there before is untouched.
        UnsafeValueError: a value of the lock could inject into a requirements file, or lead rattler elsewhere.
        LockError: the marker of the environment that is there is damaged.
        WriteError: a file cannot be written.
    """
    place = absolute_target(target)
    if not str(place).isprintable():
        raise BuildError(
            f"{printable(str(place))}: has a line break, or what is no character, in it, so that no file could name it",
            hint="Name another folder.",
        )
    environment = lock.conda_environment
    assert environment is not None  # noqa: S101 - the caller looked
    packages = _fitting(lock, lock_id.reference)
    check_packages(packages)
    check_pinned(environment.pinned)
    python, by_pip = _python(place, packages, lock), _without_conda(lock)
    plan = make_plan(by_pip)
    channels = dict.fromkeys(package.channel for package in packages)
    options.check(tuple(dict.fromkeys(url for channel in channels for url in options.places(channel))))
    with exclusive(place):
        old = check_target(place)
        if options.chooser is not None and plan.parts:
            plan = make_plan(by_pip, options.chooser(python, believing=False))
        work = _Work(
            place=place,
            environment=environment,
            packages=packages,
            plan=plan,
            python=python,
            options=options,
            lock_id=lock_id,
            on_event=on_event,
        )
        on_event(InterpreterFound(path=work.python.path, version=work.python.version, exact=True))
        return (work.unchanged(old) if old is not None else None) or work.make_anew(old)


def _fitting(lock: Snapshot, reference: str) -> tuple[CondaPackage, ...]:
    """The packages for this machine.

    Raises:
        BuildError: the lock has none.
    """
    subdir = conda_subdir()
    found = packages_for(lock, subdir)
    if found is None:
        theirs = " and ".join(platforms(lock))
        raise BuildError(
            f"the lock's conda packages are for {theirs}, and this machine is {subdir}",
            hint=f"Solve it for this machine, as near as channels allow: envsync pull {reference} --platform {subdir}",
        )
    return found.packages


def _without_conda(lock: Snapshot) -> Snapshot:
    """The lock with only those distributions that pip installed."""
    distributions = tuple(d for d in lock.python.distributions if d.conda is None)
    first = msgspec.structs.replace(lock.python, distributions=distributions)
    return msgspec.structs.replace(lock, interpreters=(first, *lock.interpreters[1:]))


def _python(place: Path, packages: tuple[CondaPackage, ...], lock: Snapshot) -> LocalPython:
    version = next((package.version for package in packages if package.name == "python"), lock.python.version)
    python = lock.python
    return LocalPython(
        path=place / "bin" / "python",
        version=version,
        implementation=python.implementation,
        abi=python.abi or "",
        exact=True,
    )


class _Work(Struct, frozen=True, kw_only=True):
    """One call of :func:`create_conda`."""

    place: Path
    environment: CondaEnvironment
    packages: tuple[CondaPackage, ...]
    plan: Plan
    python: LocalPython
    options: CondaOptions
    lock_id: LockIdentity
    on_event: Callable[[Event], None]

    def unchanged(self, old: Marker) -> Built | None:
        """What was made, where all of it is there already; ``None`` where it has to be made."""
        if self.options.anew or old.environment != str(self.place) or old.backend != self.options.backend:
            return None
        discard_leftovers(self.place / MARKER_NAME)
        records = read_records(self.place)
        lacking = found_lacking(old, self.lock_id, self.plan, now="" if self.options.strict else self._now())
        wanted = self.plan.makeable_without(lacking)
        if not is_installed(self.packages, records) or difference(
            wanted, read_distributions(self.place, records).by_pip
        ):
            return None
        keep_marker(self.place, self._marker(lacking))
        return self._built(lacking, unchanged=True)

    def make_anew(self, old: Marker | None) -> Built:
        """Make it from nothing; what is in the package cache is only linked."""
        if nested := nested_environments(self.place) if old is not None else ():
            raise BuildError(
                f"{self.place}: has to be made anew, and environments inside of it would be lost: {shown(nested)}",
                hint="Move or remove them first (conda env remove --prefix PATH), or name another folder.",
            )
        if self.options.backend == "rattler":
            return self._make_beside(old)
        if old is not None:
            raise BuildError(
                f"{self.place}: is there already, and {self.options.backend} can only make it where nothing is",
                hint="Remove it first, or leave --backend out: then it is replaced in one step.",
            )
        with _emptied_unless_done(self.place):
            try:
                lacking = self._make_in_place(self.options.backend)
            except OSError as error:
                raise WriteError(f"{error.filename or self.place}: cannot be written: {error.strerror}") from error
        return self._finished(lacking)

    def _make_beside(self, old: Marker | None) -> Built:
        with staged_folder(self.place) as staging:
            hashed = install_packages(
                Job(
                    packages=self.packages,
                    prefix=staging,
                    target=self.place,
                    places=self.options.places,
                    network=self.options.network,
                    patience=self.options.patience,
                    on_event=self.on_event,
                )
            )
            (staging / "CACHEDIR.TAG").unlink(missing_ok=True)  # of rattler's: an environment is no cache
            history = render_history(self.environment, self.packages, datetime.now())
            write_own(staging, f"{META}/history", history.encode())
            make_readable(staging, self.packages)
            if old is not None:
                self._keep_state(staging)
            lacking = self._complete(staging)
            relocate(staging, staged_as=staging, target=self.place)
            write_own(staging, MARKER_NAME, encode_marker(self._marker(lacking)))
            replace_folder(staging, self.place)
        return msgspec.structs.replace(self._finished(lacking), hashed=hashed)

    def _make_in_place(self, client: Client) -> tuple[NotReproducible, ...]:
        with TemporaryDirectory(prefix="envsync-") as folder:  # nobody else's: URLs may have credentials
            explicit = Path(folder) / EXPLICIT
            wanted = msgspec.structs.replace(self.environment, packages=self.packages)
            explicit.write_text(fetched_from(render_explicit(wanted), self.options.places), encoding="utf-8")
            create_prefix(
                client,
                self.place,
                explicit,
                environ=os.environ,
                offline=self.options.network.offline,
                timeout=self.options.timeout,
                on_line=lambda line: self.on_event(Line(text=line)),
            )
        lacking = self._complete(self.place)
        write_own(self.place, MARKER_NAME, encode_marker(self._marker(lacking)))
        return lacking

    def _keep_state(self, staging: Path) -> None:
        """What a user had conda remember of the environment: its variables."""
        state = self.place / META / "state"
        if state.is_file() and not state.is_symlink():
            write_own(staging, f"{META}/state", state.read_bytes())

    def _complete(self, prefix: Path) -> tuple[NotReproducible, ...]:
        """What makes a prefix of packages the image's environment: without what that lacks, with what pip installed."""
        remove_missing(prefix, self.packages)
        if self.environment.pinned:
            write_own(prefix, f"{META}/pinned", "".join(f"{one}\n" for one in self.environment.pinned).encode())
        write_activation(prefix, self.place)
        if self.options.backend == "rattler" and (scripts := _link_scripts(prefix)):
            self.on_event(
                Note(text=f"not run: the post-link scripts of {', '.join(scripts)} (--backend conda runs them)")
            )
        wanted = self.plan.makeable
        if not wanted:
            return ()
        there = read_distributions(prefix, read_records(prefix))
        names = frozenset(normalized(part.name) for part in wanted)
        request = Request(
            env=prefix,
            python=self.python.version,
            wanted=wanted,
            # pip had put its own in the place of conda's, maybe of the same version.
            stale=difference(wanted, there.by_pip).stale | (names & (there.by_conda | self.options.damaged)),
            damaged=names & self.options.damaged,
            among_others=True,
            as_of=self.options.as_of,
            strict=self.options.strict,
            circumstances=self._now(),
            timeout=self.options.timeout,
            on_event=self.on_event,
        )
        return Uv().install(request)

    def _finished(self, lacking: tuple[NotReproducible, ...]) -> Built:
        home = self.options.home
        if home is not None and (problem := register(self.place, home)):
            self.on_event(Note(text=problem))
        return self._built(lacking)

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

    def _built(self, lacking: tuple[NotReproducible, ...], *, unchanged: bool = False) -> Built:
        present = self.plan.makeable_without(lacking)
        count = len(self.packages) + len(present)
        return Built(
            path=self.place,
            python=self.python,
            names=tuple(part.name for part in present),
            not_reproducible=self.plan.not_reproducible + lacking,
            unchanged=count if unchanged else 0,
            installed=0 if unchanged else count,
            removed=0,
        )


@contextmanager
def _emptied_unless_done(place: Path) -> Iterator[None]:
    """Leave nothing half made at ``place``, where nothing was before, or an empty folder."""
    was_there = place.is_dir()
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            shutil.rmtree(place, ignore_errors=True)
            if was_there:
                place.mkdir(exist_ok=True)


def _link_scripts(prefix: Path) -> tuple[str, ...]:
    """Names of packages with a script that conda runs once they are linked."""
    found = (prefix / "bin").glob(".*-post-link.sh")
    return tuple(sorted(path.name.removeprefix(".").removesuffix("-post-link.sh") for path in found))
