"""``envsync create --update-base``: conda's own base environment, which is asked about first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from envsync.cli import console
from envsync.cli.progress import Progress
from envsync.errors import UsageError
from envsync.redaction import printable

if TYPE_CHECKING:
    from envsync.create import Choices
    from envsync.locate import Located


def update_base(located: Located, choices: Choices, *, ask: bool) -> int:
    """Say what would change, ask, and have the user's own conda do it."""
    from envsync.build.conda import base
    from envsync.report.base import render_base_update
    from envsync.update_base import plan_update_of_base

    update = plan_update_of_base(located, choices)
    console.say(render_base_update(update).rstrip())
    if not update.changes:
        return 0
    if ask:
        if not sys.stdin.isatty():
            raise UsageError(
                "--update-base: asks first, and nobody is there to answer (expected a terminal)",
                hint="Nothing was changed. To change it unasked: --yes",
            )
        if not typer.confirm("Change it?", default=False, err=True):
            console.say("nothing was changed")
            return 1
    with Progress() as progress:
        progress.step(f"{update.client} env update --prefix {printable(str(update.prefix))}")
        base.update_base(located.lock.snapshot, update, on_line=progress.detail)
    console.say(f"updated: {printable(str(update.prefix))}")
    return 0
