"""Locks to make environments of, and what to look at in them."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envsync.build.events import Event
from envsync.build.marker import LockIdentity
from envsync.build.venv import BuildOptions, Built, create
from envsync.lock.codec import encode_snapshot
from envsync.model import Distribution, Interpreter, ListSource, Snapshot

BASE_PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
"""The interpreter below the one that runs the tests."""


def lock(*pins: str | Distribution, python: str = platform.python_version(), reference: str = "acme/app:1") -> Snapshot:
    """The lock of an image with ``python`` and distributions, each ``name==version`` where it is text."""
    distributions = tuple(_distribution(pin) if isinstance(pin, str) else pin for pin in pins)
    source = ListSource(reference=reference, url="https://example.org/list", date="2024", completeness="full")
    return Snapshot(source=source, interpreters=(Interpreter(version=python, distributions=distributions),))


def _distribution(pin: str) -> Distribution:
    name, _, version = pin.partition("==")
    return Distribution(name=name, version=version)


def make(
    snapshot: Snapshot,
    target: Path,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: object,
) -> Built:
    """Call :func:`create` as the command line does."""
    identity = LockIdentity.of(snapshot, snapshot_json=encode_snapshot(snapshot), directory="lockfiles/acme/app/1")
    chosen = BuildOptions(**{"python": BASE_PYTHON, **options})
    return create(snapshot, target, options=chosen, lock_id=identity, on_event=on_event)


def site_packages(env: Path) -> Path:
    (found,) = env.glob("lib/python*/site-packages")
    return found


def freeze(env: Path) -> list[str]:
    """``name==version`` of what the environment's own interpreter finds."""
    code = (
        "from importlib import metadata\n"
        "found = [(d.metadata['Name'], d.version) for d in metadata.distributions()]\n"
        "print('\\n'.join(sorted('%s==%s' % pair for pair in found)))"
    )
    return run_python(env, "-c", code).split()


def run_python(env: Path, *arguments: str) -> str:
    done = subprocess.run([env / "bin" / "python", "-B", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """What is in a folder: for each path its kind, permissions and contents; compiled files left out."""
    found: dict[str, tuple[object, ...]] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in [*folders, *files]:
            path = Path(place, name)
            key = path.relative_to(folder).as_posix()
            mode = stat.S_IMODE(path.lstat().st_mode)
            if path.is_symlink():
                found[key] = ("link", path.readlink())
            elif path.is_dir():
                found[key] = ("folder", mode)
            else:
                found[key] = ("file", mode, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def leftovers(target: Path) -> list[str]:
    """What envsync left beside a target."""
    return [path.name for path in target.parent.iterdir() if path.name.startswith(".envsync-")]


def pyenv(version: str) -> str:
    """An interpreter of pyenv, or a skip."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    path = root / "versions" / version / "bin" / "python"
    if not path.exists():
        pytest.skip(f"pyenv has no {version} here")
    return str(path)
