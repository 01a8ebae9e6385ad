"""The command line: the only package that parses arguments, prints, or exits.

One module a command. Modules of the core are imported inside the commands, so that ``--help`` stays instant.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from envsync import __version__
from envsync.cli import console
from envsync.cli.create import create
from envsync.cli.diff import diff
from envsync.cli.images import images
from envsync.cli.pull import pull
from envsync.errors import EnvsyncError

app = typer.Typer(
    name="envsync",
    help="From a container image to a verified local twin of its Python environment.",
    epilog="Exit codes: 0 done, no drift; 1 done, with drift or something not reproducible; 2 could not be done.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for command in (pull, create, diff, images):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.data(f"envsync {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """From a container image to a verified local twin of its Python environment."""


def main() -> None:
    """Run ``envsync``; every way out is an exit code of 0, 1 or 2."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        status = app(standalone_mode=False)
        console.flush()
    except EnvsyncError as error:
        console.error(error)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        console.say("\nenvsync: interrupted; what was there before is unchanged")
        sys.exit(2)
    except BrokenPipeError:
        console.close_output()
        sys.exit(2)
    except Exception as error:  # the one place that may: a bug must not look like drift (exit code 1)
        console.internal_error(error)
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM is handled like Ctrl-C, so that containers and half-made folders are removed."""
    raise KeyboardInterrupt
