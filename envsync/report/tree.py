"""``envsync show --tree``: which distribution brings which, as ``uv pip tree`` and ``pipdeptree`` show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.model import Snapshot
from envsync.redaction import printable
from envsync.report.provenance import Reasons, find_reasons

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

_DEEPEST = 40
"""Levels that are shown: an image may chain thousands of distributions."""


class _Child(Struct, frozen=True):
    """What one distribution requires of another, put together of all its lines."""

    name: NormalizedName
    extras: tuple[str, ...]
    wanted: str
    """The versions that are asked for; empty: any."""
    missing: bool
    misfit: bool


def render_tree(snapshot: Snapshot, *, ascii_only: bool = False) -> str:
    """Every distribution that no other one needs, and what it needs; each subtree once.

    Requirements count where their markers hold for the Python of the snapshot, with the extras that are asked for.
    """
    reasons = find_reasons(snapshot)
    lines = [] if reasons.known else ["a published list: which of them the others need is not known"]
    children = {name: _children(name, reasons) for name in reasons.graph.distributions}
    glyphs = ("|-- ", "`-- ", "|   ") if ascii_only else ("├── ", "└── ", "│   ")
    seen: set[NormalizedName] = set()
    for root in reasons.roots:
        lines += _tree(root, reasons, children, seen, glyphs)
    return "\n".join([*lines, *([] if lines else ["no distribution"])]) + "\n"


def _tree(
    root: NormalizedName,
    reasons: Reasons,
    below: Mapping[NormalizedName, list[_Child]],
    seen: set[NormalizedName],
    glyphs: tuple[str, str, str],
) -> Iterator[str]:
    """Lines of one root. Without recursion: how deep it goes is the image's choice."""
    branch, last, bar = glyphs
    yield reasons.label(root)
    seen.add(root)
    path = [root]
    waiting = [iter(_with_last(below[root]))]
    indents = [""]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            indents.pop()
            path.pop()
            continue
        child, is_last = found
        children = below.get(child.name, [])
        note = ""
        if child.name in path:
            note = " (a circle)"
        elif children and child.name in seen:
            note = " (see above)"
        elif children and len(path) >= _DEEPEST:
            note = " (deeper than is shown)"
        yield f"{indents[-1]}{last if is_last else branch}{_label(child, reasons)}{note}"
        if children and not note:
            seen.add(child.name)
            path.append(child.name)
            waiting.append(iter(_with_last(children)))
            indents.append(f"{indents[-1]}{' ' * len(bar) if is_last else bar}")


def _children(name: NormalizedName, reasons: Reasons) -> list[_Child]:
    found: dict[NormalizedName, _Child] = {}
    for need in reasons.graph.requirements[name]:
        if need.name == name:  # an extra of its own: what it brings stands beside it
            continue
        before = found.get(need.name)
        extras = {*(before.extras if before else ()), *need.requirement.extras}
        wanted = dict.fromkeys(filter(None, (before.wanted if before else "", str(need.requirement.specifier))))
        found[need.name] = _Child(
            name=need.name,
            extras=tuple(sorted(extras)),
            wanted=",".join(wanted),
            missing=need.name not in reasons.graph.distributions,
            misfit=need.conflict is not None or (before is not None and before.misfit),
        )
    return [found[name] for name in sorted(found)]


def _with_last(children: list[_Child]) -> list[tuple[_Child, bool]]:
    return [(child, number == len(children)) for number, child in enumerate(children, start=1)]


def _label(child: _Child, reasons: Reasons) -> str:
    extras = printable(f"[{','.join(child.extras)}]") if child.extras else ""
    wanted = printable(child.wanted) or "any version"
    if child.missing:
        return f"{printable(child.name)}{extras} (not installed; wanted: {wanted})"
    distribution = reasons.graph.distributions[child.name]
    misfit = f" (wanted: {wanted})" if child.misfit else ""
    return f"{printable(distribution.name)}{extras} {printable(distribution.version)}{misfit}"
