"""How to get an interpreter on this machine."""

from __future__ import annotations

import platform
import re
import sys


def how_to_get(version: str, *, free_threaded: bool = False, debug: bool = False) -> str:
    """What to type to get Python ``version`` (``3.7.16``, ``3.9``) here."""
    numbers = tuple(int(number) for number in re.findall(r"[0-9]+", version)[:2])
    minor = f"{numbers[0]}.{numbers[1]}"
    ways: list[str] = []
    if numbers >= (3, 8) and not debug:
        ways.append(f"uv python install {version}{'t' if free_threaded else ''}")
    ways.append(f"pyenv install {version}{'t' if free_threaded else ''}{' --debug' if debug else ''}")
    packages = _system_package(minor, sys.platform, _like())
    if packages and not (free_threaded or debug):
        ways.append(packages)
    return f"Get one with: {', or: '.join(ways)}. Or name one with --python PATH."


def _system_package(minor: str, system: str, like: frozenset[str]) -> str | None:
    if system == "darwin":
        return f"brew install python@{minor}"
    if like & {"debian", "ubuntu"}:
        return f"apt install python{minor} (where the distribution, or the deadsnakes PPA, has it)"
    if "fedora" in like:
        return f"dnf install python{minor}"
    return None


def _like() -> frozenset[str]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return frozenset()
    return frozenset([release.get("ID", ""), *release.get("ID_LIKE", "").split()])
