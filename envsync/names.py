"""Names and versions of distributions: their grammar, and what of them must not reach a requirements file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from envsync.errors import UnsafeValueError
from envsync.redaction import printable

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""The grammar of https://packaging.python.org/en/latest/specifications/name-normalization/."""

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_*~-]*")
"""What a version is made of: all of PEP 440, and the legacy versions that cannot end a requirement early."""

# Letters of other scripts and U+FFFD make a name wrong, but they cannot end it.
_HARMLESS = re.compile(r"(?!-)[\w.+!*~\ufffd-]+")
_CANONICAL = re.compile(
    r"(?:[1-9][0-9]*!)?(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*(?:(?:a|b|rc)(?:0|[1-9][0-9]*))?"
    r"(?:\.post(?:0|[1-9][0-9]*))?(?:\.dev(?:0|[1-9][0-9]*))?"
)
_SEPARATORS = re.compile(r"[-_.]+")
_SHOWN = 100

LONGEST = 200
"""Characters that a name or version may have; no honest one comes near."""


def normalized(name: str) -> NormalizedName:
    """``name`` as indexes compare it: ``ruamel_yaml`` and ``Ruamel.YAML`` are ``ruamel-yaml``.

    Follows https://packaging.python.org/en/latest/specifications/name-normalization/, as
    ``packaging.utils.canonicalize_name`` does, whose import costs more than a whole comparison.
    """
    return cast("NormalizedName", _SEPARATORS.sub("-", name).lower())


def is_distribution_name(text: str) -> bool:
    """Whether ``text`` follows the grammar of distribution names, so that it can stand in a command."""
    return NAME.fullmatch(text) is not None


def refuse_injection(what: str, value: str, place: object) -> None:
    """Let ``value`` pass unless it could add a line, an option or another requirement to a requirements file.

    Raises:
        UnsafeValueError: names ``what`` (``name``, ``version``), the value with control characters escaped,
            and the ``place`` it comes from.
    """
    if value and not _HARMLESS.fullmatch(value):
        raise unsafe(what, value, place)


def unsafe(what: str, value: str, place: object) -> UnsafeValueError:
    """The error for a value that could inject into a requirements file."""
    shown = printable(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
    return UnsafeValueError(
        f"{printable(str(place))}: the {what} “{shown}” could add lines or options to a requirements file",
        hint="Nothing was written. Do not use this image unless you know who made it; "
        "uninstalling that distribution in the image solves it.",
    )


def pep440(version: str) -> str | None:
    """``version`` in its normal form (``2019.03`` is ``2019.3``); ``None`` where PEP 440 does not know it."""
    if len(version) > LONGEST:
        return None
    if _CANONICAL.fullmatch(version):
        return version
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except (InvalidVersion, ValueError):  # ValueError: more digits than int() takes
        return None
