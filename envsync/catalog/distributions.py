"""The Python distributions that one interpreter can import, spelt as its pip prints them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog.bounds import LONGEST_REQUIREMENT, MOST_CLAUSES, Allowance, clauses
from envsync.catalog.direct_url import DirectUrlError, parse_direct_url
from envsync.catalog.distribution import DistributionError, parse_distribution
from envsync.catalog.distribution_files import FILES, PATTERNS, DistributionFiles, collect
from envsync.catalog.freeze import FolderName, Spelling
from envsync.catalog.metadata import parse_headers
from envsync.files import FileTree
from envsync.model import Distribution, Skipped
from envsync.names import normalized
from envsync.redaction import printable

__all__ = [
    "FILES",
    "PATTERNS",
    "DistributionError",
    "DistributionFiles",
    "collect",
    "find_distributions",
    "finish",
    "parse_distribution",
    "spelling_of",
]

Found = tuple[tuple[Distribution, ...], tuple[Skipped, ...]]

_PYTHON_FOLDER = re.compile(r"/python([23]\.\d+)t?(?:/|$)")
_EXTRAS = re.compile(r"[^;\[]*\[[^\]]")


def find_distributions(
    tree: FileTree,
    sys_path: Sequence[PurePosixPath],
    *,
    python: str | None = None,
    allowance: Allowance | None = None,
) -> Found:
    """Describe all distributions on ``sys_path``: in its order, then by normalised name.

    Args:
        tree: where the files are.
        sys_path: as the interpreter starts with it.
        python: the interpreter's version, ``3.7.16``; ``None``: as ``lib/python3.7`` on ``sys_path`` tells.
        allowance: what the distributions of all interpreters of an image share.

    Raises:
        UnsafeValueError: a name, version or origin could inject into a requirements file.
    """
    allowance = allowance or Allowance()
    raws, skipped = collect(tree, sys_path, allowance)
    return finish(raws, skipped, python=python or _python_of(sys_path), allowance=allowance)


_STANDARD_LIBRARY = frozenset({"python", "wsgiref", "argparse"})
"""Parts of Python with metadata of their own (Python 2.7 has it); every pip leaves them out, also with ``--all``."""


def finish(
    raws: Sequence[DistributionFiles],
    skipped: Sequence[Skipped],
    *,
    python: str | None = None,
    allowance: Allowance | None = None,
) -> Found:
    """Describe all distributions of one interpreter: shadowed copies marked, extras that are asked for named.

    Args:
        raws: in ``sys.path`` order.
        skipped: what could not be read so far; it is passed on.
        python: the interpreter's version, ``3.7.16``; ``None``: as the folders' names tell.
        allowance: see :func:`find_distributions`.

    Raises:
        UnsafeValueError: a name, version or origin could inject into a requirements file.
    """
    allowance = allowance or Allowance()
    spelling = spelling_of(raws, python)
    notes = list(skipped)
    entries: list[_Entry] = []
    order: dict[PurePosixPath, int] = {}
    for raw in raws:
        position = order.setdefault(raw.location, len(order))
        try:
            distribution = parse_distribution(raw, spelling)
        except DistributionError as error:
            notes.append(_note(raw, error.message))
        else:
            if normalized(distribution.name) in _STANDARD_LIBRARY:
                continue
            distribution, too_much = _within(distribution, allowance)
            notes.extend(_note(raw, reason) for reason in too_much)
            entries.append(_Entry(position=position, raw=raw, distribution=distribution))
        notes.extend(_doubts(raw))
    return _with_extras(_with_shadows(entries, spelling, notes)), tuple(notes)


def _within(distribution: Distribution, allowance: Allowance) -> tuple[Distribution, list[str]]:
    """``distribution`` without what would cost more than any honest one, and what that was."""
    reasons: list[str] = []
    usable = tuple(one for one in distribution.requires if len(one) <= LONGEST_REQUIREMENT)
    usable = tuple(one for one in usable if clauses(one) <= MOST_CLAUSES)
    if len(usable) < len(distribution.requires):
        absurd = len(distribution.requires) - len(usable)
        reasons.append(f"{absurd} of its requirements longer than any honest one: left out")
        distribution = replace(distribution, requires=usable)
    if len(distribution.requires_python or "") > LONGEST_REQUIREMENT:
        reasons.append("a Requires-Python longer than any honest one: left out")
        distribution = replace(distribution, requires_python=None)
    points, tags = distribution.entry_points, distribution.tags
    text = sum(map(len, usable)) + sum(map(len, tags)) + sum(len(p.group) + len(p.name) + len(p.value) for p in points)
    if not allowance.take_facts(len(usable) + len(tags) + len(points), text):
        reasons.append("its requirements, entry points and tags are more than any honest image has: left out")
        distribution = replace(distribution, requires=(), tags=(), entry_points=())
    return distribution, reasons


def spelling_of(raws: Iterable[DistributionFiles], python: str | None = None) -> Spelling:
    """How the pip among ``raws`` spells; without one, as the newest does."""
    for raw in raws:
        folder = FolderName.parse(raw.filename)
        if normalized(folder.name) == "pip":
            data = raw.files.get("METADATA") or raw.files.get("PKG-INFO") or b""
            declared = parse_headers(data, ("version",)).get("version", [""])[0].strip()
            return Spelling.of(declared or folder.version, python or _python_of([raw.location]))
    return Spelling()


def _python_of(folders: Iterable[PurePosixPath]) -> str | None:
    matches = (_PYTHON_FOLDER.search(str(folder)) for folder in folders)
    return next((match[1] for match in matches if match), None)


class _Entry(Struct, frozen=True, kw_only=True):
    position: int
    """Of its location on ``sys.path``."""
    raw: DistributionFiles
    distribution: Distribution

    @property
    def name(self) -> str:
        return normalized(self.distribution.name)


def _doubts(raw: DistributionFiles) -> Iterable[Skipped]:
    """What is wrong with a distribution that pip lists nevertheless."""
    if not raw.empty and not raw.files.get("METADATA") and not raw.files.get("PKG-INFO"):
        yield _note(raw, "no metadata inside: what is known of it comes from its folder's name")
    data = raw.files.get("direct_url.json")
    if data is not None:
        try:
            parse_direct_url(data)
        except DirectUrlError as error:
            yield _note(raw, f"{error.message}; as pip does, envsync passes over it")


def _note(raw: DistributionFiles, reason: str) -> Skipped:
    return Skipped(subject=printable(raw.filename), place=printable(str(raw.path)), reason=printable(reason))


def _with_shadows(entries: Sequence[_Entry], spelling: Spelling, notes: list[Skipped]) -> list[Distribution]:
    """Sort, and mark all but the first copy of each name."""
    by_name: defaultdict[str, list[_Entry]] = defaultdict(list)
    for entry in entries:
        by_name[entry.name].append(entry)
    placed: list[tuple[int, str, int, Distribution]] = []
    for name, copies in by_name.items():
        ordered = _preferred(copies, spelling) if len(copies) > 1 else copies
        winner = ordered[0]
        for rank, entry in enumerate(ordered):
            shadow = winner.distribution.location if rank else None
            placed.append((entry.position, name, rank, replace(entry.distribution, shadowed_by=shadow)))
        if len(ordered) > 1 and ordered[1].position == winner.position:
            same = [entry for entry in ordered[1:] if entry.position == winner.position]
            others = ", ".join(entry.raw.filename for entry in same)
            notes.append(_note(winner.raw, f"its folder also holds {others}: which one is imported is not certain"))
    return [distribution for *_, distribution in sorted(placed, key=lambda item: item[:3])]


def _preferred(copies: Sequence[_Entry], spelling: Spelling) -> list[_Entry]:
    """In the order of ``sys.path``; of copies in one folder, the one that pip takes first.

    On Python 3.11 and newer pip takes the one that the file system lists first, which no image tells. There,
    as with pip before 23.1, it is the newest that has metadata.
    """
    if spelling.backend == "pkg_resources" and spelling.lowest_first:
        return sorted(copies, key=lambda entry: (entry.position, entry.raw.filename))
    from packaging.version import InvalidVersion, Version

    def age(entry: _Entry) -> tuple[bool, Version]:
        known = bool(entry.raw.files.get("METADATA") or entry.raw.files.get("PKG-INFO"))
        try:
            return known, Version(entry.distribution.version)
        except (InvalidVersion, ValueError):
            return known, Version("0.dev0")

    newest = sorted(sorted(copies, key=lambda entry: entry.raw.filename), key=age, reverse=True)
    return sorted(newest, key=lambda entry: entry.position)


def _with_extras(distributions: Sequence[Distribution]) -> tuple[Distribution, ...]:
    asked: defaultdict[str, set[str]] = defaultdict(set)
    for distribution in distributions:
        if distribution.shadowed_by is None:
            for requirement in distribution.requires:
                if "[" in requirement and _EXTRAS.match(requirement):
                    name, extras = _asked(requirement)
                    asked[name] |= extras
    if not asked:
        return tuple(distributions)
    return tuple(replace(item, extras=tuple(sorted(asked.get(normalized(item.name), ())))) for item in distributions)


def _asked(requirement: str) -> tuple[str, set[str]]:
    """The distribution and the extras that a PEP 508 string asks for; none where it is not one."""
    from packaging.requirements import Requirement

    try:
        # Without the marker: it does not matter here, and a hostile one nests too deep for the parser.
        parsed = Requirement(requirement.partition(";")[0])
    except ValueError:  # InvalidRequirement among them
        return "", set()
    return normalized(parsed.name), {normalized(extra) for extra in parsed.extras}
