"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from envsync.pull import Method, PullOptions
    from envsync.settings import Settings

Lockfiles = Annotated[
    Path | None,
    typer.Option(
        "--lockfiles",
        "-L",
        metavar="DIR",
        help="The folder of lock directories.  [default: lockfiles of [tool.envsync], else ./lockfiles]",
        envvar="ENVSYNC_LOCKFILES",
        show_envvar=True,
        file_okay=False,
    ),
]
PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", metavar="OS/ARCH", help="Which image of a multi-platform one: linux/amd64."),
]
InterpreterOption = Annotated[
    str | None,
    typer.Option("--interpreter", metavar="PATH", help="The Python inside the image, instead of `python` on its PATH."),
]


def lockfiles_folder(given: Path | None, settings: Settings | None = None) -> Path:
    """The folder of lock directories: as given, else as the project says, else ``./lockfiles``."""
    if given is None and settings is None:
        from envsync.settings import load

        settings = load(Path.cwd())
    return given or (settings.lockfiles if settings else None) or Path("lockfiles")


def pull_options(platform: str | None, interpreter: str | None, method: Method = "auto") -> PullOptions:
    """How to look at an image, parsed."""
    from pathlib import PurePosixPath

    from envsync.pull import PullOptions
    from envsync.reference import Platform

    return PullOptions(
        method=method,
        platform=Platform.parse(platform) if platform else None,
        interpreter=PurePosixPath(interpreter) if interpreter else None,
    )
