"""Asking one container of an image what Pythons it has, and what is installed for them."""

from __future__ import annotations

import secrets
import signal
from contextlib import suppress
from importlib.resources import files
from pathlib import PurePosixPath
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic
from typing import Literal

from msgspec import Struct

from envsync.errors import EnvsyncError, NoPythonError, ProbeError
from envsync.image.engine import Container, Engine, EngineImage, Isolation
from envsync.image.engine_container import Chunk
from envsync.probe.answer import Answer, parse_answer
from envsync.probe.describe import BOOT
from envsync.redaction import printable, without_credentials

PROGRAMS = (
    "python",
    "python3",
    "python2",
    "/usr/local/bin/python3",
    "/usr/local/bin/python",
    "/usr/bin/python3",
    "/usr/bin/python",
    "/opt/venv/bin/python",
    "/venv/bin/python",
    "/app/.venv/bin/python",
    "/opt/conda/bin/python",
    "/opt/python/bin/python3",
    "/usr/libexec/platform-python",
)
"""What is tried, in this order: names on PATH, then common places."""
_LAST_LINES = 8
_MACHINES = {3: "i686", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
"""``e_machine`` of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html."""


class Limits(Struct, frozen=True, kw_only=True):
    """How far a container is trusted."""

    seconds: float = 120
    stdout: int = 64 << 20
    """Bytes."""
    stderr: int = 1 << 20
    """Bytes."""
    isolation: Isolation = Isolation()


_Problem = Literal["late", "stdout", "stderr"]


class _Outcome(Struct, frozen=True, kw_only=True):
    stdout: bytes
    stderr: bytes
    problem: _Problem | None


def run(
    engine: Engine, image: EngineImage, *, interpreter: PurePosixPath | None = None, limits: Limits | None = None
) -> Answer:
    """Run a container of ``image`` once, with the image's own environment and user, and ask it.

    Args:
        engine: that holds the image.
        image: what to run.
        interpreter: the path of the Python to ask; ``None``: what PATH finds, else what stands in a common place.
        limits: of time, memory and output.

    Raises:
        NoPythonError: there is no Python in the image, or not at ``interpreter``.
        ProbeError: it does not start, hangs, prints too much or answers nonsense.
        EngineError: the engine fails.
    """
    limits = limits or Limits()
    remaining = [str(interpreter)] if interpreter else list(PROGRAMS)
    while remaining:
        program = remaining.pop(0)
        nonce = secrets.token_hex(16)
        with engine.container(image, _command(program, nonce, interpreter, limits), limits.isolation) as container:
            outcome = _watch(container, limits)
            answer = _framed(outcome.stdout, nonce) if outcome.problem is None else None
            if answer is not None:
                return parse_answer(answer, image=image.name, machine=image.config.platform.machine)
            if outcome.problem is not None or container.locate(program) is not None:
                raise _failure(image, program, container, outcome, limits)
            remaining = [other for other in remaining if container.locate(other) is not None]
    if interpreter:
        raise NoPythonError(
            f"{image.name}: no program at {interpreter}",
            hint="--interpreter takes the absolute path of a Python in the image; without it, PATH tells.",
        )
    raise NoPythonError(
        f"{image.name}: no Python on its PATH, nor in a common place",
        hint="If there is one elsewhere, name it: --interpreter /path/to/python3",
    )


SOURCES = ("describe.py", "conda_prefixes.py", "find.py")
"""What runs inside the image, in the order that ``describe.py`` takes them."""


def _command(program: str, nonce: str, interpreter: PurePosixPath | None, limits: Limits) -> list[str]:
    here = files("envsync.probe")
    sources = [here.joinpath(name).read_text(encoding="ascii") for name in SOURCES]
    # The script must end before it is ended.
    seconds = f"{limits.seconds * 0.9:.0f}"
    return [program, "-B", "-c", BOOT, *sources, "find", nonce, seconds, str(interpreter or "")]


def _framed(stdout: bytes, nonce: str) -> bytes | None:
    begin, end = f"\n{nonce}<\n".encode(), f"\n{nonce}>\n".encode()
    start, stop = stdout.find(begin), stdout.rfind(end)
    return stdout[start + len(begin) : stop] if 0 <= start < stop else None


def _watch(container: Container, limits: Limits) -> _Outcome:
    """Start the container and read what it prints, until it ends or goes beyond a limit; then it is killed."""
    chunks: Queue[Chunk | EnvsyncError | None] = Queue(maxsize=64)
    enough = Event()
    Thread(target=_read, args=(container, chunks, enough), daemon=True).start()
    deadline = monotonic() + limits.seconds
    out, errors = bytearray(), bytearray()
    problem: _Problem | None = None
    try:
        while problem is None:
            chunk = chunks.get(timeout=max(0, deadline - monotonic()))
            if chunk is None:
                break
            if isinstance(chunk, EnvsyncError):
                raise chunk
            out += chunk[0] or b""
            errors += chunk[1] or b""
            problem = "stdout" if len(out) > limits.stdout else "stderr" if len(errors) > limits.stderr else None
    except Empty:
        problem = "late"
    finally:
        enough.set()
    if problem is not None:
        container.kill()
    return _Outcome(stdout=bytes(out), stderr=bytes(errors), problem=problem)


def _read(container: Container, chunks: Queue[Chunk | EnvsyncError | None], enough: Event) -> None:
    """Fill ``chunks`` until there is ``enough``; the last is ``None``, or what went wrong."""
    end: EnvsyncError | None = None
    try:
        for chunk in container.output():
            _put(chunks, chunk, enough)
            if enough.is_set():
                return
    except EnvsyncError as error:
        end = error
    _put(chunks, end, enough)


def _put(chunks: Queue[Chunk | EnvsyncError | None], item: Chunk | EnvsyncError | None, enough: Event) -> None:
    while not enough.is_set():
        with suppress(Full):
            chunks.put(item, timeout=0.2)
            return


def _failure(image: EngineImage, program: str, container: Container, outcome: _Outcome, limits: Limits) -> ProbeError:
    where = f"{image.name}: {printable(program)}"
    without = "envsync pull --method read looks at the image's files and runs nothing."
    match outcome.problem:
        case "late":
            return ProbeError(
                f"{where}: no answer within {limits.seconds:g} s; the container was ended",
                hint=f"Something may wait as Python starts (sitecustomize.py, a .pth file). {without}",
            )
        case "stdout" | "stderr" as stream:
            size = limits.stdout if stream == "stdout" else limits.stderr
            return ProbeError(
                f"{where}: printed more than {size} bytes on {stream}; the container was ended", hint=without
            )
    end = container.wait()
    if end.out_of_memory:
        size = limits.isolation.memory >> 20
        return ProbeError(f"{where}: needs more than {size} MiB of memory to answer", hint=without)
    if end.status == 0:
        return ProbeError(
            f"{where}: answered nonsense (expected a document){_last_lines(outcome)}",
            hint=f"It may be no Python, or something in the image changes what it prints. {without}",
        )
    reason = _why(image, container, program) or _how(end.status)
    return ProbeError(f"{where}: does not start: {reason}{_last_lines(outcome)}", hint=without)


def _how(status: int) -> str:
    # docker-init, like a shell, adds 128 to the number of a signal.
    if status > 128:
        number = status - 128
        name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
        return f"ended by signal {number} ({name})"
    return f"exit status {status}"


def _why(image: EngineImage, container: Container, program: str) -> str | None:
    """What the file itself tells; ``None`` where it looks as it should."""
    path = container.locate(program)
    head = container.head(path, 20) if path is not None else b""
    if not head or head.startswith(b"#!"):
        return None
    if not head.startswith(b"\x7fELF"):
        return f"{printable(str(path))} is no program"
    order: Literal["little", "big"] = "big" if head[5:6] == b"\x02" else "little"
    machine = _MACHINES.get(int.from_bytes(head[18:20], order), "an unknown CPU")
    wanted = image.config.platform.machine
    return f"it is made for {machine}, the image for {wanted}" if machine != wanted else None


def _last_lines(outcome: _Outcome) -> str:
    text = without_credentials(outcome.stderr.decode("utf-8", "replace"))
    lines = [printable(line.rstrip()[:400]) for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    return "".join(f"\n  {line}" for line in lines)
