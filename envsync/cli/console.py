"""Words for people go to stderr, data to stdout."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TextIO

from envsync.errors import BuildError, CommandError, EnvsyncError
from envsync.redaction import printable, without_credentials


class OutputError(EnvsyncError):
    """Stdout is closed or full."""


def data(text: str) -> None:
    """Print a result on stdout.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: whoever read it went away.
    """
    if sys.stdout is None:
        raise OutputError("stdout: cannot be written: it is closed")
    try:
        encoding = sys.stdout.encoding or "utf-8"
        shown = text.encode(encoding, "backslashreplace").decode(encoding)
        sys.stdout.write(shown if shown.endswith("\n") else shown + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        close_output()
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error


def path(place: Path) -> None:
    """Print the path that a command made, for programs; people have been told."""
    if not is_a_terminal(sys.stdout):
        data(str(place))


def is_a_terminal(stream: TextIO | None) -> bool:
    """Whether a person watches; a closed stream is none."""
    return stream is not None and stream.isatty()


def say(text: str) -> None:
    """Print a line for people on stderr; what an image wrote must have gone through ``printable``."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # nobody is left to be told
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def error(problem: EnvsyncError) -> None:
    """Print an error and the next step."""
    first, *rest = problem.message.splitlines() or [""]
    _say_wrapped(f"error: {_clean(first)}")
    for line in rest:
        _say_wrapped(_clean(line))
    if isinstance(problem, BuildError | CommandError) and problem.output:
        say(textwrap.indent("\n".join(_clean(line) for line in problem.output.splitlines()), "  | "))
    if problem.hint:
        for line in problem.hint.splitlines():
            _say_wrapped(f"  {_clean(line)}")


def internal_error(problem: Exception) -> None:
    """Print what only a bug can cause; the traceback with ``ENVSYNC_DEBUG=1``."""
    if os.environ.get("ENVSYNC_DEBUG"):
        import traceback

        say(without_credentials("".join(traceback.format_exception(problem))).rstrip())
    say(f"error: internal: {type(problem).__name__}: {_clean(str(problem))}")
    say("  This is a bug in envsync. Run it again with ENVSYNC_DEBUG=1 and report what it prints.")


def _say_wrapped(line: str) -> None:
    """A line of an error, folded for a terminal; as it is in a pipe, where a program may look for it."""
    if not is_a_terminal(sys.stderr):
        say(line)
        return
    indent = line[: len(line) - len(line.lstrip())] + "  "
    columns = shutil.get_terminal_size((80, 24)).columns
    for part in textwrap.wrap(
        line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]:
        say(part)


def _clean(line: str) -> str:
    return printable(without_credentials(line).replace("\t", "    "))


def is_terminal() -> bool:
    """Whether people watch stderr: progress moves there, and is plain lines elsewhere."""
    return is_a_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def colour() -> bool:
    """Whether stdout may be coloured: a terminal, and https://no-color.org is respected."""
    return is_a_terminal(sys.stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def can_draw() -> bool:
    """Whether stdout can hold the lines of a tree."""
    try:
        "├└│".encode((sys.stdout and sys.stdout.encoding) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns if is_a_terminal(sys.stdout) else 80


def close_output() -> None:
    """After a broken pipe: keep the interpreter from complaining about it while it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
