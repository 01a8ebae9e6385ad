"""Running the script on this machine, as a container runs it in an image."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest

from envsync.probe.answered import Described, Document, decode
from envsync.probe.container import SOURCES
from envsync.probe.describe import BOOT

NONCE = "f00d"
TEXTS = [files("envsync.probe").joinpath(name).read_text(encoding="ascii") for name in SOURCES]
VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def pyenv_python(minor: str) -> Path:
    """An interpreter of pyenv; the test is skipped where it is not installed."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{minor}.*/bin/python{minor}"))
    if not found:
        pytest.skip(f"pyenv has no Python {minor}")
    return found[-1]


def printed(
    python: Path, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 60
) -> tuple[bytes, bytes]:
    """What the script prints on stdout and stderr."""
    kept = {"HOME": os.environ.get("HOME", "/"), "PATH": "/nowhere", **(env or {})}
    done = subprocess.run(
        [python, "-B", "-c", BOOT, *TEXTS, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=cwd,
        env=kept,
        timeout=timeout,
        check=False,
    )
    return done.stdout, done.stderr


def between(output: bytes) -> bytes:
    """The one document in ``output``."""
    _, begin, rest = output.partition(f"\n{NONCE}<\n".encode())
    document, end, _ = rest.rpartition(f"\n{NONCE}>\n".encode())
    assert begin, output[-2000:]
    assert end, output[-2000:]
    return document


def describe(python: Path, *, seconds: float = 30, **options: object) -> Described:
    out, err = printed(python, "describe", NONCE, str(seconds), **options)  # type: ignore[arg-type]
    assert between(out), err
    return decode(between(out), Described, where="here")


def find(python: Path, root: Path, *, chosen: str = "", seconds: float = 30, **options: object) -> Document:
    out, err = printed(python, "find", NONCE, str(seconds), chosen, str(root), **options)  # type: ignore[arg-type]
    assert between(out), err
    return decode(between(out), Document, where="here")
