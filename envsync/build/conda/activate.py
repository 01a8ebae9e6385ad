"""``bin/activate`` of a prefix, so that neither conda nor ``conda init`` is needed to work in it.

What it does follows conda's own ``conda/activate.py``: the same variables, scripts and order, so that ``conda
deactivate`` can leave what this entered. Variables are those of packages, in ``etc/conda/env_vars.d``, and those of
``conda env config vars``, in ``conda-meta/state``.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from envsync.build.conda.own_files import write_own

_SCRIPTS = {"activate": "activate.sh", "activate.fish": "activate.fish"}
_STATE = "conda-meta/state"
_OF_PACKAGES = "etc/conda/env_vars.d"
_LIMIT = 1024 * 1024
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN = re.compile(r"PATH|PS1|CONDA_.*|__CONDA_.*|_envsync_.*|_ENVSYNC_.*", re.IGNORECASE | re.DOTALL)
_UNSET = "***unset***"
"""What conda keeps of a variable that was unset."""
_UNFIT_FOR_PROMPTS = re.compile(r"[^\w.+@ -]", re.ASCII)
"""Shells expand what a prompt holds."""


_Content = TypeVar("_Content")


class _State(msgspec.Struct):
    env_vars: dict[str, str] = {}


def write_activation(staging: Path, target: Path) -> tuple[Path, ...]:
    """Write ``bin/activate`` and ``bin/activate.fish`` of a prefix, but none where a package has one.

    Args:
        staging: where the prefix is now.
        target: where it will be used; absolute.

    Returns:
        The files written.

    Raises:
        BuildError: a package put a link in their place.
        OSError: they cannot be.
    """
    variables = _variables(staging)
    written = []
    for name, script in _SCRIPTS.items():
        file = staging / "bin" / name
        if os.path.lexists(file):
            continue
        write_own(staging, f"bin/{name}", os.fsencode(activation(script, target, variables)))
        written.append(file)
    return tuple(written)


def activation(script: str, target: Path, variables: Mapping[str, str]) -> str:
    """The text of one of the scripts for the prefix ``target``."""
    quote = _fish_quoted if script.endswith(".fish") else shlex.quote
    function = "$argv[1]" if script.endswith(".fish") else '"$1"'
    # As conda has it: an environment among others is known by its name.
    default_env = target.name if target.parent.name == "envs" else str(target)
    values = {
        "PREFIX": quote(str(target)),
        "DEFAULT_ENV": quote(default_env),
        "PROMPT": quote(f"({_UNFIT_FOR_PROMPTS.sub('_', target.name)}) "),
        "VARIABLES": "".join(f"\n    {function} {name} {quote(value)}" for name, value in variables.items()),
    }
    text = resources.files(__package__).joinpath(script).read_text(encoding="utf-8")
    return re.sub("@([A-Z_]+)@", lambda found: values[found[1]], text)


def _variables(prefix: Path) -> Mapping[str, str]:
    """The variables of packages and of the prefix, but for those that activation itself sets."""
    found: dict[str, str] = {}
    for file in sorted((prefix / _OF_PACKAGES).glob("*")):
        found |= _read(file, dict[str, str]) or {}
    if (state := _read(prefix / _STATE, _State)) is not None:
        found |= state.env_vars
    return {
        name: value
        for name, value in found.items()
        if _VARIABLE.fullmatch(name) and not _OWN.fullmatch(name) and value != _UNSET and "\0" not in value
    }


def _read(file: Path, content: type[_Content]) -> _Content | None:
    """What a file holds; ``None`` where there is none, or another content."""
    try:
        with file.open("rb") as stream:
            return msgspec.json.decode(stream.read(_LIMIT), type=content)
    except (OSError, msgspec.DecodeError):
        return None


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
