"""Conda packages and environments."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

from envsync.model.record import Record
from envsync.reference import Digest


class CondaPackage(Record, frozen=True, kw_only=True):
    """One record of ``conda-meta``, or one line of a published list of conda packages.

    The fields that a channel gives follow https://docs.conda.io/projects/conda-build/en/stable/concepts/package-spec.html.
    """

    name: str
    version: str
    build: str
    """The build string: ``py37h7e9f1db_0``."""
    build_number: int = 0
    channel: str
    """The channel's URL without subdir and credentials: ``https://repo.anaconda.com/pkgs/main``."""
    subdir: str
    """``linux-64``, ``noarch``."""
    url: str
    """Of the package file, without credentials."""
    md5: str | None = None
    """Of the package file, 32 hexadecimal digits."""
    sha256: str | None = None
    size: int | None = None
    """Bytes of the package file."""
    noarch: Literal["python", "generic"] | None = None
    depends: tuple[str, ...] = ()
    """Match specs, as the channel gave them."""
    constrains: tuple[str, ...] = ()
    files: int = 0
    """How many files the package brought, byte code that was compiled at installation left out."""
    paths: Digest | None = None
    """What these files are, wherever the prefix is: see :func:`envsync.catalog.conda.record.paths_digest`."""
    missing: tuple[str, ...] = ()
    """Files of the package that are not there any more, relative to the prefix, sorted."""
    overwritten: tuple[str, ...] = ()
    """Files of the package that a distribution which pip installed lists as its own, sorted."""
    overwritten_by: tuple[str, ...] = ()
    """Names of these distributions, sorted."""
    layer: Digest | None = None
    """Diff ID of the layer that holds its record; ``None`` where the image was only run."""


class Deviation(Record, frozen=True, kw_only=True):
    """A package of the image that a solved environment has not, or has otherwise."""

    name: str
    version: str
    """In the image."""
    solved: str | None = None
    """The version instead; ``None``: none."""
    reason: Literal["linux only", "absent", "not asked for", "not needed", "version"]
    """``absent``: no channel has it for the platform. ``not asked for``: all that the image has cannot be had together.
    ``not needed``: a dependency that nothing needs there."""


class SolvedEnvironment(Record, frozen=True, kw_only=True):
    """What a solver chose for a platform that the image is not of: solved, not extracted."""

    subdir: str
    """The platform: ``osx-arm64``."""
    solver: str
    """``rattler 0.28.0``; ``conda-lock 4.0.3 with micromamba``."""
    level: Literal["exact", "minor", "any", "requested"]
    """How much was asked for: the versions of the image, their major and minor numbers, its packages in any version, or
    only what somebody asked for when the image was made. Its versions are preferred at every level."""
    specs: tuple[str, ...]
    """What was asked for: match specs."""
    packages: tuple[CondaPackage, ...]
    """Sorted by name."""
    deviations: tuple[Deviation, ...] = ()
    """From the image, by name. Builds always differ, save those of noarch packages."""


class CondaEnvironment(Record, frozen=True, kw_only=True):
    """A prefix with a ``conda-meta`` folder, and what its user wants of it elsewhere."""

    prefix: PurePosixPath | None = None
    """``None``: of a published list."""
    channels: tuple[str, ...] = ()
    """In order of priority, as ``conda env export`` names them: ``defaults``, ``conda-forge``, else URLs."""
    requested: tuple[str, ...] = ()
    """Match specs that somebody asked for, by ``conda-meta/history``, sorted."""
    pinned: tuple[str, ...] = ()
    """Match specs of ``conda-meta/pinned``, in its order."""
    packages: tuple[CondaPackage, ...] = ()
    """Sorted by name."""
    name: str | None = None
    """For ``environment.yml``, as the user chose it: no fact of the image."""
    solved: tuple[SolvedEnvironment, ...] = ()
    """For the platforms that the user asked for, by subdir: no facts of the image."""
