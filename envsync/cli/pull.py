"""``envsync pull``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from envsync.cli import console
from envsync.cli.options import (
    InterpreterOption,
    Lockfiles,
    NameOption,
    PlatformsOption,
    WheelhouseOption,
    WheelsOption,
    lockfiles_folder,
    pull_options,
    split_platforms,
    wanted_artifacts,
)
from envsync.cli.progress import Progress
from envsync.errors import EngineError, EnvsyncError, RegistryError, SolveError, UsageError

if TYPE_CHECKING:
    from envsync.pull import Pulled, Wishes
    from envsync.pull_options import PullOptions


MethodOption = Annotated[
    Literal["auto", "run", "read", "both"],
    typer.Option(
        help="run: ask a container without network or rights. read: read the layers, execute nothing. "
        "both: do both and fail where they differ. auto: nothing where the lock is of the same digest; else read, from "
        "the engine, a registry or a file; with --wheels none, run what the engine holds.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=1,
        envvar="ENVSYNC_TIMEOUT",
        show_envvar=True,
        help="How long reading from a registry may take in all.  [default: timeout of [tool.envsync], else 3600]",
    ),
]


def pull(
    image: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGE",
            help="NAME[:TAG][@DIGEST]; docker:NAME of the local engine (pulled by it where absent), registry:NAME "
            "straight from its registry; docker-archive:FILE, oci-archive:FILE or oci:DIR[:TAG].",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Pull every official image that is not gone; go on past failures.")
    ] = False,
    method: MethodOption = "auto",
    platform: PlatformsOption = None,
    name: NameOption = None,
    interpreter: InterpreterOption = None,
    wheels: WheelsOption = "missing",
    wheelhouse: WheelhouseOption = None,
    lockfiles: Lockfiles = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Learn everything anew: use no lock at hand and no cache, and keep none.")
    ] = False,
    timeout: TimeoutOption = None,
) -> int:
    """Write the lock of an image.

    A lock is a directory with requirements.txt, constraints.txt, os-packages.txt, the hashed requirements.lock and
    pylock.toml where the files are known, and snapshot.json: all that was learnt. Its path is printed. Pulling the same
    image again changes nothing.

    Package indexes are asked which files the distributions were installed from; what they lack is repacked as wheels.
    """
    if every == (image is not None):
        raise UsageError("pull: needs one IMAGE, or --all", hint="For example: envsync pull digdag/digdag-python:3.7")
    image_platform, subdirs = split_platforms(platform or ())
    if image is None and (name is not None or subdirs):
        raise UsageError("--all: not with --name, and with no --platform of conda's (expected one IMAGE)")
    wanted = wanted_artifacts(wheels, wheelhouse)
    options = pull_options(image_platform, interpreter, method, cached=not no_cache, timeout=timeout, artifacts=wanted)
    root = lockfiles_folder(lockfiles)
    if image is None:
        return _pull_all(root, options)
    pulled = pull_one(image, root, options, _wishes(name, subdirs))
    report(pulled)
    console.path(pulled.written.path)
    return _status(pulled)


def _wishes(name: str | None, subdirs: tuple[str, ...]) -> Wishes:
    """What the lock is to have; looks for a solver only where something is to be solved."""
    from envsync.lock.conda.environment_yml import checked_name
    from envsync.pull import Wishes
    from envsync.solve import ChannelAccess

    if name is not None:
        checked_name(name)
    if not subdirs:
        return Wishes(name=name)
    from envsync.conda_config.settings import load_conda_settings
    from envsync.conda_config.terms import terms_error, unaccepted
    from envsync.solve.conda_lock import find_client

    home = Path.home()
    settings = load_conda_settings(os.environ, home)

    def check(places: Iterable[str]) -> None:
        if waiting := unaccepted(places, os.environ, home, accept_terms=settings.accept_terms):
            error = terms_error(waiting, option=False)
            raise SolveError(error.message, hint=error.hint)

    access = ChannelAccess(
        places=settings.places,
        check=check,
        network=settings.network,
        conda=find_client(),
    )
    return Wishes(name=name, subdirs=subdirs, channels=access)


def _status(pulled: Pulled) -> int:
    """1 where something could not be read, or a platform that was solved lacks some of the image's packages."""
    from envsync.report.pulled import missed

    environment = pulled.snapshot.conda_environment
    incomplete = environment is not None and any(missed(one) for one in environment.solved)
    return 1 if pulled.snapshot.skipped or incomplete else 0


def pull_one(image: str, root: Path, options: PullOptions, wishes: Wishes | None = None) -> Pulled:
    """Pull one image with progress."""
    from envsync.locate import parse_meant, rescue
    from envsync.pull import pull as pull_image
    from envsync.pull_options import Progress as PullProgress

    reference = parse_meant(image)
    try:
        with Progress() as progress:
            told = PullProgress(step=progress.step, note=progress.fact, layer=progress.layer)
            return pull_image(reference, root, options, told, wishes)
    except (EngineError, RegistryError) as error:
        hints = [hint for hint in (error.hint, rescue(str(reference))) if hint]
        error.hint = "\n".join(hints) or None
        raise


def report(pulled: Pulled) -> None:
    """Say on stderr what was learnt, what changed, and what to type next."""
    from envsync.report.pulled import render_pulled

    console.say(render_pulled(pulled.snapshot, pulled.written, pulled.dropped).rstrip())


def _pull_all(root: Path, options: PullOptions) -> int:
    from envsync.official import catalogue

    names = [f"{image.repository}:{tag.tag}" for image in catalogue() for tag in image.tags if tag.status != "gone"]
    outcome: list[tuple[str, str]] = []
    failed = partial = 0
    for name in names:
        try:
            pulled = pull_one(name, root, options)
        except EnvsyncError as error:
            console.error(error)
            outcome.append((name, "failed"))
            failed += 1
            continue
        partial += _status(pulled)
        report(pulled)
        outcome.append((name, pulled.written.status))
        console.path(pulled.written.path)
    console.say(f"\n{len(names) - failed} of {len(names)} images pulled")
    for name, result in outcome:
        console.say(f"  {name:<44} {result}")
    return 2 if failed else 1 if partial else 0
