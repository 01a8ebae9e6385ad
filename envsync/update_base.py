"""``create --update-base``: lock -> what ``conda env update`` of conda's own base would change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from envsync.create import Choices
from envsync.errors import UsageError
from envsync.locate import Located

if TYPE_CHECKING:
    from envsync.build.conda.base import BaseClient, BaseUpdate
    from envsync.model import CondaEnvironment


def plan_update_of_base(located: Located, choices: Choices) -> BaseUpdate:
    """What ``conda env update`` of base with a lock would change; nothing is changed.

    Raises:
        UsageError: the lock has no conda environment, or a choice does not go with it.
        BuildError: there is no conda here, or the terms of a channel that it would ask are not accepted.
        UnsafeValueError: the lock has what is no channel.
    """
    from envsync.build.conda.base import plan_base_update

    reference = located.lock.reference
    if located.lock.snapshot.conda_environment is None:
        raise UsageError(f"--update-base: for conda environments; {reference} has none")
    update = plan_base_update(located.lock.snapshot, client_for_base(choices))
    if update.changes:
        _check_terms_for_base(located.lock.snapshot.conda_environment)
    return update


def client_for_base(choices: Choices) -> BaseClient:
    """Which client updates base.

    Raises:
        UsageError: a choice does not go with it.
    """
    if choices.python is not None:
        raise UsageError("--python: not with --update-base: Python is one of the lock's packages")
    if choices.channels:
        raise UsageError(
            "--channel: not with --update-base: your conda takes packages from where its own configuration says",
            hint="Name a mirror in .condarc: default_channels, channel_alias or custom_channels",
        )
    match choices.backend or "conda":
        case "conda" | "mamba" as client:
            return client
    raise UsageError(f"--backend {choices.backend}: cannot update base (expected conda or mamba)")


def _check_terms_for_base(environment: CondaEnvironment) -> None:
    """As :func:`create_environment` does; of channels that are only named, too: a solver asks all of them."""
    from envsync.channels import DEFAULT_CHANNELS, DEFAULTS, channel_url
    from envsync.conda_config.settings import load_conda_settings
    from envsync.conda_config.terms import terms_error, unaccepted
    from envsync.lock.conda.grammar import channels

    home = Path.home()
    settings = load_conda_settings(os.environ, home)
    asked = dict.fromkeys(package.channel for package in environment.packages)
    for name in channels(environment):
        # main and r: what it means now, other than on Windows
        asked |= dict.fromkeys(DEFAULT_CHANNELS[:2] if name == DEFAULTS else (channel_url(name),))
    places = (place for channel in asked for place in settings.places(channel))
    if waiting := unaccepted(places, os.environ, home, accept_terms=settings.accept_terms):
        raise terms_error(waiting, option=False)
