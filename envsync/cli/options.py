"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from envsync.cli import console
from envsync.errors import UsageError

if TYPE_CHECKING:
    from envsync.cache import Cache
    from envsync.exact.artifacts import Artifacts, Which
    from envsync.exact.wheelhouse import Wheelhouse
    from envsync.index.client import Indexes
    from envsync.pull_options import Method, PullOptions
    from envsync.settings import Settings

MIRRORS = "ENVSYNC_MIRRORS"
"""Names mirrors of registries: see :func:`envsync.image.registry.access.parse_mirrors`."""

Lockfiles = Annotated[
    Path | None,
    typer.Option(
        "--lockfiles",
        "-L",
        metavar="DIR",
        help="The folder of lock directories.  [default: lockfiles of [tool.envsync], else ./lockfiles]",
        envvar="ENVSYNC_LOCKFILES",
        show_envvar=True,
        file_okay=False,
    ),
]
PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", metavar="OS/ARCH", help="Which image of a multi-platform one: linux/amd64."),
]
PlatformsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="PLATFORM",
        help="OS/ARCH: which image of a multi-platform one: linux/amd64. Or one of conda's, such as osx-arm64 (may be "
        "repeated): choose packages of a conda image for it too, by a solver, since the image has none.",
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The name of the conda environment in environment.yml.  [default: as before, else from the image's]",
    ),
]
InterpreterOption = Annotated[
    str | None,
    typer.Option("--interpreter", metavar="PATH", help="The Python inside the image, instead of `python` on its PATH."),
]


WheelsOption = Annotated[
    Literal["missing", "all", "none"],
    typer.Option(
        envvar="ENVSYNC_WHEELS",
        show_envvar=True,
        help="Which distributions are repacked as wheels from the image's own files: those that no index has so, all, "
        "or none; then no index is asked.",
    ),
]
WheelhouseOption = Annotated[
    Path | None,
    typer.Option(
        "--wheelhouse",
        metavar="DIR",
        file_okay=False,
        help="A folder to keep and to find such wheels in, beside envsync's cache; pip and uv take it as --find-links.",
    ),
]


def lockfiles_folder(given: Path | None, settings: Settings | None = None) -> Path:
    """The folder of lock directories: as given, else as the project says, else ``./lockfiles``."""
    if given is None and settings is None:
        from envsync.settings import load

        settings = load(Path.cwd())
    return given or (settings.lockfiles if settings else None) or Path("lockfiles")


def split_platforms(given: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The image's platform, and those of conda's to solve for, each once.

    Raises:
        UsageError: several of the first kind, or one of neither.
    """
    from envsync.channels import SUBDIRS
    from envsync.redaction import printable

    subdirs = tuple(dict.fromkeys(one for one in given if one in SUBDIRS and one != "noarch"))
    images = [one for one in given if one not in subdirs]
    for one in images:
        if "/" not in one and "-" in one:
            known = ", ".join(sorted(SUBDIRS - {"noarch"}))
            raise UsageError(
                f"--platform: {printable(one)[:100]!r} (expected OS/ARCH, or a platform of conda's)",
                hint=f"Conda's platforms: {known}",
            )
    if len(images) > 1:
        raise UsageError(
            f"--platform: {' and '.join(map(printable, images))} (expected one OS/ARCH)",
            hint="One image is pulled at a time; only platforms of conda's, such as osx-arm64, may be several.",
        )
    return (images[0] if images else None), subdirs


def pull_options(
    platform: str | None,
    interpreter: str | None,
    method: Method = "auto",
    *,
    cached: bool = True,
    timeout: float | None = None,
    settings: Settings | None = None,
    artifacts: Artifacts | None = None,
) -> PullOptions:
    """How to look at an image, parsed, with what the project and the environment say of registries.

    Raises:
        UsageError: one of them cannot be meant.
    """
    from pathlib import PurePosixPath

    from envsync.image.registry.access import Access, Timeouts, parse_mirrors
    from envsync.pull_options import PullOptions
    from envsync.reference import Platform
    from envsync.settings import load

    chosen = settings or load(Path.cwd())
    mirrors = {**chosen.registries, **parse_mirrors(os.environ.get(MIRRORS, ""), where=MIRRORS)}
    total = timeout or chosen.timeout
    return PullOptions(
        method=method,
        platform=Platform.parse(platform) if platform else None,
        interpreter=PurePosixPath(interpreter) if interpreter else None,
        access=Access(mirrors=mirrors, timeouts=Timeouts(total=total) if total else Timeouts()),
        cache=open_cache() if cached else None,
        artifacts=artifacts,
    )


def wanted_artifacts(which: Which, wheelhouse: Path | None) -> Artifacts | None:
    """Which wheels to make of an image; ``None``: none, and no index is to be asked.

    Raises:
        UsageError: a folder for wheels that are not to be made.
    """
    from envsync.exact.artifacts import Artifacts

    if which == "none":
        if wheelhouse is not None:
            raise UsageError("--wheelhouse: not with --wheels none, which makes no wheels")
        return None

    return Artifacts(which=which, wheelhouse=open_wheelhouse(wheelhouse), indexes=open_indexes)


def open_wheelhouse(shared: Path | None) -> Wheelhouse:
    """Where wheels repacked from images are kept."""
    from envsync.cache import default_folder
    from envsync.exact.wheelhouse import Wheelhouse

    return Wheelhouse(default_folder(os.environ) / "wheels", shared.absolute() if shared else None)


def open_indexes() -> Indexes:
    """The user's package indexes."""
    from envsync.index.client import Indexes
    from envsync.index.settings import load_settings
    from envsync.index.transport import Timeouts

    patience = Timeouts(connect=10, idle=15, total=300)
    return Indexes(load_settings(os.environ, Path.home()), cache=open_cache(), timeouts=patience)


def open_cache() -> Cache:
    """The user's cache; that it cannot be used is told once."""
    from envsync.cache import Cache, default_folder

    return Cache(default_folder(os.environ), on_problem=console.error)
