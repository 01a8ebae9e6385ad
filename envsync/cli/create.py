"""``envsync create``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from envsync.cli import console
from envsync.cli.options import InterpreterOption, Lockfiles, PlatformOption, lockfiles_folder, pull_options
from envsync.cli.progress import Progress

if TYPE_CHECKING:
    from envsync.build.events import Event


def create(
    env: Annotated[Path, typer.Argument(metavar="ENV", help="The virtual environment to make, or to update.")],
    image: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="The image (pulled first when there is no lock of it) or lock directory to match. "
            "Left out: the only lock there is, else the one pulled last.",
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="PATH|X.Y[.Z]", help="The interpreter, instead of the best fitting one of this machine."),
    ] = None,
    backend: Annotated[Literal["uv", "pip"], typer.Option(help="What installs.")] = "uv",
    platform: PlatformOption = None,
    interpreter: InterpreterOption = None,
    lockfiles: Lockfiles = None,
) -> int:
    """Make the local twin of a lock and verify it.

    All or nothing: what was there before stays until the new environment is complete. Only environments that envsync
    made are replaced.
    """
    from envsync.create import create_environment
    from envsync.locate import locate_lock
    from envsync.report.created import render_created, render_source
    from envsync.take import Progress as PullProgress

    with Progress() as progress:
        located = locate_lock(
            image,
            lockfiles_folder(lockfiles),
            pull_options(platform, interpreter),
            PullProgress(step=progress.step, note=progress.fact, layer=progress.layer),
        )
        progress.fact(render_source(located).rstrip())
        made = create_environment(
            located, env, python=python, backend=backend, on_event=lambda event: _show(event, progress)
        )
    console.say(render_created(made, console.width()).rstrip())
    console.path(env)
    return 0 if made.is_twin else 1


def _show(event: Event, progress: Progress) -> None:
    from envsync.build.events import Installing, InterpreterFound, Line, Resolving

    match event:
        case InterpreterFound(path=path, version=version):
            progress.fact(f"Python {version}: {path}")
        case Resolving(count=count):
            progress.step(f"getting {count} distributions")
        case Installing(count=count):
            progress.step(f"installing {count} distributions")
        case Line(text=text):
            progress.detail(text)
