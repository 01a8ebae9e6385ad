"""The channels that an image's ``.condarc`` names: https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/."""

from __future__ import annotations

from envsync.catalog.bounded_yaml import YamlError, load_yaml
from envsync.channels import DEFAULTS, channel_name, channel_url
from envsync.errors import EnvsyncError, UsageError
from envsync.redaction import printable

LIMIT = 64 * 1024
_MOST = 100


class CondarcError(EnvsyncError):
    """A ``.condarc`` that is no YAML, or whose ``channels`` are none."""


def parse_channels(data: bytes) -> tuple[str, ...]:
    """The ``channels`` of a ``.condarc``, by name and without credentials; empty where it names none.

    Raises:
        CondarcError: says what is wrong.
    """
    try:
        document = load_yaml(data)
    except YamlError as error:
        raise CondarcError(str(error)) from error
    channels = document.get("channels") if isinstance(document, dict) else None
    if channels is None:
        return ()
    if isinstance(channels, str):
        channels = [channels]
    if not isinstance(channels, list) or not all(isinstance(one, str) for one in channels):
        raise CondarcError("channels: no list of names")
    try:
        return tuple(dict.fromkeys(_named(one) for one in channels[:_MOST]))
    except UsageError as error:
        raise CondarcError(f"channels: {printable(error.message)}") from error


def _named(text: str) -> str:
    return DEFAULTS if text == DEFAULTS else channel_name(channel_url(text))
