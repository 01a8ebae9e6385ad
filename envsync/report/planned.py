"""What ``create --plan`` says: where each distribution would come from, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from envsync.build.plan import FromImage, FromIndex, FromUrl, NotReproducible, Part
from envsync.redaction import printable, without_credentials
from envsync.supply import Planned

SCHEMA = 1

_HEADS = {
    "index-wheel": "wheels of an index",
    "index-sdist": "sdists of an index, to be built",
    "index": "from an index, as uv or pip finds it",
    "url": "from the recorded URL or commit",
    "image-wheel": "repacked from the image",
    "editable": "editable or local projects, left out",
    "nowhere": "nowhere",
}


def kind_of(part: Part) -> str:
    """One word for where a part comes from."""
    match part:
        case FromIndex(filename=None):
            return "index"
        case FromIndex(is_sdist=sdist):
            return "index-sdist" if sdist else "index-wheel"
        case FromImage():
            return "image-wheel"
        case FromUrl():
            return "url"
        case NotReproducible(editable=editable):
            return "editable" if editable else "nowhere"


def render_plan(planned: Planned, width: int) -> str:
    """All parts by kind, for people."""
    parts = planned.plan.parts
    lines = [f"{len(parts)} distributions for Python {planned.python.version} ({planned.python.path})"]
    for kind, head in _HEADS.items():
        found = [part for part in parts if kind_of(part) == kind]
        if found:
            lines += ["", f"{head} ({len(found)})"]
            lines += [
                line for part in sorted(found, key=lambda part: part.name.lower()) for line in _lines(part, width)
            ]
    return "\n".join(lines) + "\n"


def _lines(part: Part, width: int) -> Iterator[str]:
    yield from textwrap.wrap(
        f"{printable(part.name)} {printable(part.version)}{_proof(part)}",
        width,
        initial_indent="  ",
        subsequent_indent="    ",
    )
    for text in _told(part):
        yield from textwrap.wrap(printable(text), width, initial_indent="    ", subsequent_indent="    ")


def _proof(part: Part) -> str:
    proof = part.proof if isinstance(part, FromIndex) else None
    return f"  {proof}" if proof is not None else ""


def _told(part: Part) -> Iterator[str]:
    match part:
        case FromIndex(filename=str(filename), is_sdist=sdist):
            yield filename
            if sdist:
                requires = f", with {', '.join(part.build_requires)}" if part.build_requires else ""
                yield f"built as of {part.as_of or 'today'}{requires}"
            if part.proof != "proved" and part.reason:
                yield part.reason
            elif "; " in part.reason:
                yield part.reason.partition("; ")[2]
        case FromImage(filename=filename, reason=reason, notes=notes):
            yield filename
            yield reason
            yield from notes
        case FromUrl(requirement=requirement, reason=reason):
            yield without_credentials(requirement.partition(" @ ")[2])
            if reason:
                yield reason
        case NotReproducible(reason=reason, nearest=nearest, risk=risk):
            yield reason
            if nearest is not None:
                yield f"nearest: {nearest} ({risk})"
        case _:
            if part.reason:
                yield part.reason


def plan_json(planned: Planned) -> str:
    """The same for programs; described in docs/schemas/plan.schema.json."""
    document = {
        "schema": SCHEMA,
        "image": planned.lock.reference,
        "python": {"version": planned.python.version, "path": str(planned.python.path)},
        "parts": [_part_json(part) for part in planned.plan.parts],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _part_json(part: Part) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": part.name, "version": part.version, "kind": kind_of(part), "reason": part.reason}
    match part:
        case FromIndex():
            fields |= {"filename": part.filename, "hashes": list(part.hashes), "proof": part.proof}
            if part.is_sdist:
                fields |= {"build_requires": list(part.build_requires), "as_of": part.as_of}
        case FromImage():
            fields |= {"filename": part.filename, "hashes": [f"sha256={part.sha256}"], "path": part.path}
            fields |= {"notes": list(part.notes)}
        case FromUrl():
            fields |= {"url": without_credentials(part.requirement.partition(" @ ")[2])}
        case NotReproducible():
            fields |= {"nearest": part.nearest, "risk": part.risk}
    return fields
