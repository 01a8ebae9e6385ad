"""``envsync diff``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envsync.cli import console
from envsync.cli.options import InterpreterOption, Lockfiles, PlatformOption, lockfiles_folder, pull_options
from envsync.cli.progress import Progress

if TYPE_CHECKING:
    from envsync.drift.finding import Scope


class Only(str, Enum):
    """What ``--only`` takes: a scope of findings. Typer wants an Enum where an option repeats."""

    PYTHON = "python"
    OS = "os"
    ENV = "env"


A = Annotated[
    str | None,
    typer.Argument(
        metavar="[A]",
        help="An environment, a lock directory or an image: the side that is right. "
        "Left out: the lock that the environment was made from.",
        show_default=False,
    ),
]
B = Annotated[
    str | None,
    typer.Argument(
        metavar="[B]",
        help="The side that is judged. Left out: the active environment, else ./.venv or ./.conda.",
        show_default=False,
    ),
]
OnlyOption = Annotated[
    list[Only] | None,
    typer.Option(help="Compare only this: Python, OS packages, or environment variables. May be repeated."),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Leave this distribution, conda or OS package, or variable out. May be repeated."
    ),
]


def diff(
    a: A = None,
    b: B = None,
    only: OnlyOption = None,
    ignore: Ignore = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every installed file against its RECORD, or conda's record.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/schemas/diff.schema.json).")] = False,
    every: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
    platform: PlatformOption = None,
    interpreter: InterpreterOption = None,
    lockfiles: Lockfiles = None,
) -> int:
    """Say what differs, what it breaks, and what to type.

    Without arguments: the active environment (else ./.venv or ./.conda) and this machine, against the lock it was made
    from.

    What a project accepts can be kept in pyproject.toml: [tool.envsync] with only, ignore and lockfiles.
    """
    from envsync import diff as core
    from envsync import settings
    from envsync.names import normalized
    from envsync.pull_options import Progress as PullProgress
    from envsync.report import json, text

    chosen = settings.load(Path.cwd())
    options = core.DiffOptions(
        scopes=_scopes(only) or chosen.only,
        ignore=chosen.ignore | {normalized(name) for name in ignore or ()},
        verify=verify,
    )
    with Progress() as progress:
        found = core.diff(
            a,
            b,
            lockfiles_folder(lockfiles, chosen),
            options=options,
            pull=pull_options(platform, interpreter, settings=chosen),
            progress=PullProgress(step=progress.step, note=progress.fact, layer=progress.layer),
        )
    if as_json:
        console.data(json.render(found.findings, found.comparison, found.fidelity))
    else:
        width = min(console.width(), 100)
        console.data(
            text.render(
                found.findings,
                found.comparison,
                width=width,
                colour=console.colour(),
                fold=not every,
                fidelity=found.fidelity,
            )
        )
    return 1 if found.findings else 0


def _scopes(only: list[Only] | None) -> frozenset[Scope]:
    return frozenset(scope.value for scope in only or ())
