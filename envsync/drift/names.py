"""Names of distributions, made comparable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

_SEPARATORS = re.compile(r"[-_.]+")
_DISTRIBUTION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def normalized(name: str) -> NormalizedName:
    """The one spelling of a name by which distributions are compared.

    Follows https://packaging.python.org/en/latest/specifications/name-normalization/, as
    ``packaging.utils.canonicalize_name`` does, whose import costs more than a whole comparison.
    """
    return cast("NormalizedName", _SEPARATORS.sub("-", name).lower())


def is_distribution_name(text: str) -> bool:
    """Whether ``text`` follows the grammar of distribution names, so that it can stand in a command."""
    return _DISTRIBUTION_NAME.fullmatch(text) is not None
