"""The one model of an environment: what :mod:`envsync` learns, stores and compares.

An image and the local side are described with the same types, so that drift is a pure comparison of two
snapshots. Everything here is immutable. Structs are used instead of dataclasses because they are frozen,
slotted and keyword-only as well and are decoded from JSON with validation that names the key path
(``docs/decisions/msgspec.md``).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

from envsync.model.artifacts import ImageWheel as ImageWheel
from envsync.model.artifacts import IndexFile as IndexFile
from envsync.model.conda import CondaEnvironment as CondaEnvironment
from envsync.model.conda import CondaPackage as CondaPackage
from envsync.model.conda import Deviation as Deviation
from envsync.model.conda import SolvedEnvironment as SolvedEnvironment
from envsync.model.needs import PYTHON as PYTHON
from envsync.model.needs import NeededBy as NeededBy
from envsync.model.needs import NeededCommand as NeededCommand
from envsync.model.needs import NeededLibrary as NeededLibrary
from envsync.model.needs import Needs as Needs
from envsync.model.needs import Resource as Resource
from envsync.model.record import Record as Record
from envsync.reference import Digest, Platform

SCHEMA_VERSION = 4


# --- where a snapshot comes from ---------------------------------------------------------------------


class ImageSource(Record, frozen=True, kw_only=True, tag_field="kind", tag="image"):
    """An image that was run or read."""

    reference: str
    """As a user would type it, in short form: ``digdag/digdag-python:3.7``."""
    digest: Digest | None = None
    """Of the manifest (or index) in a registry; ``None`` where the image never came from one."""
    config_digest: Digest
    """Of the image's config: the image ID."""
    created: str | None = None
    """RFC 3339, from the image's config."""
    method: Literal["run", "read", "both"]
    pulled_at: str
    """RFC 3339, UTC, seconds. The only field that is not a fact of the image."""
    layers: tuple[Digest, ...] = ()
    """Diff IDs (uncompressed), lowest first."""
    layer_sizes: tuple[int, ...] = ()
    """Bytes of each, uncompressed; empty where the image was only run."""
    layer_commands: tuple[str, ...] = ()
    """The instruction that made each, by the config's history, without credentials; empty where it does not tell."""


class Doubt(Record, frozen=True, kw_only=True):
    """A published value that is probably wrong, kept as published."""

    name: str
    value: str
    note: str


class ListSource(Record, frozen=True, kw_only=True, tag_field="kind", tag="list"):
    """A list of distributions that somebody published; no image was seen."""

    reference: str
    url: str
    date: str
    """As far as the source tells: ``2022-03-09``, or words such as ``2020-02 or later``."""
    completeness: str
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()


class LocalSource(Record, frozen=True, kw_only=True, tag_field="kind", tag="local"):
    """An environment on this machine."""

    path: PurePosixPath


Source = ImageSource | ListSource | LocalSource


# --- the system around the interpreter ---------------------------------------------------------------


class EnvironmentVariable(Record, frozen=True, kw_only=True):
    """One variable of an image's config."""

    name: str
    value: str | None
    """``None`` where the value was withheld because the name says that it is a credential."""


class ImageConfig(Record, frozen=True, kw_only=True):
    """What the OCI image config tells a process: https://github.com/opencontainers/image-spec."""

    env: tuple[EnvironmentVariable, ...] = ()
    user: str = ""
    workdir: str = ""


class Libc(Record, frozen=True, kw_only=True):
    """The C library, which decides what compiled wheels fit."""

    family: Literal["glibc", "musl"]
    version: str
    """``2.36``; ``1.2.5``."""


class OperatingSystem(Record, frozen=True, kw_only=True):
    """From os-release(5); all fields empty where there is none."""

    id: str = ""
    id_like: tuple[str, ...] = ()
    version_id: str = ""
    codename: str = ""
    pretty_name: str = ""
    libc: Libc | None = None

    @property
    def label(self) -> str:
        """For people (once printable): ``Debian GNU/Linux 12 (bookworm)``."""
        return self.pretty_name or f"{self.id} {self.version_id}".strip() or "unknown OS"


class OsPackage(Record, frozen=True, kw_only=True):
    """An installed package of the operating system, or of Homebrew."""

    manager: Literal["dpkg", "apk", "rpm", "pacman", "brew"]
    name: str
    version: str
    architecture: str
    source: str
    """The source package (dpkg ``Source``, apk ``o:``, of rpm without version); its own name where it has no other."""
    explicit: bool | None = None
    """Whether somebody asked for it, rather than another package; ``None``: the system does not say."""


# --- distributions -----------------------------------------------------------------------------------


class VcsOrigin(Record, frozen=True, kw_only=True, tag_field="kind", tag="vcs"):
    """Installed from a version control system, by PEP 610 ``vcs_info``."""

    url: str
    vcs: str
    commit: str
    requested_revision: str | None = None
    subdirectory: str | None = None


class ArchiveOrigin(Record, frozen=True, kw_only=True, tag_field="kind", tag="archive"):
    """Installed from the URL of a wheel or sdist, by PEP 610 ``archive_info``."""

    url: str
    hashes: tuple[str, ...] = ()
    """``sha256=<hex>``, sorted."""
    subdirectory: str | None = None


class DirectoryOrigin(Record, frozen=True, kw_only=True, tag_field="kind", tag="directory"):
    """Installed from a local folder: PEP 610 ``dir_info``, or a setuptools ``.egg-link``."""

    url: str
    editable: bool = False
    subdirectory: str | None = None


Origin = VcsOrigin | ArchiveOrigin | DirectoryOrigin


class EntryPoint(Record, frozen=True, kw_only=True):
    """https://packaging.python.org/en/latest/specifications/entry-points/."""

    group: str
    name: str
    value: str


class Distribution(Record, frozen=True, kw_only=True):
    """One installed distribution, or one line of a published list (then only name and version)."""

    name: str
    """Spelt as ``pip freeze --all`` prints it there."""
    version: str
    """As ``pip freeze --all`` prints it: normalised where it is a PEP 440 version."""
    location: PurePosixPath | None = None
    """The ``sys.path`` entry that makes it importable."""
    metadata: PurePosixPath | None = None
    """Its ``.dist-info`` or ``.egg-info``."""
    requires: tuple[str, ...] = ()
    """PEP 508 strings; from ``Requires-Dist``, or ``requires.txt`` turned into it."""
    requires_python: str | None = None
    extras: tuple[str, ...] = ()
    """Extras that other distributions of this environment ask of it, normalised, sorted."""
    origin: Origin | None = None
    """``None``: from an index (or not recorded)."""
    installer: str | None = None
    requested: bool = False
    tags: tuple[str, ...] = ()
    """``Tag`` lines of ``WHEEL``: ``cp37-cp37m-manylinux1_x86_64``."""
    entry_points: tuple[EntryPoint, ...] = ()
    record: Digest | None = None
    """SHA-256 of the ``RECORD`` file's bytes."""
    layer: Digest | None = None
    """Diff ID of the layer that holds its metadata; ``None`` where the image was only run."""
    contents: Digest | None = None
    """Of all its files, as :mod:`envsync.contents` says; ``None``: not known, or the image was only run."""
    patched: tuple[str, ...] = ()
    """Files that are not what its RECORD says, or are missing, in normal form; the first twenty."""
    file: IndexFile | None = None
    """What it was installed from; ``None`` where no index has it, or none was asked."""
    wheel: ImageWheel | None = None
    """What the image itself gave; ``None``: it was not needed, or not asked for."""
    shadowed_by: PurePosixPath | None = None
    """The ``location`` of the copy that is imported instead of this one."""
    conda: str | None = None
    """The conda package that its metadata is a file of; ``None``: pip or another installer brought it."""
    frozen: str | None = None
    """The line of ``pip freeze --all`` there, where name, version and origin do not tell it: of an old pip
    that knows no ``direct_url.json``, or of one that picks another of the archive's hashes."""


# --- interpreters ----------------------------------------------------------------------------------


class Venv(Record, frozen=True, kw_only=True):
    """A ``pyvenv.cfg``, by PEP 405."""

    home: PurePosixPath
    """The folder of the base interpreter."""
    system_site_packages: bool = False


class Interpreter(Record, frozen=True, kw_only=True):
    """One Python and what it can import. Of a published list only ``version`` is known."""

    version: str
    """``3.7.16``; only ``3.7`` where a list says no more."""
    implementation: str = "cpython"
    executable: PurePosixPath | None = None
    """The name to call it by: what ``python3`` or ``python`` finds on PATH where one of them leads here."""
    aliases: tuple[PurePosixPath, ...] = ()
    """Other names that lead to the same interpreter and prefix, sorted."""
    abi: str | None = None
    """The ABI tag: ``cp37m``, ``cp313t``, ``cp27mu``."""
    platform_tag: str | None = None
    """The most specific platform tag: ``manylinux_2_36_x86_64``, ``musllinux_1_2_aarch64``."""
    prefix: PurePosixPath | None = None
    base_prefix: PurePosixPath | None = None
    venv: Venv | None = None
    externally_managed: bool = False
    """PEP 668."""
    sys_path: tuple[PurePosixPath, ...] = ()
    """As it starts, without the script's own folder."""
    standard_library: dict[str, str] | None = None
    """By top-level module: the first 16 hexadecimal digits of the SHA-256 of its files; ``None`` where not known."""
    distributions: tuple[Distribution, ...] = ()
    """In ``sys.path`` order, then by normalised name; shadowed copies included."""


class Skipped(Record, frozen=True, kw_only=True):
    """Something that could not be read or reproduced."""

    subject: str
    """What: a distribution, an interpreter, a file."""
    place: str
    """Where: a path in the image."""
    reason: str


class Snapshot(Record, frozen=True, kw_only=True, omit_defaults=False):
    """All that was learnt of one environment."""

    schema: int = SCHEMA_VERSION
    source: Source
    platform: Platform | None = None
    config: ImageConfig | None = None
    os: OperatingSystem | None = None
    interpreters: tuple[Interpreter, ...]
    """The first is the environment; the others follow by executable."""
    conda: tuple[CondaEnvironment, ...] = ()
    """By prefix; that of the environment's interpreter first, where it has one."""
    virtual_packages: tuple[str, ...] = ()
    """Of a local side: what conda takes for packages of the machine, as ``__glibc=2.36=0``."""
    os_packages: tuple[OsPackage, ...] | None = None
    """Sorted by name, architecture, version; ``None`` where nothing is known (a list, or another OS)."""
    needs: Needs | None = None
    """What the environment needs of the system; ``None`` where its files were not seen, or no system was."""
    skipped: tuple[Skipped, ...] = ()

    @property
    def python(self) -> Interpreter:
        """The interpreter that is the environment."""
        return self.interpreters[0]

    @property
    def conda_environment(self) -> CondaEnvironment | None:
        """The conda environment that the interpreter belongs to; ``None``: it is no conda environment."""
        first = self.conda[0] if self.conda else None
        return first if first is not None and first.prefix == self.python.prefix else None

    @property
    def distributions(self) -> tuple[Distribution, ...]:
        """Of the environment, without shadowed copies."""
        return tuple(d for d in self.python.distributions if d.shadowed_by is None)
