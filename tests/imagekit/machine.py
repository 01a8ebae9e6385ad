"""What the kit needs of this machine: a cache, locks, interpreters."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs


class KitError(Exception):
    """A test image cannot be made here; the text says why."""


class MissingToolError(KitError):
    """What is missing is a thing of this machine (an interpreter, mmdebstrap), so tests may be skipped."""


def cache_folder() -> Path:
    """Wheels, projects and saved images; kept between runs, never inside the checkout."""
    named = os.environ.get("ENVSYNC_TEST_CACHE")
    folder = Path(named) if named else platformdirs.user_cache_path("envsync-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock that all test processes of this user share."""
    folder = cache_folder() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def pyenv_python(minor: str) -> Path:
    """The newest pyenv installation of ``3.9`` (its prefix).

    Raises:
        MissingToolError: pyenv has none.
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [path for path in root.glob(f"{minor}.*") if (path / "bin" / f"python{minor}").is_file()]
    if not found:
        raise MissingToolError(f"no Python {minor} of pyenv under {root} (pyenv install {minor})")
    return max(found, key=lambda path: [int(part) for part in path.name.split(".") if part.isdigit()])
