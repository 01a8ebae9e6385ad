"""What the sources of interpreters have in common."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from msgspec import Struct

from envsync.errors import InterpreterNotFoundError
from envsync.files import ImageTree

Extract = Callable[[Sequence[PurePosixPath], Callable[[PurePosixPath, BinaryIO], None]], None]
"""Reads files of an image in one pass: calls back with each path and its bytes."""


class ImageFiles(Struct, frozen=True, kw_only=True):
    """The files of an image that is open."""

    tree: ImageTree
    extract: Extract


OpenImage = Callable[[], AbstractContextManager[ImageFiles]]
"""Opens the image of the lock; called only where its files are needed."""


class NotProvidedError(InterpreterNotFoundError):
    """One source has no fitting interpreter, or cannot be used; another may."""


def python_folder(cache: Path) -> Path:
    """The folder in ``cache`` that interpreters are placed in, made if need be.

    Raises:
        NotProvidedError: it cannot be made, or others may write to it: what lies there is run.
    """
    folder = cache.absolute() / "pythons"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise NotProvidedError(f"{folder}: cannot be made: {error.strerror}") from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise NotProvidedError(
            f"{folder}: belongs to, or may be written by, somebody else (expected a folder of your own)",
            hint="Remove it, or name another with ENVSYNC_CACHE_DIR.",
        )
    return folder
