"""``~/.conda/environments.txt``: the environments that ``conda env list`` and editors know of.

Follows conda's own ``conda/core/envs_manager.py``: one absolute path a line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


def register(prefix: Path, home: Path) -> str | None:
    """Add ``prefix`` to the user's list, unless it is there.

    Args:
        prefix: absolute.
        home: the user's home folder.

    Returns:
        Why it could not be done, in one line; ``None`` where it was. The environment is none the worse for it.
    """
    line = os.fsencode(os.path.normpath(prefix))
    file = home / ".conda/environments.txt"
    if b"\n" in line or b"\r" in line:
        return f"{file}: not written: a path with a line break has no place in it"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as stream:
            # Others only add to the end as well, so that without a lock a line may be there twice, but none is lost.
            with contextlib.suppress(OSError):
                fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            before = stream.read()
            if line not in (known.strip() for known in before.splitlines()):
                stream.write((b"" if before.endswith(b"\n") or not before else b"\n") + line + b"\n")
    except OSError as error:
        return f"{file}: cannot be written: {error.strerror}"
    return None
