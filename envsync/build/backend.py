"""What ``create`` asks of uv and pip."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from envsync.build.events import Event
from envsync.build.interpreter import LocalPython
from envsync.build.plan import FromImage, FromIndex, Installable, NotReproducible
from envsync.errors import BuildError

ABSENT_FROM_INDEX = "no index that is configured here has it"
OTHER_FILES = "no index that is configured here has the file with its hash, only others of that name and version"


class NoLongerThereError(BuildError):
    """An index turned out not to have a file that was not asked for, since the lock proves that it had it."""


class Request(Struct, frozen=True, kw_only=True):
    """What shall be in an environment, and what of it has to change."""

    env: Path
    python: str
    """The exact version of the interpreter in it."""
    wanted: tuple[Installable, ...]
    """All distributions."""
    stale: frozenset[str] = frozenset()
    """Normalised names of installed distributions that are not what is wanted."""
    damaged: frozenset[str] = frozenset()
    """Those of the stale whose files may be wrong in a cache too."""
    extra: frozenset[str] = frozenset()
    """Normalised names of installed distributions that are not wanted at all."""
    among_others: bool = False
    """What else is in the environment is conda's, and stays."""
    offline: bool = False
    as_of: datetime | None = None
    """UTC: sdists are built with the newest build requirements that the index had then."""
    strict: bool = False
    """Whether a distribution that cannot be built, or that no index or repository has, is an error; else left out."""
    believing: bool = False
    """Whether no index was asked for what the lock proves; what it lacks then is :class:`NoLongerThereError`."""
    circumstances: str = ""
    """See :func:`envsync.build.circumstances.circumstances`."""
    timeout: float
    """Seconds, for each run of uv or pip."""
    on_event: Callable[[Event], None]


class Backend(Protocol):
    """Makes environments and installs into them."""

    def make(self, env: Path, python: LocalPython, *, prompt: str) -> None:
        """Make the empty folder ``env`` a virtual environment.

        Raises:
            BuildError: says why it cannot be made.
        """

    def install(self, request: Request) -> tuple[NotReproducible, ...]:
        """Make the environment hold exactly what is wanted; returns what is lacking, each with its cause.

        Raises:
            NoLongerThereError: see :attr:`Request.believing`.
            BuildError: names the distribution, the cause and the last lines of its build: with ``strict`` whatever is
                lacking but for local origins, else only what concerns more than one distribution, or its identity:
                the network, a login, a full disk, another hash.
        """


def wheel_folders(parts: Iterable[Installable]) -> tuple[str, ...]:
    """Where the wheels of the image lie that are among ``parts``: each is found there by its name and hash."""
    return tuple(sorted({str(Path(part.path).parent) for part in parts if isinstance(part, FromImage)}))


def check_is_environment(env: Path) -> None:
    """Make sure that uv and pip install into ``env``: without what makes it one they would take the base for it.

    Raises:
        BuildError: that is gone.
    """
    if not (env / "pyvenv.cfg").is_file() and not (env / "conda-meta").is_dir():
        raise BuildError(
            f"{env}: no environment (expected pyvenv.cfg, or conda-meta, in it): what is installed would go elsewhere",
            hint="Something removes files while envsync works. Nothing was changed; try again.",
        )


def not_reproducible(part: FromIndex, reason: str) -> NotReproducible:
    """Account for a local origin that cannot be had."""
    return NotReproducible(name=part.name, version=part.version, reason=f"from {part.place}; {reason}")
