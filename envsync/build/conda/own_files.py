"""Files of envsync's own in a prefix that packages have filled, which may have put anything anywhere in it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from envsync.errors import BuildError


def write_own(prefix: Path, name: str, data: bytes) -> None:
    """Write ``name``, relative to the prefix: never through a link, nor into a file that the package cache shares.

    Raises:
        BuildError: a package put a link, or a folder, in its place.
        OSError: it cannot be written.
    """
    path = prefix / name
    for parent in PurePosixPath(name).parents:
        if (prefix / parent).is_symlink():
            raise BuildError(
                f"{name}: a conda package put a link at {parent} (expected a folder of the environment)",
                hint="No honest package does; the lock may be of a hostile image.",
            )
    if path.is_dir() and not path.is_symlink():
        raise BuildError(f"{name}: a conda package put a folder there", hint="The lock may be of a hostile image.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
