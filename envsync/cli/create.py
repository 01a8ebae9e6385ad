"""``envsync create``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from envsync.cli import console
from envsync.cli.options import (
    InterpreterOption,
    Lockfiles,
    PlatformOption,
    WheelhouseOption,
    lockfiles_folder,
    open_indexes,
    open_wheelhouse,
    pull_options,
    wanted_artifacts,
)
from envsync.cli.progress import Progress
from envsync.cli.update_base import update_base
from envsync.errors import UsageError

if TYPE_CHECKING:
    from envsync.build.events import Event
    from envsync.create import Choices
    from envsync.pull_options import PullOptions


Env = Annotated[
    Path | None,
    typer.Argument(metavar="[ENV]", help="The folder of the environment to make, or to update.", show_default=False),
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Instead of ENV: a conda environment of this name, where conda keeps its own."),
]
ImageOption = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE",
        help="The image (pulled first when there is no lock of it) or lock directory to match. "
        "Left out: the only lock there is, else the one pulled last.",
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="auto|image|PATH|X.Y[.Z]",
        help="The interpreter. auto: the best fitting one of this machine, else from uv, a conda channel, or "
        "the image. image: the image's own, copied into the cache.",
    ),
]
BackendOption = Annotated[
    Literal["uv", "pip", "rattler", "conda", "mamba", "micromamba"] | None,
    typer.Option(
        metavar="NAME",
        help="What installs: uv, or pip; for conda environments rattler, which comes with envsync, or your own conda, "
        "mamba or micromamba.",
    ),
]
Channel = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Where conda packages come from, instead of their channel of this name, or of all. May be repeated.",
    ),
]
UpdateBase = Annotated[
    bool,
    typer.Option(
        "--update-base",
        help="Instead of ENV: have your conda update its base environment; says what would change, and asks.",
    ),
]
FromOption = Annotated[
    Literal["auto", "index", "image"],
    typer.Option(
        "--from",
        help="Where distributions come from. index: your package indexes. image: wheels repacked from the image's own "
        "files, wherever they fit; no index is needed. auto: the file that the image was made from, else the image.",
    ),
]
PlanOption = Annotated[
    bool, typer.Option("--plan", help="Say where each distribution would come from, and why; make nothing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="With --plan: as JSON.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Build sdists with what the index had then: 2019-07-16, or RFC 3339.  [default: when the image was made]",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="All or nothing: what cannot be had, or be built, is an error.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --update-base: do not ask.")]


def create(
    env: Env = None,
    name: Name = None,
    image: ImageOption = None,
    python: Python = None,
    backend: BackendOption = None,
    channel: Channel = None,
    base: UpdateBase = False,
    yes: Yes = False,
    plan: PlanOption = False,
    as_json: JsonOption = False,
    source: FromOption = "auto",
    wheelhouse: WheelhouseOption = None,
    as_of: AsOf = None,
    strict: Strict = False,
    platform: PlatformOption = None,
    interpreter: InterpreterOption = None,
    lockfiles: Lockfiles = None,
) -> int:
    """Make the local twin of a lock and verify it.

    A virtual environment; of an image whose Python is conda's, a conda environment, which needs no conda here.

    What was there before stays until the new environment is complete; what cannot be had or built is left out and told.
    Only environments that envsync made are replaced; conda's base is updated, by your conda, with --update-base only.
    """
    from envsync.create import create_environment
    from envsync.locate import locate_lock
    from envsync.pull_options import Progress as PullProgress
    from envsync.report.created import render_created, render_source

    if as_json and not plan:
        raise UsageError("--json: only with --plan")
    if plan and (base or name is not None):
        raise UsageError(f"--plan: not with {'--update-base' if base else '--name'}, of which conda makes the plan")
    target = None if plan else _target(env, name, base=base)
    pulling = pull_options(platform, interpreter, artifacts=wanted_artifacts("missing", wheelhouse))
    choices = _choices(python, backend, channel, source, wheelhouse, as_of, strict=strict, pulling=pulling)
    _check_base(choices, base=base, yes=yes)
    if plan:
        return _plan(image, lockfiles_folder(lockfiles), choices, pulling, as_json=as_json)
    with Progress() as progress:
        told = PullProgress(step=progress.step, note=progress.fact, layer=progress.layer)
        located = locate_lock(image, lockfiles_folder(lockfiles), pulling, told)
        if name is not None and located.lock.snapshot.conda_environment is None:
            raise UsageError(
                f"--name: for conda environments; {located.lock.reference} has none", hint="Name a folder."
            )
        progress.fact(render_source(located).rstrip())
        if target is not None:
            made = create_environment(located, target, choices, lambda event: _show(event, progress))
    if target is None:
        return update_base(located, choices, ask=not yes)
    console.say(render_created(made, console.width()).rstrip())
    console.path(target)
    return 0 if made.is_twin else 1


def _check_base(choices: Choices, *, base: bool, yes: bool) -> None:
    from envsync.update_base import client_for_base

    if base:
        client_for_base(choices)
    elif yes:
        raise UsageError("--yes: only with --update-base, as nothing else asks")


def _choices(
    python: str | None,
    backend: Literal["uv", "pip", "rattler", "conda", "mamba", "micromamba"] | None,
    channels: list[str] | None,
    source: Literal["auto", "index", "image"],
    wheelhouse: Path | None,
    as_of: str | None,
    *,
    strict: bool,
    pulling: PullOptions,
) -> Choices:
    """A user's choices, parsed.

    Raises:
        UsageError: the date is none.
    """
    from envsync.build.as_of import parse_as_of
    from envsync.build.sources import Supply
    from envsync.cache import default_folder
    from envsync.create import Choices

    supply = Supply(
        prefer=source,
        wheelhouse=open_wheelhouse(wheelhouse),
        indexes=open_indexes,
        as_of=parse_as_of(as_of) if as_of is not None else None,
    )
    return Choices(
        python=python,
        backend=backend,
        channels=tuple(channels or ()),
        supply=supply,
        pulling=pulling,
        pythons=default_folder(os.environ),
        strict=strict,
    )


def _plan(image: str | None, root: Path, choices: Choices, pulling: PullOptions, *, as_json: bool) -> int:
    """Say where each distribution would come from."""
    from envsync.locate import locate_lock
    from envsync.pull_options import Progress as PullProgress
    from envsync.report.planned import plan_json, render_plan
    from envsync.supply import plan_environment

    assert choices.supply is not None  # noqa: S101 - made by _choices
    with Progress() as progress:
        told = PullProgress(step=progress.step, note=progress.fact, layer=progress.layer)
        lock = locate_lock(image, root, pulling, told).lock
        planned = plan_environment(lock, choices.python, choices.supply, pulling, lambda event: _show(event, progress))
    console.data(plan_json(planned) if as_json else render_plan(planned, console.width()))
    return 1 if planned.plan.not_reproducible else 0


def _target(env: Path | None, name: str | None, *, base: bool) -> Path | None:
    """The folder that is meant; ``None``: conda's base environment.

    Raises:
        UsageError: not exactly one of them; or no name of an environment.
    """
    if (env is not None) + (name is not None) + base != 1:
        raise UsageError(
            "create: expected one of ENV, the folder of the environment, --name NAME, and --update-base",
            hint="For instance: envsync create .venv",
        )
    if name is None:
        return env
    from envsync.conda_config.names import environment_place
    from envsync.conda_config.settings import load_conda_settings

    home = Path.home()
    return environment_place(name, load_conda_settings(os.environ, home), os.environ, home)


def _show(event: Event, progress: Progress) -> None:
    from envsync.build.events import (
        CondaProgress,
        Installing,
        InterpreterFound,
        LayerRead,
        Line,
        Note,
        Resolving,
        Step,
        Waiting,
    )
    from envsync.image.protocol import LayerProgress

    match event:
        case InterpreterFound(path=path, version=version):
            progress.fact(f"Python {version}: {path}")
        case Resolving(count=count):
            progress.step(f"getting {_distributions(count)}")
        case Installing(count=count):
            progress.step(f"installing {_distributions(count)}")
        case CondaProgress(count=count, fetched=fetched, linked=linked, received=received):
            progress.step(f"getting {count} conda packages" if fetched < count else f"linking {count} conda packages")
            size = f", {received / 1e6:.1f} MB" if received else ""
            progress.moving(f"{fetched} here{size}" if fetched < count else f"{linked} linked{size}")
        case Waiting(what=what):
            progress.step(f"waiting for {what}")
        case Step(text=text):
            progress.step(text)
        case LayerRead(id=name, status=status, current=current, total=total):
            progress.layer(LayerProgress(id=name, status=status, current=current, total=total))
        case Note(text=text):
            progress.fact(text)
        case Line(text=text):
            progress.detail(text)


def _distributions(count: int) -> str:
    return f"{count} distribution{'' if count == 1 else 's'}"
