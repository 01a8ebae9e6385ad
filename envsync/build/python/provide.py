"""The interpreter of an environment: one of this machine, else downloaded by uv, of a conda channel, or the image's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.build.events import Event, Note, Waiting
from envsync.build.interpreter import LocalPython, NotHereError, find_interpreter
from envsync.build.python.source import NotProvidedError, OpenImage
from envsync.errors import InterpreterNotFoundError
from envsync.model import ImageSource, Snapshot
from envsync.redaction import printable

if TYPE_CHECKING:
    from envsync.build.python.from_conda import CondaPython

AUTO, IMAGE = "auto", "image"
_LONGEST = 400


class PythonOptions(Struct, frozen=True, kw_only=True):
    """Which interpreter, and where one may be had from."""

    requested: str | None = None
    """``auto``, ``image``, the path of an interpreter, or ``X.Y[.Z]``; ``None`` is ``auto``."""
    cache: Path | None = None
    """The folder that interpreters are placed in; ``None``: neither the image's, nor a channel's."""
    open_image: OpenImage | None = None
    """Opens the image of the lock; ``None``: it is not at hand."""
    offline: bool = False


_Source = tuple[str, Callable[[], LocalPython]]


def provide_interpreter(lock: Snapshot, options: PythonOptions, on_event: Callable[[Event], None]) -> LocalPython:
    """Find the interpreter for a lock, or have it placed on this machine.

    Raises:
        InterpreterNotFoundError: there is none that fits; says why of each source.
        WriteError: the cache cannot be written.
    """
    requested = None if options.requested == AUTO else options.requested
    if requested == IMAGE:
        try:
            return _of_image(lock, options, on_event)
        except NotProvidedError as error:
            raise InterpreterNotFoundError(f"--python image: {error.message}", hint=error.hint) from error
    try:
        python = find_interpreter(lock.python, requested=requested)
    except NotHereError as error:
        return _elsewhere(lock, requested, options, on_event, error)
    if requested is None and not python.exact and _runs_here(lock, options):
        exact = f"the image's own, Python {lock.python.version}, can be had with --python image"
        on_event(Note(text=f"Python {python.version} of this machine is used; {exact}"))
    return python


def _elsewhere(
    lock: Snapshot,
    requested: str | None,
    options: PythonOptions,
    on_event: Callable[[Event], None],
    not_here: NotHereError,
) -> LocalPython:
    version = requested or lock.python.version
    if (placed := _placed(lock, requested, options, on_event)) is not None:
        return placed
    reasons: list[str] = []
    for name, provide in _sources(lock, version, options, on_event):
        if name == IMAGE and requested is not None:
            continue  # another version may be meant than that of the image
        try:
            return provide()
        except NotProvidedError as error:
            reasons.append(f"  {name}: {_one_line(error.message)}")
    raise InterpreterNotFoundError("\n".join([not_here.message, *reasons]), hint=not_here.hint) from not_here


def _placed(
    lock: Snapshot, requested: str | None, options: PythonOptions, on_event: Callable[[Event], None]
) -> LocalPython | None:
    """What an earlier run placed: nothing has to be asked for it."""
    if options.cache is None:
        return None
    from envsync.build.python.from_image import from_image

    found = _of_channels(lock, requested or lock.python.version, options.cache, offline=True).placed()
    if found is not None or requested is not None:
        return found
    try:
        return from_image(lock, cache=options.cache, open_image=None, on_event=on_event)
    except NotProvidedError:
        return None


def _sources(
    lock: Snapshot, version: str, options: PythonOptions, on_event: Callable[[Event], None]
) -> Iterator[_Source]:
    def by_uv() -> LocalPython:
        from envsync.build.python.uv_python import from_uv

        on_event(Waiting(what=f"uv, which is asked for Python {printable(version)}"))
        python = from_uv(lock.python, version, offline=options.offline)
        on_event(Note(text=f"Python {python.version} was downloaded by uv"))
        return python

    def by_channels() -> LocalPython:
        if options.cache is None:
            raise NotProvidedError("there is no cache to place it in")
        on_event(Waiting(what=f"conda channels, which are asked for Python {printable(version)}"))
        return _of_channels(lock, version, options.cache, offline=options.offline).provide(on_event)

    yield "uv", by_uv
    yield "conda", by_channels
    yield IMAGE, lambda: _of_image(lock, options, on_event)


def _of_channels(lock: Snapshot, version: str, cache: Path, *, offline: bool) -> CondaPython:
    from envsync.build.python.from_conda import CondaPython

    return CondaPython(
        wanted=lock.python, version=version, cache=cache, offline=offline, environ=os.environ, home=Path.home()
    )


def _of_image(lock: Snapshot, options: PythonOptions, on_event: Callable[[Event], None]) -> LocalPython:
    if options.cache is None:
        raise NotProvidedError("there is no cache to place it in")
    from envsync.build.python.from_image import from_image

    return from_image(lock, cache=options.cache, open_image=options.open_image, on_event=on_event)


def _runs_here(lock: Snapshot, options: PythonOptions) -> bool:
    """Whether the image's own interpreter could be had, as far as the lock tells."""
    if options.cache is None or options.open_image is None or not isinstance(lock.source, ImageSource):
        return False
    from envsync.build.python.from_image import refuse, this_machine

    try:
        refuse(lock, this_machine())
    except NotProvidedError:
        return False
    return True


def _one_line(text: str) -> str:
    return printable(re.sub(r"\s+", " ", text).strip())[:_LONGEST]
