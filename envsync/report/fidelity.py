"""How many distributions are byte for byte the image's, and why the others are not."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from msgspec import Struct

from envsync.exact.fidelity import Fidelity, Grade
from envsync.redaction import printable

_SHOWN = 8
_WORDS: dict[Grade, str] = {
    "same-release": "the same release with other bytes",
    "differs": "of another version",
    "missing": "missing",
    "unknown": "not comparable",
}


def fidelity_lines(fidelity: Fidelity, width: int) -> list[str]:
    """One line of figures, and one for each that is there with other bytes; others are told as differences."""
    identical = fidelity.count("identical")
    others = [f"{count} {word}" for grade, word in _WORDS.items() if (count := fidelity.count(grade))]
    figures = "; ".join([f"fidelity: {identical} of {len(fidelity.verdicts)} byte-identical", *others])
    lines = textwrap.wrap(figures, width, subsequent_indent="  ")
    told = [verdict for verdict in fidelity.verdicts if verdict.grade in ("same-release", "unknown")]
    for verdict in told[:_SHOWN]:
        reason = f": {printable(verdict.reason)}" if verdict.reason else ""
        text = f"{printable(verdict.name)} {printable(verdict.version)} {_WORDS[verdict.grade]}{reason}"
        lines += textwrap.wrap(text, width, initial_indent="  - ", subsequent_indent="    ")
    if len(told) > _SHOWN:
        lines.append(f"  ... and {len(told) - _SHOWN} more")
    return [*lines, *_library(fidelity, width)]


def _library(fidelity: Fidelity, width: int) -> Iterator[str]:
    if fidelity.modules is None:
        return
    differing = fidelity.differing_modules
    text = f"standard library: {fidelity.modules - len(differing)} of {fidelity.modules} modules identical"
    compiled = sum(name.startswith("lib-dynload/") for name in differing)
    rest = [printable(name) for name in differing if not name.startswith("lib-dynload/")]
    reasons = [f"{compiled} compiled ones of another build, or that find their libraries elsewhere"] * bool(compiled)
    reasons += [f"other contents: {', '.join(rest[:5])}{', ...' if len(rest) > 5 else ''}"] * bool(rest)
    yield from textwrap.wrap("; ".join([text, *reasons]), width, subsequent_indent="  ")


class NotIdentical(Struct, frozen=True, kw_only=True):
    """One distribution that is not the image's."""

    name: str
    version: str
    grade: Grade
    reason: str


class LibraryFigures(Struct, frozen=True, kw_only=True):
    """The standard library, by top-level modules."""

    modules: int
    differing: tuple[str, ...]


class FidelityFigures(Struct, frozen=True, kw_only=True):
    """The figures, for programs."""

    distributions: int
    identical: int
    same_release: int
    differs: int
    missing: int
    unknown: int
    not_identical: tuple[NotIdentical, ...]
    standard_library: LibraryFigures | None


def fidelity_figures(fidelity: Fidelity) -> FidelityFigures:
    """The same for programs."""
    library = None
    if fidelity.modules is not None:
        library = LibraryFigures(modules=fidelity.modules, differing=fidelity.differing_modules)
    return FidelityFigures(
        distributions=len(fidelity.verdicts),
        identical=fidelity.count("identical"),
        same_release=fidelity.count("same-release"),
        differs=fidelity.count("differs"),
        missing=fidelity.count("missing"),
        unknown=fidelity.count("unknown"),
        not_identical=tuple(
            NotIdentical(name=one.name, version=one.version, grade=one.grade, reason=one.reason)
            for one in fidelity.verdicts
            if one.grade != "identical"
        ),
        standard_library=library,
    )
