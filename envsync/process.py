"""Running other programs: the one place that does."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO

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
    tied: bool = False,
) -> Completed:
    """Run a program without input and wait for it; on any exception its whole process group is ended.

    Args:
        command: program and arguments; no shell is involved.
        timeout: seconds.
        env: variables to add to, or override in, this process's environment; ``None`` removes one.
        cwd: the folder to run in.
        check: raise when the exit status is not 0.
        on_line: called with each line of stderr as it appears.
        tied: end the process group also when this process is killed, which then has no chance to do it. A program
            that cannot be started is then one that fails.

    Raises:
        CommandError: the program cannot be started, runs out of time, or (with ``check``) fails.
    """
    words = [str(word) for word in command]
    shown = without_credentials(shlex.join(words))
    variables = {name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None}
    with _bond() if tied else contextlib.nullcontext(subprocess.DEVNULL) as stdin:
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _TIED, "sh", *words] if tied else words,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=variables,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandError(f"{words[0]}: cannot be started: {error.strerror}") from error
        output, errors, ended = _drain(process, timeout, on_line)
    if not ended:
        raise CommandError(f"{shown}: still running after {timeout:g} s", output=_last_lines(errors))
    done = Completed(
        command=shown,
        returncode=process.returncode,
        stdout=without_credentials(output),
        stderr="".join(errors),
    )
    if check and done.returncode:
        raise CommandError(f"{shown}: exit status {done.returncode}", output=_last_lines(errors))
    return done


_TIED = (
    "exec 3<&0 </dev/null; { read -r _; kill -s KILL 0; } <&3 3<&- >/dev/null 2>&1 & "
    '"$@" 3<&-; status=$?; exec >/dev/null 2>&1; kill -s KILL $!; wait; exit $status'
)
"""Runs a program beside a process that waits for the end of stdin and then ends the whole group, itself included.

Linux has a signal for this, PR_SET_PDEATHSIG, but it would take code that runs between fork and exec, which is not safe
beside threads, and what the program started would go on.
"""


@contextmanager
def _bond() -> Iterator[int]:
    """What is to be stdin of :data:`_TIED`; it ends with this process, or when the starting of one is interrupted."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def _drain(
    process: subprocess.Popen[str], timeout: float, on_line: Callable[[str], None] | None
) -> tuple[str, list[str], bool]:
    """Stdout, the lines of stderr, and whether all of the program ended in time; afterwards nothing of it runs."""
    output: list[str] = []
    errors: list[str] = []
    readers = (
        Thread(target=_read_all, args=(process.stdout, output), daemon=True),
        Thread(target=_read_lines, args=(process.stderr, errors, on_line), daemon=True),
    )
    deadline = time.monotonic() + timeout
    try:
        for reader in readers:
            reader.start()
        for reader in readers:  # the pipes' ends tell at once that it ended, where wait(timeout) would poll
            reader.join(max(0.0, deadline - time.monotonic()))
        ended = not any(reader.is_alive() for reader in readers)
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        ended = False
    finally:
        _end_group(process)
        for reader in readers:
            with contextlib.suppress(RuntimeError):  # an interruption kept it from being started
                reader.join()
    return "".join(output), errors, ended


def _read_all(stream: IO[str], parts: list[str]) -> None:
    with stream:
        parts.append(stream.read())


def _read_lines(stream: IO[str], lines: list[str], on_line: Callable[[str], None] | None) -> None:
    with stream:
        for raw in stream:
            line = without_credentials(raw)
            lines.append(line)
            if on_line is not None:
                on_line(printable(line.rstrip()))


def _end_group(process: subprocess.Popen[str]) -> None:
    """End whatever still runs of it: the program after an interruption, or what it left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(lines: Sequence[str]) -> str:
    return "\n".join(printable(line.rstrip()) for line in lines[-_LAST_LINES:])
