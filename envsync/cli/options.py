"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Lockfiles = Annotated[
    Path,
    typer.Option(
        "--lockfiles",
        "-L",
        metavar="DIR",
        help="The folder of lock directories.",
        envvar="ENVSYNC_LOCKFILES",
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
DEFAULT_LOCKFILES = Path("lockfiles")
