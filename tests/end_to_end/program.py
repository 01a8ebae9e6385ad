"""The program as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLEARED = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_ROOT",  # which conda-lock sets when it is imported
    "CONDA_EXE",
    "MAMBA_EXE",
    "MAMBA_ROOT_PREFIX",
    "ENVSYNC_LOCKFILES",
    "ENVSYNC_MIRRORS",
    "ENVSYNC_TIMEOUT",
    "PIP_FIND_LINKS",
    "UV_FIND_LINKS",
)


@dataclass(frozen=True)
class Result:
    """Exit status and both outputs."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both outputs, for messages of assertions."""
        return f"exit {self.status}\n{self.out}\n{self.err}"


def environment(**variables: str) -> dict[str, str]:
    """This process's variables, without those that choose an environment or another index.

    No index is asked while an image is pulled, unless a test says so: ``ENVSYNC_WHEELS``, ``--wheels``.
    """
    kept = {name: value for name, value in os.environ.items() if name not in CLEARED}
    return {**kept, "PYTHONPATH": str(ROOT), "ENVSYNC_WHEELS": "none", **variables}


def envsync(*words: str | Path, cwd: Path, timeout: float = 300, **variables: str) -> Result:
    """Run ``envsync WORDS`` in ``cwd``."""
    done = subprocess.run(
        [sys.executable, "-m", "envsync", *map(str, words)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def freeze(python: Path) -> set[str]:
    """The lines of ``pip freeze --all`` of an environment; options and comments are no distributions."""
    words = [str(python), "-m", "pip", "freeze", "--all", "--disable-pip-version-check"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True, timeout=120)
    return requirement_lines(done.stdout)


def requirement_lines(text: str) -> set[str]:
    """The lines that name a distribution."""
    return {line for line in text.splitlines() if line and not line.startswith(("#", "-f ", "--"))}
