"""Asking one container of an image what Pythons it has, and what is installed for them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from importlib.resources import files
from pathlib import PurePosixPath
from queue import Empty, Queue
from threading import Thread
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


class _Outcome(Struct, frozen=True, kw_only=True):
    stdout: bytes
    stderr: bytes
    problem: Literal["late", "stdout", "stderr"] | None


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
                return parse_answer(answer, image=image.name, chosen=interpreter)
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


def _command(program: str, nonce: str, interpreter: PurePosixPath | None, limits: Limits) -> list[str]:
    here = files("envsync.probe")
    sources = [here.joinpath(name).read_text(encoding="ascii") for name in ("describe.py", "find.py")]
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
    Thread(target=_read, args=(container, chunks), daemon=True).start()
    deadline = monotonic() + limits.seconds
    out, errors = bytearray(), bytearray()
    problem: Literal["late", "stdout", "stderr"] | None = None
    while problem is None:
        try:
            chunk = chunks.get(timeout=max(0, deadline - monotonic()))
        except Empty:
            problem = "late"
            break
        if chunk is None:
            break
        if isinstance(chunk, EnvsyncError):
            raise chunk
        out += chunk[0] or b""
        errors += chunk[1] or b""
        if len(out) > limits.stdout:
            problem = "stdout"
        elif len(errors) > limits.stderr:
            problem = "stderr"
    if problem is not None:
        container.kill()
    return _Outcome(stdout=bytes(out), stderr=bytes(errors), problem=problem)


def _read(container: Container, chunks: Queue[Chunk | EnvsyncError | None]) -> None:
    """Fill ``chunks``; the last is ``None``, or what went wrong."""
    end: EnvsyncError | None = None
    try:
        for chunk in container.output():
            chunks.put(chunk)
    except EnvsyncError as error:
        end = error
    chunks.put(end)
