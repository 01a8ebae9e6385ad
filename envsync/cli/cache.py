"""``envsync cache``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from envsync.cli import console
from envsync.cli.outcome import guarded

if TYPE_CHECKING:
    from envsync.cache import Cache

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

    found = _cache().info()
    console.data(render_cache_json(found) if as_json else render_cache(found))
    return 1 if found.problem else 0


def clear() -> int:
    """Remove all that the cache holds.

    Only files that envsync made are removed. What is missing is learnt again when it is needed.
    """
    from envsync.report.cache import size_text

    place = _cache()
    freed = place.clear()
    console.say(f"{place.folder}: {size_text(freed)} freed" if freed else f"{place.folder}: nothing to remove")
    return 0


def _cache() -> Cache:
    from envsync.cache import Cache, default_folder

    return Cache(default_folder(os.environ))


for command in (info, clear):
    cache.command()(guarded(command))
