"""Where the bits of each distribution come from, decided before anything is touched. Pure.

Names, versions and URLs are the image's word and go into a requirements file that uv and pip parse, so each is
held to its grammar here: PEP 508 names, PEP 440 versions, URLs without anything that a requirements file
treats specially (white space, ``${VARIABLES}``, fragments).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from envsync.instants import parse_instant
from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, Origin, Snapshot, VcsOrigin
from envsync.names import NAME, normalized, pep440, refuse_injection, unsafe
from envsync.redaction import printable

if TYPE_CHECKING:
    from envsync.build.interpreter import LocalPython

_WEB_URL = re.compile(r"https?://[A-Za-z0-9\[][^\s\"'<>\\^`{|}#$]*")
_VCS_URL = re.compile(r"(?:https?|ssh|git)://(?:[A-Za-z0-9][A-Za-z0-9._~%+-]*@)?[A-Za-z0-9\[][^\s\"'<>\\^`{|}#$@]*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SUBDIRECTORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_HASH = re.compile(r"(?:sha256=[0-9a-f]{64}|sha384=[0-9a-f]{96}|sha512=[0-9a-f]{128})")
_DEBIAN_FOLDER = PurePosixPath("/usr/lib/python3/dist-packages")


class FromIndex(Struct, frozen=True, kw_only=True, tag="index"):
    """``name==version`` of an index."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    """``sha256=<hex>``: the file must have one of them."""
    local_origin: bool = False
    """The image has it from itself or from its OS; an index may have it as well, or not."""
    place: str = ""
    """Of a local origin: where the image has it from."""
    filename: str | None = None
    """The file that was chosen; ``None``: the index was not asked, or did not answer."""
    is_sdist: bool = False
    """Whether it has to be built."""
    proof: Literal["proved", "inferred", "chosen"] | None = None
    """How sure it is that the image was made from this file: see :class:`envsync.model.IndexFile`; ``chosen``: it only
    fits this machine."""
    build_requires: tuple[str, ...] = ()
    """Of an sdist: what it needs while it is built, beyond what it says itself."""
    as_of: str | None = None
    """Of an sdist: the day whose build requirements it gets."""
    reason: str = ""
    """Why this one."""

    @property
    def requirement(self) -> str:
        """A line of a requirements file."""
        hashes = "".join(f" --hash={value.replace('=', ':')}" for value in self.hashes)
        return f"{self.name}=={self.version}{hashes}"


class FromImage(Struct, frozen=True, kw_only=True, tag="image"):
    """A wheel that was repacked from the image."""

    name: str
    version: str
    filename: str
    sha256: str
    path: str
    """Of the wheel, on this machine."""
    reason: str = ""
    """Why not from an index."""
    notes: tuple[str, ...] = ()
    """What of the distribution is not in it."""

    @property
    def requirement(self) -> str:
        """A line of a requirements file, for an installer that looks into the wheel's folder."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


class FromUrl(Struct, frozen=True, kw_only=True, tag="url"):
    """A VCS commit, or an archive of the web."""

    name: str
    version: str
    origin: VcsOrigin | ArchiveOrigin
    requirement: str
    """The PEP 508 direct reference that ``pip freeze`` prints."""
    reason: str = ""
    """Why from there."""


class NotReproducible(Struct, frozen=True, kw_only=True, tag="nowhere"):
    """Nothing outside the image has it."""

    name: str
    version: str
    reason: str
    output: str = ""
    """Of a build that failed: its last lines."""
    hint: str = ""
    """What would help."""
    tried: str = ""
    """The circumstances under which it could not be had: others are worth another try. Empty: none are."""
    editable: bool = False
    """Whether it is a project that somebody works on, or a folder, rather than a release."""
    nearest: str | None = None
    """The nearest thing there is: ``NAME==VERSION``."""
    risk: str = ""
    """What may go wrong with that."""


Installable = FromIndex | FromUrl | FromImage
Part = Installable | NotReproducible


class Plan(Struct, frozen=True, kw_only=True):
    """One part for each distribution of a lock, in its order."""

    parts: tuple[Part, ...]

    @property
    def makeable(self) -> tuple[Installable, ...]:
        """What is to be installed."""
        return tuple(part for part in self.parts if not isinstance(part, NotReproducible))

    def makeable_without(self, lacking: Iterable[NotReproducible]) -> tuple[Installable, ...]:
        """What is to be installed, but for what no index turned out to have."""
        absent = {normalized(one.name) for one in lacking}
        return tuple(part for part in self.makeable if normalized(part.name) not in absent)

    @property
    def as_of(self) -> datetime | None:
        """As of when its sdists are to be built; ``None``: there are none, or with what there is today."""
        dates = (part.as_of for part in self.parts if isinstance(part, FromIndex) and part.as_of is not None)
        return parse_instant(next(dates, ""))

    @property
    def not_reproducible(self) -> tuple[NotReproducible, ...]:
        """What nothing can supply."""
        return tuple(part for part in self.parts if isinstance(part, NotReproducible))


Choose = Callable[[Distribution, Part], Part]
"""Decides where a distribution comes from, given what its origin alone says."""


class Chooser(Protocol):
    """Asks indexes, and the image for wheels that are not at hand, once the interpreter is known."""

    def __call__(self, python: LocalPython, *, believing: bool) -> Choose:
        """``believing``: no index is asked for what the lock proves."""


def as_origins_say(_distribution: Distribution, part: Part) -> Part:
    """A :data:`Choose` that knows no more than the origins."""
    return part


def make_plan(lock: Snapshot, choose: Choose = as_origins_say) -> Plan:
    """Decide where each distribution of the lock's environment comes from.

    Args:
        lock: whose distributions.
        choose: knows what indexes and the image have; without it, what the origins say counts.

    Raises:
        UnsafeValueError: names a distribution whose name or version could inject into a requirements file.
    """
    parts: dict[str, Part] = {}
    for distribution in lock.distributions:
        name = normalized(distribution.name)
        if name not in parts:
            parts[name] = choose(distribution, part_by_origin(distribution))
    return Plan(parts=tuple(parts.values()))


def part_by_origin(distribution: Distribution) -> Part:
    """Where a distribution comes from, as far as its recorded origin tells.

    Raises:
        UnsafeValueError: its name or version could inject into a requirements file.
    """
    name, version = distribution.name, distribution.version
    _check_syntax(name, version)
    if normalized(name) == "pkg-resources" and version in ("0.0.0", "0.0"):
        return NotReproducible(
            name=name,
            version=version,
            reason="an artefact of Debian's venv module, part of setuptools; no index has it",
        )
    if pep440(version) is None:
        reason = f"its version {version!r} does not follow PEP 440, so uv and pip refuse to install it"
        return NotReproducible(name=name, version=version, reason=reason)
    return _by_origin(name, version, distribution.origin, distribution.location)


def _by_origin(name: str, version: str, origin: Origin | None, location: PurePosixPath | None) -> Part:
    match origin:
        case DirectoryOrigin(url=url, editable=editable):
            # A local project is never looked up by its name: on a public index anybody could own that name.
            what = "an editable project" if editable else "a local project"
            reason = f"{what} that exists only inside the image, at {printable(url)}"
            return NotReproducible(name=name, version=version, reason=reason, editable=True)
        case ArchiveOrigin(url=url, hashes=hashes) if url.lower().startswith("file:"):
            known = tuple(value for value in hashes if _HASH.fullmatch(value))
            return FromIndex(name=name, version=version, hashes=known, local_origin=True, place=printable(url))
        case ArchiveOrigin() | VcsOrigin():
            return _direct(name, version, origin)
        case None if location is not None and location.is_relative_to(_DEBIAN_FOLDER):
            return FromIndex(name=name, version=version, local_origin=True, place=f"an OS package, in {location}")
        case None:
            return FromIndex(name=name, version=version)


def _direct(name: str, version: str, origin: VcsOrigin | ArchiveOrigin) -> Part:
    problem = _vcs_problem(origin) if isinstance(origin, VcsOrigin) else _archive_problem(origin)
    if problem is None and origin.subdirectory is not None and not _is_inner_path(origin.subdirectory):
        problem = f"its subdirectory {origin.subdirectory!r} is none"
    if problem is not None:
        return NotReproducible(name=name, version=version, reason=problem)
    fragments: list[str] = []
    if isinstance(origin, VcsOrigin):
        url = f"{origin.vcs}+{origin.url}@{origin.commit}"
    else:
        url = origin.url
        fragments += [value for value in origin.hashes if _HASH.fullmatch(value)][:1]
    if origin.subdirectory:
        fragments.append(f"subdirectory={origin.subdirectory}")
    suffix = f"#{'&'.join(fragments)}" if fragments else ""
    return FromUrl(name=name, version=version, origin=origin, requirement=f"{name} @ {url}{suffix}")


def _vcs_problem(origin: VcsOrigin) -> str | None:
    shown = printable(origin.url)
    if origin.vcs != "git":
        return f"installed from {printable(origin.vcs)} ({shown}); only git can be reproduced"
    if origin.url.lower().startswith("file:"):
        return f"installed from a git repository that exists only inside the image, at {shown}"
    if not _VCS_URL.fullmatch(origin.url):
        return f"its git URL {shown!r} is not a plain http, https, ssh or git URL"
    if not _COMMIT.fullmatch(origin.commit):
        return f"its git commit {origin.commit!r} is not a full commit hash"
    return None


def _archive_problem(origin: ArchiveOrigin) -> str | None:
    if not _WEB_URL.fullmatch(origin.url):
        return f"its URL {printable(origin.url)!r} is not a plain http or https URL"
    return None


def _is_inner_path(text: str) -> bool:
    return bool(_SUBDIRECTORY.fullmatch(text)) and ".." not in text.split("/")


def _check_syntax(name: str, version: str) -> None:
    if not NAME.fullmatch(name):
        raise unsafe("name", name, "a distribution")
    refuse_injection("version", version, f"the distribution {name}")
