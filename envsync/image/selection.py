"""Choosing one of several images: by name, and by platform."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable, Sequence
from typing import TypeVar

from envsync.errors import ImageError, ReferenceSyntaxError
from envsync.redaction import printable
from envsync.reference import ImageName, Platform

_T = TypeVar("_T")


def default_platforms() -> tuple[Platform, ...]:
    """What is taken where nobody asked for a platform: Linux on this machine's CPU, then on amd64."""
    usual = Platform(os="linux", architecture="amd64")
    try:
        return Platform.parse(f"linux/{machine.machine()}"), usual
    except ReferenceSyntaxError:
        return (usual,)


def choose_platform(
    candidates: Sequence[tuple[Platform, _T]],
    asked: Platform | None,
    *,
    where: str,
    defaults: tuple[Platform, ...],
) -> _T:
    """Choose the image for a platform, the first of several; the only one there is when nobody asked.

    Raises:
        ImageError: there is none; lists the platforms at hand.
    """
    if asked is None and len(candidates) == 1:
        return candidates[0][1]
    for wish in defaults if asked is None else (asked,):
        fitting = [candidate for candidate in candidates if wish.accepts(candidate[0])]
        exact = [candidate for candidate in fitting if candidate[0] == wish]
        if fitting:
            return (exact or fitting)[0][1]
    wished = " or ".join(dict.fromkeys(map(str, defaults))) if asked is None else str(asked)
    at_hand = listed(str(platform) for platform, _ in candidates)
    raise ImageError(
        f"{where}: no image for {wished} (at hand: {at_hand})",
        hint="Choose one of these with --platform." if candidates else None,
    )


def check_platform(asked: Platform | None, actual: Platform, *, where: str) -> None:
    """Make sure that an image is for the platform that was asked for, if one was.

    Raises:
        ImageError: it is for another one.
    """
    if asked is not None and not asked.accepts(actual):
        raise ImageError(
            f"{where}: an image for {actual} (expected {asked})",
            hint=f"Leave out --platform, or use {actual}.",
        )


def listed(names: Iterable[str]) -> str:
    """Names for a message: each once, in their order, at most 20."""
    shown = [printable(name) for name in dict.fromkeys(names)]
    more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
    return ", ".join(shown[:20]) + more if shown else "none"


def same_image_name(one: str, other: str) -> bool:
    """Whether two full names mean the same, once Docker's defaults are filled in."""
    return one == other or (_parsed(one) is not None and _parsed(one) == _parsed(other))


def _parsed(text: str) -> ImageName | None:
    try:
        return ImageName.parse(text)
    except ReferenceSyntaxError:
        return None


def full_name(text: str) -> str | None:
    """``text`` in its familiar form where it is an image name with repository and tag; else ``None``."""
    name = _parsed(text)
    return str(name) if name is not None and (":" in text or "/" in text) else None
