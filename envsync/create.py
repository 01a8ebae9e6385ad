"""``create``: lock -> environment -> the same environment, described from its files -> what differs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache as cache_of
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from envsync.build.marker import LockIdentity
from envsync.errors import UnreachableError, UsageError
from envsync.locate import Located
from envsync.lock.codec import encode_snapshot
from envsync.model import ImageSource
from envsync.names import normalized
from envsync.record import parse_record
from envsync.redaction import printable

if TYPE_CHECKING:
    from envsync.build.conda.prefix import CondaBackend, CondaOptions
    from envsync.build.events import Event, Note
    from envsync.build.python.provide import PythonOptions
    from envsync.build.sources import Supply
    from envsync.build.venv import Built
    from envsync.cache import Cache
    from envsync.drift.finding import Finding, Kind
    from envsync.exact.fidelity import Fidelity
    from envsync.lock.conda.platforms import ForPlatform
    from envsync.model import Snapshot
    from envsync.pull_options import PullOptions
    from envsync.record import Parse

Backend = Literal["uv", "pip", "rattler", "conda", "mamba", "micromamba"]

_DAMAGED: frozenset[Kind] = frozenset({"distribution-modified", "conda-files-changed", "conda-files-missing"})
"""Findings that another installation mends."""
_OF_THE_MACHINE: frozenset[Kind] = frozenset({"conda-virtual-package"})
"""Findings of scope ``python`` that no environment can mend."""


class Choices(Struct, frozen=True, kw_only=True):
    """A user's choices."""

    python: str | None = None
    """``auto``, ``image``, the path of an interpreter, or ``X.Y[.Z]``: of a virtual environment."""
    backend: Backend | None = None
    """``None``: uv, or rattler for a conda environment."""
    channels: tuple[str, ...] = ()
    """Where conda packages come from instead of their own channels."""
    supply: Supply | None = None
    """Where distributions may come from; ``None``: no index is asked first, and the image gives none."""
    pulling: PullOptions | None = None
    """How to look at the image again, for wheels of it that are not at hand."""
    pythons: Path | None = None
    """The folder of the cache, where interpreters are placed; ``None``: only one of this machine is taken."""
    strict: bool = False
    """All or nothing: what cannot be had, or be built, is an error."""


class Created(Struct, frozen=True, kw_only=True):
    """An environment that was made, and how it compares with its lock."""

    located: Located
    target: Path
    built: Built
    python: tuple[Finding, ...]
    """What differs inside the environment: empty for an exact twin."""
    machine: tuple[Finding, ...]
    """What the machine around it lacks: variables, OS packages, and what conda takes for packages of a machine."""
    fidelity: Fidelity | None = None
    """How the files compare with those of the image; ``None`` where the lock does not know them."""
    conda: ForPlatform | None = None
    """What the lock has for this machine: the image's conda packages, or solved ones; ``None``: it has none."""

    @property
    def is_twin(self) -> bool:
        """Whether everything that can be compared inside the environment is as in the image."""
        exact = self.fidelity is None or self.fidelity.is_exact
        return not self.python and exact


def create_environment(located: Located, target: Path, choices: Choices, on_event: Callable[[Event], None]) -> Created:
    """Make, or update, the environment at ``target`` and compare it with the lock, from the files on disk.

    What turns out to be changed is installed anew once, unless a client of the user's own installs.

    Raises:
        UsageError: a choice that does not go with the kind of the environment.
        BuildError: nothing was changed; the message names the distribution, package or place.
        WriteError: the place cannot be written.
    """
    make = _conda_maker(located, choices) if located.lock.snapshot.conda_environment else _venv_maker(located, choices)
    loading = Thread(target=_load_what_compares, daemon=True)
    loading.start()
    built = make(target, (), on_event)
    loading.join()
    cache = choices.pulling.cache if choices.pulling is not None else None
    inside, around, fidelity = _compare(located, target, built, cache)
    damaged = tuple(finding for finding in inside if finding.kind in _DAMAGED)
    if damaged and choices.backend not in ("conda", "mamba", "micromamba"):
        on_event(_installed_anew(damaged))
        built = make(target, damaged, on_event)
        inside, around, fidelity = _compare(located, target, built, cache)
    conda = _for_this_machine(located)
    return Created(
        located=located, target=target, built=built, python=inside, machine=around, fidelity=fidelity, conda=conda
    )


def _measure(located: Located, actual: Snapshot, built: Built, cache: Cache | None, parse: Parse) -> Fidelity | None:
    """How many distributions are, by the contents of their files, those of the image."""
    from envsync.exact.fidelity import measure
    from envsync.exact.remembered import Remembered

    parts = built.plan.parts if built.plan is not None else ()
    reasons = {str(normalized(part.name)): part.reason for part in (*parts, *built.not_reproducible)}
    remembered = Remembered(cache, _identity(located).snapshot.hex) if cache is not None else None
    return measure(located.lock.snapshot, actual, reasons=reasons, verify=True, remembered=remembered, parse=parse)


def _installed_anew(damaged: Sequence[Finding]) -> Note:
    from envsync.build.events import Note

    subjects = sorted({printable(finding.subject) for finding in damaged})
    return Note(text=f"changed since it was installed: {', '.join(subjects[:8])}; installed anew")


_Maker = Callable[[Path, "tuple[Finding, ...]", "Callable[[Event], None]"], "Built"]
"""Makes the environment at a path; what of it was found to be changed is installed anew."""


def _for_this_machine(located: Located) -> ForPlatform | None:
    from envsync.host import conda_subdir
    from envsync.lock.conda.platforms import packages_for

    lock = located.lock.snapshot
    return packages_for(lock, conda_subdir()) if lock.conda_environment is not None else None


def _identity(located: Located) -> LockIdentity:
    lock = located.lock
    return LockIdentity.of(lock.snapshot, snapshot_json=encode_snapshot(lock.snapshot), directory=lock.path.absolute())


def _venv_maker(located: Located, choices: Choices) -> _Maker:
    from envsync.build.sources import date_of
    from envsync.build.venv import BuildOptions, create
    from envsync.supply import chooser

    backend = choices.backend or "uv"
    if backend not in ("uv", "pip"):
        raise UsageError(
            f"--backend {backend}: makes conda environments; {located.lock.reference} has none (expected uv or pip)"
        )
    if choices.channels:
        raise UsageError(f"--channel: for conda environments; {located.lock.reference} has none")
    lock, supply = located.lock.snapshot, choices.supply

    def make(target: Path, damaged: tuple[Finding, ...], on_event: Callable[[Event], None]) -> Built:
        names = frozenset(normalized(finding.subject) for finding in damaged)
        chosen = BuildOptions(
            python=choices.python,
            pythons=_pythons(located, choices, on_event),
            backend=backend,
            damaged=names,
            as_of=date_of(lock, supply) if supply is not None else None,
            strict=choices.strict,
            chooser=chooser(lock, supply, choices.pulling, on_event, strict=choices.strict)
            if supply is not None
            else None,
        )
        try:
            return create(lock, target, options=chosen, lock_id=_identity(located), on_event=on_event)
        except UnreachableError as error:
            if error.hint and any(d.wheel is not None for d in lock.distributions) and not _is_from_image(supply):
                error.hint += " With --from image no index is needed, as long as the image is at hand."
            raise

    return make


def _is_from_image(supply: Supply | None) -> bool:
    return supply is not None and supply.prefer == "image"


def _pythons(located: Located, choices: Choices, on_event: Callable[[Event], None]) -> PythonOptions | None:
    """Where an interpreter may be had from: this machine, uv, conda channels, the image itself."""
    if choices.pythons is None:
        return None
    from envsync.build.python.provide import PythonOptions
    from envsync.image_files import opener
    from envsync.reference import parse_reference
    from envsync.supply import as_events

    lock, pulling = located.lock.snapshot, choices.pulling
    image = lock.source.reference if isinstance(lock.source, ImageSource) else None
    told = as_events(on_event)
    opened = opener(lock, parse_reference(image), pulling, told) if image and pulling is not None else None
    return PythonOptions(requested=choices.python, cache=choices.pythons, open_image=opened)


def _conda_maker(located: Located, choices: Choices) -> _Maker:
    from envsync.build.conda.prefix import create_conda
    from envsync.build.sources import date_of
    from envsync.supply import chooser

    reference = located.lock.reference
    backend = choices.backend or "rattler"
    match backend:
        case "uv" | "pip":
            raise UsageError(
                f"--backend {backend}: makes virtual environments; {reference} has a conda environment "
                "(expected rattler, conda, mamba or micromamba)"
            )
    if choices.python is not None:
        raise UsageError(f"--python: {reference} has a conda environment, whose Python is one of its packages")
    options = _conda_options(located, choices, backend)
    lock, supply = located.lock.snapshot, choices.supply

    def make(target: Path, damaged: tuple[Finding, ...], on_event: Callable[[Event], None]) -> Built:
        names = frozenset(normalized(finding.subject) for finding in damaged)
        chosen = msgspec.structs.replace(
            options,
            anew=bool(damaged),
            damaged=names,
            as_of=date_of(lock, supply) if supply is not None else None,
            strict=choices.strict,
            chooser=chooser(lock, supply, choices.pulling, on_event, strict=choices.strict)
            if supply is not None
            else None,
        )
        return create_conda(
            located.lock.snapshot, target, options=chosen, lock_id=_identity(located), on_event=on_event
        )

    return make


def _conda_options(located: Located, choices: Choices, backend: CondaBackend) -> CondaOptions:
    """What the user's own conda configuration says, and what they chose."""
    from envsync.build.conda.prefix import CondaOptions
    from envsync.conda_config.settings import load_conda_settings, with_channels
    from envsync.conda_config.terms import check_terms

    home = Path.home()
    settings = load_conda_settings(os.environ, home)
    if choices.channels and (wanted := _for_this_machine(located)) is not None:
        channels = tuple(dict.fromkeys(package.channel for package in wanted.packages))
        settings = with_channels(settings, choices.channels, channels)
    return CondaOptions(
        backend=backend,
        places=settings.places,
        check=lambda urls: check_terms(urls, settings, os.environ, home),
        network=settings.network,
        home=home if settings.register_envs else None,
    )


def _load_what_compares() -> None:
    """Import what is needed afterwards while another program works: a tenth of a second less to wait for."""
    import envsync.drift.changes
    import envsync.drift.compare
    import envsync.local  # noqa: F401


def _compare(
    located: Located, target: Path, built: Built, cache: Cache | None
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], Fidelity | None]:
    """What differs inside the environment as it is now, and around it; how its files compare."""
    from envsync.drift.changes import find_changes
    from envsync.drift.compare import compare
    from envsync.drift.comparison import is_only_a_mirror
    from envsync.drift.conda_files import verify_conda
    from envsync.drift.finding import ranked
    from envsync.drift.variables import compared_names
    from envsync.local import describe
    from envsync.lock.conda.platforms import on_the_platform_of

    lock = located.lock.snapshot
    is_conda = lock.conda_environment is not None
    actual = describe(target, env_names=compared_names(lock), needs=lock.needs, with_virtual_packages=is_conda)
    parse = cache_of(parse_record)  # both ask for every RECORD
    fidelity = _measure(located, actual, built, cache, parse)
    expected = on_the_platform_of(actual, lock)
    reasons = {normalized(part.name): part.reason for part in built.not_reproducible}
    changed, _ = find_changes(actual, parse=parse)
    modified, _ = verify_conda(actual, verify=True, hashed=built.hashed) if is_conda else ((), ())
    inside = compare(expected, actual, scopes=frozenset({"python"}), accepted=reasons)
    rebuilt = frozenset(fidelity.rebuilt) if fidelity is not None else frozenset()
    around = compare(expected, actual, scopes=frozenset({"env", "os"}), rebuilt=rebuilt)
    lacking = tuple(finding for finding in inside if finding.kind in _OF_THE_MACHINE)
    # Of a client of the user's own: it records the mirror that it had a package from.
    differing = (f for f in inside if f.kind not in _OF_THE_MACHINE and not is_only_a_mirror(f))
    return ranked((*differing, *changed, *modified)), ranked((*lacking, *around)), fidelity
