"""From what a command returned or raised to an exit code of 0, 1 or 2."""

from __future__ import annotations

import _thread
import functools
import signal
import sys
from collections.abc import Callable
from threading import Timer
from types import FrameType
from typing import NoReturn, ParamSpec

import typer

from envsync.cli import console
from envsync.errors import EnvsyncError
from envsync.redaction import printable

_P = ParamSpec("_P")

_came_in: list[int] = []
"""Signals that asked to end."""

_AGAIN = 0.01
"""Seconds."""


def guarded(command: Callable[_P, int]) -> Callable[_P, NoReturn]:
    """The command for typer: every way out of it is an exit code, and an error is told once."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> NoReturn:
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, _end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _end)
        sys.unraisablehook = _unraisable
        status = _status(functools.partial(command, *args, **kwargs))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is done: the exit code says how
        raise typer.Exit(status)

    return run


def _status(command: Callable[[], int]) -> int:
    try:
        status = command()
    except EnvsyncError as error:
        console.error(error)
    except KeyboardInterrupt:
        _say_interrupted()
    except BrokenPipeError:
        console.close_output()
    except Exception as error:  # the one place that may: a bug must not look like drift (exit code 1)
        if _came_in:
            # Ctrl-C between two steps of Python's own locks leaves as what the lock makes of it.
            _say_interrupted()
        else:
            console.internal_error(error)
    else:
        return status
    return 2


def _say_interrupted() -> None:
    # Where it came in the middle of an exec(), as in the import of a dataclass, Python remembers that, and would end
    # ``python -m envsync`` by the signal whatever the exit code is. The next exec() makes it forget.
    exec("")  # noqa: S102
    console.say(f"\nenvsync: interrupted; {_what_is_there()}")


def _what_is_there() -> str:
    from envsync.writing import placed

    match placed():
        case ():
            return "what was there before is unchanged"
        case (folder,):
            return f"{printable(str(folder))} was complete before that"
        case folders:
            return f"{len(folders)} folders were complete before that, all others are unchanged"


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Ctrl-C in the middle of what Python lets no exception out of (a finalizer, a lock of an import) comes again."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        again = Timer(_AGAIN, _thread.interrupt_main)  # at once, it would be lost in here
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Ctrl-C, remembered; SIGTERM and a closed terminal likewise, so that half-made folders are removed."""
    _came_in.append(number)
    raise KeyboardInterrupt
