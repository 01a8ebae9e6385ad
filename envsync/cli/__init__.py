"""The command line: the only package that parses arguments, prints, or exits.

One module a command. Modules of the core are imported inside the commands, so that ``--help`` stays instant.
"""

from __future__ import annotations

from typing import Annotated

import typer

from envsync import __version__
from envsync.cli import console
from envsync.cli.cache import cache
from envsync.cli.create import create
from envsync.cli.diff import diff
from envsync.cli.images import images
from envsync.cli.outcome import guarded
from envsync.cli.pull import pull
from envsync.cli.show import show

app = typer.Typer(
    name="envsync",
    help="From a container image to a verified local twin of its Python environment.",
    epilog="Exit codes: 0 done, no drift; 1 done, with drift or something not reproducible; 2 could not be done.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for command in (pull, create, diff, show, images):
    app.command()(guarded(command))
app.add_typer(cache, name="cache")


def _show_version(wanted: bool) -> None:
    if wanted:
        console.data(f"envsync {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From a container image to a verified local twin of its Python environment."""


def main() -> None:
    """Run ``envsync``."""
    app()
