"""What ``create --update-base`` says before it asks."""

from __future__ import annotations

from collections.abc import Iterator

from envsync.build.conda.base import BaseUpdate, Change
from envsync.redaction import printable

_SHOWN = 30


def render_base_update(update: BaseUpdate) -> str:
    """What would be new, what replaced, and what stays."""
    if not update.changes:
        return f"{printable(str(update.prefix))}: all that the lock has is there; nothing to change\n"
    new = sum(change.old is None for change in update.changes)
    lines = [
        f"{update.client} env update would change base, {printable(str(update.prefix))}:",
        f"  {len(update.changes) - new} replaced, {new} new, {update.same} there already, {update.others} others stay",
        *(line for change in update.changes[:_SHOWN] for line in _change(change)),
    ]
    if len(update.changes) > _SHOWN:
        lines.append(f"  ... and {len(update.changes) - _SHOWN} more")
    lines.append("What conda's solver changes beside these, conda alone knows.")
    return "\n".join(lines) + "\n"


def _change(change: Change) -> Iterator[str]:
    by = " (pip)" if change.by_pip else ""
    old = f"{printable(change.old)} -> " if change.old is not None else ""
    yield f"  {'~' if change.old is not None else '+'} {printable(change.name)}{by}  {old}{printable(change.new)}"
