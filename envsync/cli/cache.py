"""``envsync cache``."""

from __future__ import annotations

from typing import Annotated

import typer

from envsync.cli import console
from envsync.cli.options import open_cache
from envsync.cli.outcome import guarded

cache = typer.Typer(
    help="Show or clear what is kept of images between runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, sizes in bytes.")] = False,
) -> int:
    """Show where the cache is and what it holds.

    The folder is $ENVSYNC_CACHE_DIR, else envsync in the user's folder of caches. When it outgrows its limit, what was
    not used for longest is removed.
    """
    from envsync.report.cache import render_cache, render_cache_json

    found = open_cache().info()
    console.data(render_cache_json(found) if as_json else render_cache(found))
    return 1 if found.problem else 0


def clear(
    everything: Annotated[
        bool, typer.Option("--all", help="Also interpreters that environments are on: those have to be made again.")
    ] = False,
) -> int:
    """Remove what the cache holds.

    Only files that envsync made are removed. What is missing is learnt again when it is needed. An interpreter that was
    placed here stays, and is told, as long as an environment that envsync made is on it.
    """
    from envsync.report.cache import render_cleared

    place = open_cache()
    console.say(render_cleared(place.folder, place.clear(used=everything)).rstrip())
    return 0


for command in (info, clear):
    cache.command()(guarded(command))
