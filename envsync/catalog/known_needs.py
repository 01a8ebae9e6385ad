"""What distributions need of the system that no ELF file says, as far as known: ``needs_of_distributions.toml``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import PurePosixPath
from typing import Literal

from msgspec import Struct

from envsync.errors import EnvsyncError
from envsync.files import FileTree
from envsync.loader import SONAME
from envsync.model import Distribution
from envsync.names import NAME, normalized
from envsync.sourced import SOURCE, are_specifiers, decode_table, specifies

Data = Literal["certificates", "fonts", "java-home", "mime-types", "time-zone-data"]
Choice = str | tuple[str, ...]
"""One name, or several of which one does."""

_COMMAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_BUNDLED = re.compile(r"(?:[A-Za-z0-9_.-]+/)+[A-Za-z0-9_.-]+\*?")


class KnownNeedsError(EnvsyncError):
    """The table is not what it should be."""


class KnownNeed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One distribution, in some of its versions."""

    distribution: str
    versions: str = ""
    """A specifier of PEP 440; all versions where it is empty."""
    commands: tuple[Choice, ...] = ()
    optional_commands: tuple[Choice, ...] = ()
    libraries: tuple[Choice, ...] = ()
    """Sonames that it loads while it runs."""
    optional_libraries: tuple[Choice, ...] = ()
    data: tuple[Data, ...] = ()
    bundled: tuple[str, ...] = ()
    """Files below the folder that it is installed in; ``*`` may end them. Where one is there, nothing is needed."""
    unless: tuple[str, ...] = ()
    """Distributions that bring what it needs."""
    source: str
    """Where that is said in public."""

    def fits(self, version: str) -> bool:
        """Whether it speaks of this release."""
        return not self.versions or specifies(self.versions, version)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    need: tuple[KnownNeed, ...] = ()


def parse_known_needs(data: bytes) -> tuple[KnownNeed, ...]:
    """Parse the bytes of such a file.

    Raises:
        KnownNeedsError: says what of it is wrong.
    """
    found = decode_table(data, _File, "needs_of_distributions.toml", KnownNeedsError).need
    for number, one in enumerate(found):
        if problem := _problem(one):
            raise KnownNeedsError(f"needs_of_distributions.toml: need[{number}].{problem}")
    return found


def needs_of(
    tree: FileTree, distributions: Sequence[Distribution], known: Mapping[str, Sequence[KnownNeed]] | None = None
) -> Iterator[tuple[Distribution, KnownNeed]]:
    """What is known of those that are installed, in their order.

    Args:
        tree: where they are installed.
        distributions: of one environment.
        known: by normalised name; what comes with envsync unless given.
    """
    table = known_needs() if known is None else known
    installed = {normalized(one.name) for one in distributions}
    for one in distributions:
        for need in table.get(normalized(one.name), ()):
            others = {normalized(name) for name in need.unless}
            if need.fits(one.version) and not others & installed and not _brings(tree, one, need):
                yield one, need


def resolve(
    wanted: Iterable[tuple[str, Sequence[Choice], Sequence[Choice]]], find: Callable[[str], PurePosixPath | None]
) -> Iterator[tuple[str, PurePosixPath | None, tuple[str, ...]]]:
    """What is wanted, by name: where it is, and by whom it is wanted.

    Where one of several does, it is the first that is there, or else the first of all.

    Args:
        wanted: who, what, and what is left out where it is not there.
        find: where something is.
    """
    found = cache(find)
    wanted_by: dict[str, set[str]] = {}
    for who, needed, optional in wanted:
        every = (*((names, True) for names in choices(needed)), *((names, False) for names in choices(optional)))
        for names, must in every:
            there = next((name for name in names if found(name) is not None), None)
            if there is not None or must:
                wanted_by.setdefault(there or names[0], set()).add(who)
    for name in sorted(wanted_by):
        yield name, found(name), tuple(sorted(wanted_by[name]))


def does_as_well(name: str, wanted_by: Sequence[str]) -> tuple[str, ...]:
    """A command or library, and after it what else does for everyone who wants it: ``g++`` after ``clang++``."""
    common: dict[str, None] | None = None
    for who in wanted_by:
        needs = known_needs().get(normalized(who), ())
        every = (
            choices((*one.commands, *one.optional_commands, *one.libraries, *one.optional_libraries)) for one in needs
        )
        others = dict.fromkeys(other for names in chain.from_iterable(every) if name in names for other in names)
        common = others if common is None else {other: None for other in common if other in others}
    return tuple(dict.fromkeys((name, *(common or ()))))


def choices(of: Iterable[Choice]) -> Iterator[tuple[str, ...]]:
    """Each as the names of which one does."""
    return ((one,) if isinstance(one, str) else one for one in of)


@cache
def known_needs() -> Mapping[str, tuple[KnownNeed, ...]]:
    """The file that comes with envsync, by normalised name."""
    by_name: dict[str, tuple[KnownNeed, ...]] = {}
    for one in parse_known_needs((files("envsync.catalog") / "needs_of_distributions.toml").read_bytes()):
        name = normalized(one.distribution)
        by_name[name] = (*by_name.get(name, ()), one)
    return by_name


def _brings(tree: FileTree, distribution: Distribution, need: KnownNeed) -> bool:
    if distribution.location is None:
        return False
    for pattern in need.bundled:
        whole = PurePosixPath(distribution.location, pattern)
        if any(fnmatchcase(name, whole.name) for name in tree.list(whole.parent)):
            return True
    return False


def _problem(one: KnownNeed) -> str | None:
    for name in (one.distribution, *one.unless):
        if not NAME.fullmatch(name):
            return f"distribution: {name!r} is no name of a distribution"
    if not are_specifiers(one.versions):
        return f"versions: {one.versions!r} is no version specifier"
    if not (one.commands or one.optional_commands or one.libraries or one.optional_libraries or one.data):
        return "commands: is empty, and so is all else that it may need"
    commands, libraries = (*one.commands, *one.optional_commands), (*one.libraries, *one.optional_libraries)
    for what, grammar, of in (("command", _COMMAND, commands), ("soname", SONAME, libraries)):
        for names in choices(of):
            for name in names or ("",):
                if not grammar.fullmatch(name):
                    return f"{what}: {name!r} is no name of one"
    for pattern in one.bundled:
        if not _BUNDLED.fullmatch(pattern) or ".." in pattern:
            return f"bundled: {pattern!r} is no relative path"
    if not SOURCE.fullmatch(one.source):
        return f"source: {one.source!r} is no https URL"
    return None
