"""What an environment needs of the operating system around it, and what of that is there."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

from envsync.model.record import Record

PYTHON = "Python"
"""Who asks where it is the interpreter, or an extension module of its standard library."""


class NeededBy(Record, frozen=True, kw_only=True):
    """One distribution that asks for something."""

    name: str
    """Of a distribution, as its metadata spells it; or :data:`PYTHON`."""
    versions: tuple[str, ...] = ()
    """Of a library: the versions of its symbols that the files of the distribution ask for, sorted: ``GLIBC_2.17``."""
    file: PurePosixPath | None = None
    """The first of its files, by path, that asks."""


class NeededLibrary(Record, frozen=True, kw_only=True):
    """A shared library that files of the environment name as needed, and that is not part of it."""

    soname: str
    path: PurePosixPath | None = None
    """The real path of the file that the loader finds; ``None``: it finds none."""
    package: str | None = None
    """The OS package that owns the file; ``None``: none does."""
    lacking: tuple[str, ...] = ()
    """Versions of symbols that are asked for and that the file does not define, sorted."""
    broken: tuple[str, ...] = ()
    """Sonames that the file itself needs in turn and that the loader does not find, sorted."""
    needed_by: tuple[NeededBy, ...]
    """By name."""


class NeededCommand(Record, frozen=True, kw_only=True):
    """A program that distributions of the environment run."""

    name: str
    path: PurePosixPath | None = None
    """The real path of what PATH means by it; ``None``: nothing."""
    package: str | None = None
    needed_by: tuple[str, ...]
    """Names of distributions, sorted."""


class Resource(Record, frozen=True, kw_only=True):
    """Data that the system gives to programs."""

    kind: Literal[
        "locale",
        "encoding",
        "java-home",
        "time-zone",
        "time-zone-data",
        "certificates",
        "fonts",
        "mime-types",
        "dynamic-library",
    ]
    """``dynamic-library``: one that a distribution loads by its name while it runs: no file names it as needed."""
    value: str | None = None
    """What it is: ``C.UTF-8``, ``Etc/UTC``, ``2024a``, ``/usr/lib/jvm/default-java``; ``None``: there is none."""
    name: str | None = None
    """Of a ``dynamic-library``: its soname."""
    path: PurePosixPath | None = None
    package: str | None = None
    needed_by: tuple[str, ...] = ()
    """Names of distributions, sorted; empty: whatever runs may ask for it."""


class Needs(Record, frozen=True, kw_only=True):
    """What an environment needs of an operating system; of a local side, the same asked of this machine."""

    objects: int
    """ELF files of the environment that were looked at."""
    libraries: tuple[NeededLibrary, ...] = ()
    """By soname."""
    commands: tuple[NeededCommand, ...] = ()
    """By name."""
    resources: tuple[Resource, ...] = ()
    """By kind and value."""
