"""Words for people go to stderr, data to stdout."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

from envsync.errors import CommandError, EnvsyncError
from envsync.redaction import printable, without_credentials


def data(text: str) -> None:
    """Print a result on stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def say(text: str) -> None:
    """Print a line for people on stderr; what an image wrote must have gone through ``printable``."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def error(problem: EnvsyncError) -> None:
    """Print an error and the next step."""
    first, *rest = problem.message.splitlines() or [""]
    _say_wrapped(f"error: {_clean(first)}")
    for line in rest:
        _say_wrapped(_clean(line))
    if isinstance(problem, CommandError) and problem.output:
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
    if not sys.stderr.isatty():
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
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def colour() -> bool:
    """Whether stdout may be coloured: a terminal, and https://no-color.org is respected."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


def flush() -> None:
    """Write what is buffered, so that a closed pipe shows here and not while exiting."""
    sys.stdout.flush()


def close_output() -> None:
    """After a broken pipe: keep the interpreter from complaining about it while it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
