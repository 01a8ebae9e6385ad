"""``envsync diff``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envsync.cli import console
from envsync.cli.formats import Format, OneSide, is_stdout, rendered, write
from envsync.cli.options import InterpreterOption, Lockfiles, PlatformOption, lockfiles_folder, pull_options
from envsync.cli.progress import Progress
from envsync.errors import UsageError

if TYPE_CHECKING:
    from envsync.diff import Difference
    from envsync.drift.baseline import Baseline
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
    typer.Option(help="Compare only this: Python, the operating system, or environment variables. May be repeated."),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Leave this out: a distribution, package, variable, library, command, or whatever a finding names. "
        "May be repeated.",
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        "-f",
        help="text, for people; json (docs/schemas/diff.schema.json); sarif, for code scanning; github, annotations of "
        "a workflow run; markdown, for a comment; html, one page; cyclonedx, what A holds, as a bill of materials; "
        "script, what to type, see --fix."
        "  [default: text]",
    ),
]
SideOption = Annotated[
    OneSide | None,
    typer.Option(case_sensitive=False, help="With --format cyclonedx: which of the two.  [default: A]"),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the report there, whole or not at all; - is stdout."),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help="What --format json --output FILE wrote: findings that it has are accepted, only others count.",
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
    form: FormatOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Print what to type, as a script for a shell (--format script); run nothing.")
    ] = False,
    side: SideOption = None,
    output: OutputOption = None,
    baseline: BaselineOption = None,
    every: Annotated[bool, typer.Option("--all", help="Do not fold long lists; list what is harmless, too.")] = False,
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
    from envsync.drift.finding import is_drift
    from envsync.names import normalized
    from envsync.pull_options import Progress as PullProgress
    from envsync.redaction import printable
    from envsync.report.text import summary

    wanted = _format(form, side, short={"--json": as_json, "--fix": fix})
    known = _read_baseline(baseline) if baseline is not None else None
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
    if known is not None:
        found = _without_accepted(found, known, options.scopes)
    write(rendered(found, wanted, every=every, side=side or "A", is_stdout=is_stdout(output)), output)
    if not is_stdout(output):
        console.say(f"{printable(str(output))}: {summary(found.findings, found.comparison)}")
    return 1 if is_drift(found.findings) else 0


def _scopes(only: list[Only] | None) -> frozenset[Scope]:
    return frozenset(scope.value for scope in only or ())


_SHORT: dict[str, Format] = {"--json": "json", "--fix": "script"}


def _format(form: Format | None, side: OneSide | None, *, short: dict[str, bool]) -> Format:
    given = [option for option, is_given in short.items() if is_given]
    wanted = form or (_SHORT[given[0]] if given else "text")
    if conflicts := [option for option in given if _SHORT[option] != wanted]:
        raise UsageError(f"{conflicts[0]}: not with {f'--format {wanted}' if form else given[0]}")
    if side is not None and wanted != "cyclonedx":
        raise UsageError("--side: only with --format cyclonedx, as all others are of both")
    return wanted


def _read_baseline(file: Path) -> Baseline:
    from envsync.drift.baseline import parse_baseline

    try:
        return parse_baseline(file.read_bytes(), str(file))
    except OSError as error:
        hint = f"Accept what there is now: envsync diff --format json --output {file}"
        raise UsageError(f"--baseline {file}: cannot be read: {error.strerror}", hint=hint) from error


def _without_accepted(found: Difference, known: Baseline, scopes: frozenset[Scope]) -> Difference:
    from msgspec.structs import replace

    from envsync.drift.baseline import apply_baseline

    new, comparison = apply_baseline(found.findings, found.comparison, known, scopes=scopes)
    return replace(found, findings=new, comparison=comparison)
