"""How many files this process may have open: rattler opens some for each package at once, and panics without."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

from envsync.errors import BuildError

_WANTED = (65_536, 10_240)
"""macOS admits no more than the latter, whatever its hard limit says."""


_PER_PACKAGE = 2
_OTHERS = 128


@contextlib.contextmanager
def enough_open_files(packages: int) -> Iterator[None]:
    """Raise the soft limit for so long as ``packages`` are installed; programs started later have the old one.

    Raises:
        BuildError: the hard limit is too low for so many.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = before
    for wanted in _WANTED:
        aim = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < aim:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (aim, hard))
                soft = aim
    need = _OTHERS + _PER_PACKAGE * packages
    try:
        if soft != resource.RLIM_INFINITY and soft < need:
            raise BuildError(
                f"{packages} conda packages need {need} open files at once, and {soft} are allowed",
                hint=f"Raise the hard limit of open files, then: ulimit -n {need}",
            )
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
