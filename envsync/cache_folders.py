"""Folders of the cache whose entries are used where they lie, by uv, pip or the loader: wheels, and interpreters."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from envsync.writing import WriteError, leftover_of, write_file

_PYTHONS = "pythons"
KINDS = ("wheels", _PYTHONS)
_ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,139}")
_USED = ".used"
"""Beside the interpreters: a folder for each, in it a file for each environment that was made with it."""
_NOTE = re.compile(r"[0-9a-f]{16}")
_LONGEST_PATH = 1 << 14
_LONGEST_CONFIG = 1 << 14
_HOME = re.compile(r"^[ \t]*home[ \t]*=[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)


class Kept(Struct, frozen=True, kw_only=True):
    """An interpreter that was not removed."""

    path: Path
    bytes: int
    environments: tuple[Path, ...]
    """Those that use it."""


class Cleared(Struct, frozen=True, kw_only=True):
    """What clearing a cache did."""

    freed: int = 0
    """Bytes."""
    kept: tuple[Kept, ...] = ()


def entries(folder: Path, kind: str) -> Iterator[tuple[Path, int]]:
    """The entries of one kind and how many bytes each takes; what killed processes left among them."""
    place = folder / kind
    if place.is_symlink() or not place.is_dir():
        return
    for path in sorted(place.iterdir()):
        if path.is_dir() and not path.is_symlink() and (_ENTRY.fullmatch(path.name) or leftover_of(path.name)):
            yield path, _size(path)


def clear(folder: Path, *, used: bool = False) -> Cleared:
    """Remove all entries, of the interpreters those that no environment uses; ``used``: these as well.

    Raises:
        OSError: something cannot be removed.
    """
    freed = 0
    kept: list[Kept] = []
    for kind in KINDS:
        for path, size in entries(folder, kind):
            users = () if used or kind != _PYTHONS else environments_of(path)
            if users:
                kept.append(Kept(path=path, bytes=size, environments=users))
                continue
            shutil.rmtree(path)
            freed += size
    _forget(folder / _PYTHONS / _USED, {one.path.name for one in kept})
    return Cleared(freed=freed, kept=tuple(kept))


def note_use(folder: Path, interpreter: Path, environment: Path) -> None:
    """Note that an environment has an interpreter that is placed in the cache; of any other nothing is noted."""
    pythons = folder / _PYTHONS
    try:
        name = interpreter.parent.resolve().relative_to(pythons.resolve()).parts[0]
    except (ValueError, IndexError, OSError, RuntimeError):  # the latter two of links that go round
        return
    data = os.fsencode(environment)
    note = hashlib.sha256(data).hexdigest()[:16]
    with contextlib.suppress(OSError, WriteError):  # as all of a cache, where it cannot be written
        notes = pythons / _USED / name
        notes.mkdir(parents=True, exist_ok=True)
        write_file(notes / note, data)


def environments_of(interpreter: Path) -> tuple[Path, ...]:
    """The environments that are on an interpreter of the cache, as their ``pyvenv.cfg`` says today."""
    notes = interpreter.parent / _USED / interpreter.name
    try:
        names = sorted(path.name for path in notes.iterdir() if _NOTE.fullmatch(path.name))
    except OSError:
        return ()
    found: list[Path] = []
    for name in names:
        try:
            with (notes / name).open("rb") as stream:
                environment = Path(os.fsdecode(stream.read(_LONGEST_PATH)))
            is_on_it = environment.is_absolute() and _home_of(environment).is_relative_to(interpreter.resolve())
        except (OSError, ValueError, RuntimeError):  # an environment that is gone, a note that is damaged
            continue
        if is_on_it:
            found.append(environment)
    return tuple(sorted(found))


def _home_of(environment: Path) -> Path:
    """Where the interpreter of an environment lies: https://peps.python.org/pep-0405/."""
    with (environment / "pyvenv.cfg").open("rb") as stream:
        match = _HOME.search(os.fsdecode(stream.read(_LONGEST_CONFIG)))
    if match is None or not match[1]:
        raise ValueError("no home")
    return Path(match[1]).resolve()


def _forget(notes: Path, kept: set[str]) -> None:
    """Remove what was noted of interpreters that are no longer there."""
    if notes.is_symlink() or not notes.is_dir():
        return
    for path in notes.iterdir():
        if path.name not in kept and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
    with contextlib.suppress(OSError):
        notes.rmdir()


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - may be tens of thousands
            except OSError:
                continue
    return total
