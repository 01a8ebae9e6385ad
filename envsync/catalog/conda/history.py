"""``conda-meta/history`` and ``conda-meta/pinned``: what somebody asked conda for."""

from __future__ import annotations

import re

_SPECS = re.compile(r"# (?P<action>(?:install|update|remove|neutered) )?specs: *(?P<values>.*)")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_SPEC = re.compile(r"[A-Za-z0-9_*][!-~ ]{0,500}")
_NAME_OF_SPEC = re.compile(r"(?:.*::)?([A-Za-z0-9_.-]+)")
LIMIT = 4 * 1024 * 1024
"""Bytes; a few kilobytes for each of hundreds of revisions."""
_MOST = 5_000


def parse_history(data: bytes) -> tuple[str, ...]:
    """Match specs that were asked for and not taken back, sorted. Never raises.

    As conda's ``History.get_requested_specs_map``: of several specs of one name the last one counts.
    """
    wanted: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        match = _SPECS.match(line)
        if match is None:
            continue
        removed = (match["action"] or "").strip() == "remove"
        for spec in _values(match["values"]):
            name = _name(spec)
            if removed:
                wanted.pop(name, None)
            elif len(wanted) < _MOST:
                wanted[name] = spec
    return tuple(sorted(wanted.values()))


def parse_pinned(data: bytes) -> tuple[str, ...]:
    """Match specs of a ``pinned`` file, in its order. Never raises."""
    lines = (line.partition("#")[0].strip() for line in data.decode("utf-8", "replace").splitlines())
    return tuple(line for line in lines if line and _is_spec(line))[:_MOST]


def _values(text: str) -> list[str]:
    """The strings of a list as Python or JSON writes it; older ones have them parted by commas alone."""
    if text.startswith("["):
        found = [one or other for one, other in _QUOTED.findall(text)]
    else:
        found = [part.strip() for part in text.split(",")]
    return [spec for spec in found if _is_spec(spec)]


def _is_spec(text: str) -> bool:
    return _SPEC.fullmatch(text) is not None and "://" not in text


def _name(spec: str) -> str:
    match = _NAME_OF_SPEC.match(spec)
    return match[1].lower() if match else spec
