"""Writing files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from envsync.errors import EnvsyncError


class WriteError(EnvsyncError):
    """A file or folder that cannot be written."""


STAGING = ".envsync-"
"""All names that envsync makes beside a target begin with this, then the target's name."""

_MADE = re.compile(re.escape(STAGING) + r"(?P<target>.+)\.(?P<maker>[0-9]+)-[0-9a-f]{8}", re.DOTALL)
_GONE = "gone"
"""Takes the place of the target's name in the names of folders that are being removed."""
_made_here: set[str] = set()
"""Temporary names of this process. In a container, the one that was killed may have had the same ID."""

_placing: dict[Path, tuple[int, int]] = {}
"""Device and inode of each folder that this process put, or was about to put, in its place."""


def write_folder(target: Path, files: Mapping[str, bytes], *, kept: str | None = None) -> None:
    """Make ``target`` a folder of exactly ``files``; an existing folder is replaced in one step.

    ``kept`` names a folder in it that stays as it is.

    Raises:
        WriteError: says which path cannot be written, and why.
    """
    with staged_folder(target) as staging:
        for name, data in files.items():
            (staging / name).write_bytes(data)
        if kept is not None and (target / kept).is_dir() and not (target / kept).is_symlink():
            shutil.copytree(target / kept, staging / kept, copy_function=_linked)
        replace_folder(staging, target)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # some file systems have no hard links
        shutil.copy2(source, target)


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """A fresh folder beside ``target``, removed at the end unless :func:`replace_folder` moved it into place.

    Raises:
        WriteError: the place beside ``target`` is not writable, or fills up.
    """
    discard_leftovers(target)
    staging = target.parent / temporary_name(target.name)
    new_parents = [parent for parent in target.parents if not os.path.lexists(parent)]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        yield staging
    except OSError as error:
        place = error.filename or staging
        raise WriteError(
            f"{place}: cannot be written: {error.strerror}",
            hint=f"envsync writes beside {target}; it is unchanged.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        with contextlib.suppress(OSError):  # the first one is not empty where the target was made
            for parent in new_parents:
                parent.rmdir()


def replace_folder(staging: Path, target: Path) -> None:
    """Put ``staging`` in the place of ``target``, in one step, and remove what was there."""
    status = staging.lstat()
    _placing[target] = (status.st_dev, status.st_ino)
    if not os.path.lexists(target):
        staging.rename(target)
        return
    if _exchange(staging, target):
        shutil.rmtree(staging, ignore_errors=True)
        return
    aside = target.parent / f"{STAGING}{target.name}.old"
    target.rename(aside)
    staging.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def placed() -> tuple[Path, ...]:
    """The folders that this process did put in their place: what an interruption found already done."""
    found: list[Path] = []
    for target, identity in _placing.items():
        with contextlib.suppress(OSError):
            status = target.lstat()
            if (status.st_dev, status.st_ino) == identity:
                found.append(target)
    return tuple(found)


def discard_leftovers(target: Path) -> None:
    """Tidy up after an interrupted run: put the old folder back where only it is left, remove half-made ones."""
    aside = target.parent / f"{STAGING}{target.name}.old"
    with contextlib.suppress(OSError):
        if aside.exists() and not target.exists():
            aside.rename(target)
    with contextlib.suppress(OSError):
        for entry in list(target.parent.iterdir()):
            if entry.name == aside.name or leftover_of(entry.name) in (target.name, _GONE):
                _remove(entry)


def _remove(leftover: Path) -> None:
    """Remove it; under another name first, so that whatever still works in a folder fails instead of going astray."""
    gone = leftover.with_name(temporary_name(_GONE))
    with contextlib.suppress(OSError):
        leftover = leftover.rename(gone)
    if leftover.is_dir() and not leftover.is_symlink():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            leftover.unlink()


def temporary_name(target: str) -> str:
    """A new name for what is to become, or to replace, a file or folder of the name ``target``."""
    name = f"{STAGING}{target}.{os.getpid()}-{secrets.token_hex(4)}"
    _made_here.add(name)
    return name


def leftover_of(name: str) -> str | None:
    """The target of a temporary name whose maker no longer runs; ``None`` for every other name."""
    match = _MADE.fullmatch(name)
    if match is None or name in _made_here:
        return None
    maker = int(match["maker"])
    return match["target"] if maker == os.getpid() or not _is_alive(maker) else None


def _is_alive(maker: int) -> bool:
    """Whether the process whose ID is in a temporary name still runs: another envsync, at work beside this one."""
    try:
        os.kill(maker, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_file(target: Path, data: bytes) -> None:
    """Write one file in one step.

    Raises:
        WriteError: says why not.
    """
    discard_leftovers(target)
    temporary = target.parent / temporary_name(target.name)
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except OSError as error:
        raise WriteError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths atomically: renameat2(2) on Linux, renamex_np(2) on macOS. False where neither exists."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            return bool(libc.renamex_np(os.fsencode(one), os.fsencode(other), _RENAME_SWAP) == 0)
        renameat2 = libc.renameat2
    except AttributeError:
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)
