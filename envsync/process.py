"""Running other programs: the one place that does."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread

from msgspec import Struct

from envsync.errors import CommandError
from envsync.redaction import printable, without_credentials

_LAST_LINES = 25


class Completed(Struct, frozen=True, kw_only=True):
    """A program that ended. Outputs are text without credentials."""

    command: str
    returncode: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Run a program without input and wait for it; on any exception its whole process group is ended.

    Args:
        command: program and arguments; no shell is involved.
        timeout: seconds.
        env: variables to add to, or override in, this process's environment; ``None`` removes one.
        cwd: the folder to run in.
        check: raise when the exit status is not 0.
        on_line: called with each line of stderr as it appears.

    Raises:
        CommandError: the program cannot be started, runs out of time, or (with ``check``) fails.
    """
    words = [str(word) for word in command]
    shown = without_credentials(shlex.join(words))
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None},
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(f"{words[0]}: cannot be started: {error.strerror}") from error
    errors: list[str] = []
    reader = Thread(target=_read_lines, args=(process, errors, on_line), daemon=True)
    try:
        reader.start()
        stdout = _wait(process, timeout)
        reader.join()
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{shown}: still running after {timeout:g} s", output=_last_lines(errors)) from error
    finally:
        _end_group(process)
    done = Completed(
        command=shown,
        returncode=process.returncode,
        stdout=without_credentials(stdout),
        stderr="".join(errors),
    )
    if check and done.returncode:
        raise CommandError(f"{shown}: exit status {done.returncode}", output=_last_lines(errors))
    return done


def _read_lines(process: subprocess.Popen[str], lines: list[str], on_line: Callable[[str], None] | None) -> None:
    assert process.stderr is not None  # noqa: S101 - opened as a pipe above
    for raw in process.stderr:
        line = without_credentials(raw)
        lines.append(line)
        if on_line is not None:
            on_line(printable(line.rstrip()))


def _wait(process: subprocess.Popen[str], timeout: float) -> str:
    """Read stdout to its end, in a thread so that the time is bounded."""
    parts: list[str] = []
    stream = process.stdout
    assert stream is not None  # noqa: S101 - opened as a pipe above
    reader = Thread(target=lambda: parts.append(stream.read()), daemon=True)
    reader.start()
    process.wait(timeout)
    reader.join()
    return "".join(parts)


def _end_group(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_lines(lines: Sequence[str]) -> str:
    return "\n".join(printable(line.rstrip()) for line in lines[-_LAST_LINES:])
