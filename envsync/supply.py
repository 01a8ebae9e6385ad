"""Where the distributions of a lock come from on this machine: indexes are asked, and the image where it has to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from envsync.build.interpreter import LocalPython, NotHereError, find_interpreter
from envsync.build.plan import Choose, Chooser, Plan, make_plan
from envsync.errors import BuildError, EnvsyncError, UsageError
from envsync.exact.artifacts import is_editable
from envsync.known import KnownWheels, Learnt, Repacked, learnt_of, place_of
from envsync.model import ImageSource, Snapshot

if TYPE_CHECKING:
    from envsync.build.events import Event
    from envsync.build.sources import Supply
    from envsync.lock.store import Lock
    from envsync.pull_options import Progress, PullOptions


class Planned(Struct, frozen=True, kw_only=True):
    """What ``create`` would do; nothing is made."""

    lock: Lock
    python: LocalPython
    plan: Plan


def plan_environment(
    lock: Lock, requested: str | None, supply: Supply, pulling: PullOptions, on_event: Callable[[Event], None]
) -> Planned:
    """Decide where each distribution would come from.

    Raises:
        UsageError: the lock has a conda environment, whose packages come from their channels.
        InterpreterNotFoundError: no interpreter fits.
    """
    snapshot = lock.snapshot
    if snapshot.conda_environment is not None:
        raise UsageError(
            f"--plan: {lock.reference} has a conda environment, whose packages come from their channels",
            hint="explicit.txt of the lock names each file.",
        )
    python = _interpreter(snapshot, requested)
    choose = chooser(snapshot, supply, pulling, on_event)(python, believing=False)
    return Planned(lock=lock, python=python, plan=make_plan(snapshot, choose))


def _interpreter(lock: Snapshot, requested: str | None) -> LocalPython:
    """The one that ``create`` would take; where it would have to be had first, as it will be."""
    try:
        if requested != "image":
            return find_interpreter(lock.python, requested=None if requested == "auto" else requested)
    except NotHereError:
        if requested not in (None, "auto"):
            raise
    python = lock.python
    minor = "".join(python.version.split(".")[:2])
    return LocalPython(
        path=Path("to be had first"),
        version=python.version,
        implementation=python.implementation,
        abi=python.abi or f"cp{minor}",
        exact=True,
    )


def chooser(
    lock: Snapshot,
    supply: Supply,
    pulling: PullOptions | None,
    on_event: Callable[[Event], None],
    *,
    strict: bool = False,
) -> Chooser:
    """What decides where distributions come from.

    ``strict``: that the image was asked for, and is out of reach, is a :class:`BuildError`.
    """
    from envsync.build.events import Note
    from envsync.build.sources import sources_for

    def choose(python: LocalPython, *, believing: bool) -> Choose:
        known, problem = with_wheels(lock, supply, pulling, on_event)
        if problem is not None and strict and supply.prefer == "image":
            raise BuildError(f"--from image: {problem}", hint="Without --strict the rest comes from elsewhere.")
        if problem is not None:
            on_event(Note(text=problem))
        for distribution in known.distributions if supply.wheelhouse.is_shared else ():
            told = supply.wheelhouse.share(distribution.wheel) if distribution.wheel is not None else None
            if told is not None:
                on_event(Note(text=told))
        sources = sources_for(known, python, supply, believing=believing)
        wheels = {(d.name, d.metadata): d for d in known.distributions}
        return lambda distribution, part: sources.choose(
            wheels.get((distribution.name, distribution.metadata), distribution), part
        )

    return choose


def with_wheels(
    lock: Snapshot, supply: Supply, pulling: PullOptions | None, on_event: Callable[[Event], None]
) -> tuple[Snapshot, str | None]:
    """The lock with the wheels that are needed, and why some are not there.

    A lock travels without its wheels: on another machine they are made of the image again, the same bytes.
    """
    lacking = _not_at_hand(lock, supply) if supply.prefer != "index" else []
    if not lacking:
        return lock, None
    source = lock.source
    if not isinstance(source, ImageSource):
        return lock, "no image was seen, only a published list: it gives no wheels"
    if pulling is None:
        return lock, f"wheels of {len(lacking)} distributions are not at hand"
    known = KnownWheels(pulling.cache, lock, source) if pulling.cache is not None else None
    lock, lacking = _with_known(lock, supply, lacking, known.get() if known is not None else {})
    if not lacking:
        return lock, None
    every = supply.prefer == "image"
    keep = "; envsync pull IMAGE --wheels all keeps them in the lock" if every else ""
    progress = as_events(on_event)
    progress.note(f"wheels of {len(lacking)} distributions are not at hand: reading {source.reference} again{keep}")
    try:
        again = _read_again(source, lock, supply, pulling, progress, all_of_them=every)
    except EnvsyncError as error:
        return lock, f"{source.reference} cannot be read again: {error.message}"
    if again is None:
        return lock, f"{source.reference} is another image now: its wheels are not those of the lock"
    learnt = learnt_of(again, wanted=every)
    if known is not None:
        known.put(learnt)
    return _with_known(lock, supply, lacking, learnt)[0], None


def _not_at_hand(lock: Snapshot, supply: Supply) -> list[int]:
    """Positions of the distributions whose wheels have to be made of the image."""
    found: list[int] = []
    for position, one in enumerate(lock.python.distributions):
        lost = one.wheel is not None and supply.wheelhouse.find(one.wheel) is None
        wanted = one.wheel is None and supply.prefer == "image" and not is_editable(one)
        if one.conda is None and one.shadowed_by is None and (lost or wanted):
            found.append(position)
    return found


def _with_known(lock: Snapshot, supply: Supply, lacking: list[int], known: Learnt) -> tuple[Snapshot, list[int]]:
    """The lock with what was learnt when its image was read again, and what still is not at hand."""
    distributions = list(lock.python.distributions)
    left: list[int] = []
    for position in lacking:
        learnt = known.get(place_of(distributions[position]))
        if learnt is not None and _is_enough(learnt, supply):
            distributions[position] = learnt.applied(distributions[position])
        else:
            left.append(position)
    python = replace(lock.python, distributions=tuple(distributions))
    return replace(lock, interpreters=(python, *lock.interpreters[1:])), left


def _is_enough(learnt: Repacked, supply: Supply) -> bool:
    if learnt.wheel is not None:
        return supply.wheelhouse.find(learnt.wheel) is not None
    return learnt.wanted or (supply.prefer != "image" and learnt.file is not None)


def _read_again(
    source: ImageSource, lock: Snapshot, supply: Supply, pulling: PullOptions, progress: Progress, *, all_of_them: bool
) -> Snapshot | None:
    from envsync.exact.artifacts import Artifacts
    from envsync.reference import parse_reference
    from envsync.take import take_snapshot

    artifacts = Artifacts(
        which="all" if all_of_them else "missing",
        wheelhouse=supply.wheelhouse,
        indexes=supply.indexes,
        step=progress.step,
        note=progress.note,
    )
    options = replace(pulling, artifacts=artifacts, interpreter=lock.python.executable, platform=lock.platform)
    found = take_snapshot(parse_reference(source.reference), options, progress)
    same = isinstance(found.source, ImageSource) and found.source.config_digest == source.config_digest
    return found if same else None


def as_events(on_event: Callable[[Event], None]) -> Progress:
    """Tells what goes on while an image is opened and read."""
    from envsync.build.events import LayerRead, Note, Step
    from envsync.pull_options import Progress

    return Progress(
        step=lambda text: on_event(Step(text=text)),
        note=lambda text: on_event(Note(text=text)),
        layer=lambda one: on_event(LayerRead(id=one.id, status=one.status, current=one.current, total=one.total)),
    )
