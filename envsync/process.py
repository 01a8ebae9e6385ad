"""Running other programs: the one place that does."""

from __future__ import annotations

import codecs
import contextlib
import io
import locale
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from envsync.errors import CommandError
from envsync.redaction import printable, without_credentials

_LAST_LINES = 25
_LAST_WORDS = 1.0
"""Seconds for what is still in the pipes of a program that was ended."""


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
        stdout=output,
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
    process: subprocess.Popen[bytes], timeout: float, on_line: Callable[[str], None] | None
) -> tuple[str, list[str], bool]:
    """Stdout, the lines of stderr, and whether all of the program ended in time; afterwards nothing of it runs."""
    assert process.stdout is not None  # noqa: S101 - pipes were asked for
    assert process.stderr is not None  # noqa: S101
    output, errors = _Text(None), _Text(on_line)
    deadline = time.monotonic() + timeout
    with process.stdout, process.stderr, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, errors)
        try:
            # The pipes' ends tell at once that it ended, where wait(timeout) would poll.
            ended = _read(selector, deadline)
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            ended = False
        finally:
            _end_group(process)
        _read(selector, time.monotonic() + _LAST_WORDS)
    return output.end(), errors.lines, ended


def _read(selector: selectors.BaseSelector, deadline: float) -> bool:
    """Read what arrives until the deadline; whether all pipes came to their ends before."""
    while selector.get_map():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        # Ctrl-C in the moment before the system call is only noticed after it.
        for key, _ in selector.select(min(left, 0.5)):
            data = os.read(key.fd, 1 << 16)
            key.data.add(data)
            if not data:
                selector.unregister(key.fileobj)
    return True


class _Text:
    """Bytes that arrive in pieces, as lines of text without credentials."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        decoder = codecs.getincrementaldecoder(locale.getpreferredencoding(False))("replace")
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
        self._on_line = on_line
        self._begun = ""
        self.lines: list[str] = []

    def add(self, data: bytes) -> None:
        """Take the next piece; an empty one is the last."""
        *complete, self._begun = (self._begun + self._decoder.decode(data, final=not data)).split("\n")
        self._keep([f"{line}\n" for line in complete])
        if not data:
            self.end()

    def end(self) -> str:
        """All of it, with a line that was not ended."""
        self._keep([self._begun] if self._begun else [])
        self._begun = ""
        return "".join(self.lines)

    def _keep(self, lines: Sequence[str]) -> None:
        for raw in lines:
            line = without_credentials(raw)
            self.lines.append(line)
            if self._on_line is not None:
                self._on_line(printable(line.rstrip()))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever still runs of it: the program after an interruption, or what it left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(lines: Sequence[str]) -> str:
    return "\n".join(printable(line.rstrip()) for line in lines[-_LAST_LINES:])
