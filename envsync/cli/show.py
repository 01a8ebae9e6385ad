"""``envsync show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envsync.cli import console
from envsync.cli.options import InterpreterOption, Lockfiles, PlatformOption, lockfiles_folder, pull_options
from envsync.cli.progress import Progress
from envsync.errors import UsageError

if TYPE_CHECKING:
    from envsync.subject import Subject

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="[LOCK|IMAGE|ENV]",
        help="A lock directory, an image or an environment. Left out: the only lock, else the one pulled last; "
        "where there is none, the active environment, else ./.venv or ./.conda.",
        show_default=False,
    ),
]
Why = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Say which distributions need this distribution, package, library, command or data, which layer "
        "brought it, and where it is from.",
    ),
]


def show(
    target: Target = None,
    tree: Annotated[
        bool, typer.Option("--tree", help="Show which distributions bring which, each subtree once.")
    ] = False,
    why: Why = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/schemas/show.schema.json).")] = False,
    every: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
    platform: PlatformOption = None,
    interpreter: InterpreterOption = None,
    lockfiles: Lockfiles = None,
) -> int:
    """Say what is in a lock, image or environment, and why.

    Interpreters, distributions, layers and what each brought, OS packages, and what the environment needs of them.
    """
    chosen = [word for word, given in (("--tree", tree), ("--why", why is not None), ("--json", as_json)) if given]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)}: not together", hint="--json tells what the others do, for programs.")
    if tree and every:
        raise UsageError("--all: not with --tree, which folds nothing")
    subject = _subject(target, lockfiles, platform, interpreter)
    console.data(_rendered(subject, tree=tree, why=why, as_json=as_json, every=every))
    return 0


def _subject(target: str | None, lockfiles: Path | None, platform: str | None, interpreter: str | None) -> Subject:
    from envsync import settings
    from envsync.pull_options import Progress as PullProgress
    from envsync.subject import find_subject, usual_subject

    project = settings.load(Path.cwd())
    root = lockfiles_folder(lockfiles, project)
    with Progress() as progress:
        told = PullProgress(step=progress.step, note=progress.fact, layer=progress.layer)
        if target is None:
            return usual_subject(root, told)
        return find_subject(target, root, pull_options(platform, interpreter, settings=project), told)


def _rendered(subject: Subject, *, tree: bool, why: str | None, as_json: bool, every: bool) -> str:
    width = min(console.width(), 100)
    if as_json:
        from envsync.report.shown_json import render_shown_json

        return render_shown_json(subject.snapshot, subject.lock)
    if tree:
        from envsync.report.tree import render_tree

        return render_tree(subject.snapshot, ascii_only=not console.can_draw())
    if why is not None:
        from envsync.report.why import render_why

        return render_why(subject.snapshot, why, width=width, fold=not every)
    from envsync.report.shown import render_shown

    return render_shown(subject.snapshot, lock=subject.lock, width=width, colour=console.colour(), fold=not every)
