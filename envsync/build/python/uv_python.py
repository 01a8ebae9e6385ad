"""Interpreters that uv downloads: https://docs.astral.sh/uv/concepts/python-versions/."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from envsync.build.environ import tool_environment
from envsync.build.interpreter import LocalPython, NotHereError, find_interpreter
from envsync.build.python.source import NotProvidedError
from envsync.errors import CommandError
from envsync.model import Interpreter
from envsync.process import Completed, run
from envsync.redaction import printable

_SECONDS = 1800
_LONGEST = 300
_KEPT = (
    *("UV_PYTHON_DOWNLOADS", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL"),
    "UV_PYTHON_CACHE_DIR",
)
"""The user's own choices of where interpreters come from and go to."""
_NO_BIN = {"UV_PYTHON_INSTALL_BIN": "0", "UV_PYTHON_INSTALL_REGISTRY": "0"}
"""What the user types shall not come to mean another interpreter."""
_FALSE = frozenset({"", "0", "false", "f", "no", "n", "off"})


def from_uv(
    wanted: Interpreter, version: str, *, offline: bool = False, environ: Mapping[str, str] = os.environ
) -> LocalPython:
    """Have uv download an interpreter to where it keeps them.

    Args:
        wanted: of the lock.
        version: ``X.Y.Z``, or ``X.Y`` for the latest of them.
        offline: only what uv's cache has.
        environ: of the process.

    Raises:
        NotProvidedError: uv has none, cannot fetch it, or is not to.
    """
    _refuse(wanted, environ)
    flags = re.sub(r"^[a-z]+[0-9_]+", "", wanted.abi or "")
    request = f"cpython@{version}{'+freethreaded' if 't' in flags else ''}{'+debug' if 'd' in flags else ''}"
    done = _install(request, offline=offline, environ=environ)
    if done.returncode:
        raise NotProvidedError(f"uv python install {version}: {cause(done.stderr)}")
    try:
        found = find_interpreter(wanted, requested=version, environ=environ)
    except NotHereError as error:
        raise NotProvidedError(f"uv python install {version}: is not found where uv keeps interpreters") from error
    return msgspec.structs.replace(found, source="uv")


def _refuse(wanted: Interpreter, environ: Mapping[str, str]) -> None:
    if wanted.implementation.lower() != "cpython":
        raise NotProvidedError(f"uv is only asked for cpython (the image has {printable(wanted.implementation)})")
    if (choice := environ.get("UV_PYTHON_DOWNLOADS", "").lower()) in ("never", "manual", "false"):
        raise NotProvidedError(f"UV_PYTHON_DOWNLOADS={choice}: uv is not to download any")
    if environ.get("UV_PYTHON_PREFERENCE", "").lower() == "only-system":
        raise NotProvidedError("UV_PYTHON_PREFERENCE=only-system: uv is not to download any")
    if environ.get("UV_NO_MANAGED_PYTHON", "").lower() not in _FALSE:
        raise NotProvidedError("UV_NO_MANAGED_PYTHON: uv is not to download any")


def _install(request: str, *, offline: bool, environ: Mapping[str, str]) -> Completed:
    from uv import find_uv_bin

    # What the user did not set is removed, so that uv's own configuration files decide.
    variables = {**tool_environment(environ), **{name: environ.get(name) for name in _KEPT}, **_NO_BIN}
    try:
        command: list[str | Path] = [find_uv_bin(), "python", "install", "--no-progress", request]
        if offline:
            command.append("--offline")
        return run(command, timeout=_SECONDS, env=variables, check=False, tied=True)
    except FileNotFoundError as error:
        raise NotProvidedError("uv: its program is missing") from error
    except CommandError as error:
        raise NotProvidedError(f"uv: {error.message}") from error


def cause(output: str) -> str:
    """The first error that uv names, with its innermost cause."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    first = next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "failed")
    causes = [line for line in lines if line.lower().startswith(("cause:", "caused by:"))]
    parts = [first.removeprefix("error:").strip(), *(line.partition(":")[2].strip() for line in causes[-1:])]
    return printable(": ".join(parts))[:_LONGEST]
