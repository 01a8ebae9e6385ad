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


def clear() -> int:
    """Remove all that the cache holds.

    Only files that envsync made are removed. What is missing is learnt again when it is needed; environments on an
    interpreter that was placed here have to be made again, by envsync create.
    """
    from envsync.report.cache import size_text

    place = open_cache()
    freed = place.clear()
    console.say(f"{place.folder}: {size_text(freed)} freed" if freed else f"{place.folder}: nothing to remove")
    return 0


for command in (info, clear):
    cache.command()(guarded(command))
