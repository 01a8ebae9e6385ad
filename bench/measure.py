"""Timing whole processes from outside, contenders in turn."""

from __future__ import annotations

import ast
import itertools
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One way to do a job: processes run one after the other, after an untimed preparation."""

    name: str
    commands: Sequence[Sequence[str | Path]]
    """:data:`TURN` in a word becomes a number that no run before had, so that no cache knows a path."""
    prepare: Callable[[], object] = lambda: None
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[int] = frozenset({0})
    """Exit statuses that count as success."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What one run took; seconds, and bytes of the largest process."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    name: str
    samples: tuple[Sample, ...]

    @property
    def wall(self) -> float:
        """Median."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def fastest(self) -> float:
        return min(sample.wall for sample in self.samples)

    @property
    def slowest(self) -> float:
        return max(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Median."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def memory(self) -> int:
        return max(sample.memory for sample in self.samples)


TURN = "{turn}"
_TURNS = itertools.count(1)


class BenchError(Exception):
    """A contender failed; the text has the end of its output."""


def compare(contenders: Sequence[Contender], *, runs: int) -> list[Result]:
    """Run each contender once to warm up, then all in turn, ``runs`` times: A B A B.

    Raises:
        BenchError: one of them failed.
    """
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for turn in range(runs + 1):
        for contender in contenders:
            sample = run(contender)
            if turn:
                samples[contender.name].append(sample)
            warm = "" if turn else "  (warm-up)"
            sys.stderr.write(f"  {contender.name}: {sample.wall:.3f} s{warm}\n")
    return [Result(name=name, samples=tuple(taken)) for name, taken in samples.items()]


def run(contender: Contender) -> Sample:
    """One run of one contender."""
    contender.prepare()
    turn = str(next(_TURNS))
    wall = cpu = 0.0
    memory = 0
    for command in contender.commands:
        seconds, busy, peak = _run_process([str(word).replace(TURN, turn) for word in command], contender)
        wall, cpu, memory = wall + seconds, cpu + busy, max(memory, peak)
    return Sample(wall=wall, cpu=cpu, memory=memory)


_LAUNCHER = """
import os, sys, time
told, words = int(sys.argv[1]), sys.argv[2:]
started = time.perf_counter()
process = os.posix_spawnp(words[0], words, os.environ)
_, status, usage = os.wait4(process, 0)
seconds = time.perf_counter() - started
busy = usage.ru_utime + usage.ru_stime
os.write(told, repr((seconds, busy, usage.ru_maxrss, os.waitstatus_to_exitcode(status))).encode())
"""
"""Starts a process from a small one: to the kernel, the memory of a process is at least that of who started it."""


def _run_process(command: Sequence[str], contender: Contender) -> tuple[float, float, int]:
    read, write = os.pipe()
    answer, told = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(told), *command],
        cwd=contender.cwd,
        env={**os.environ, **contender.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=write,
        pass_fds=(told,),
    )
    os.close(write)
    os.close(told)
    with os.fdopen(read, "rb") as stream, os.fdopen(answer) as measured:
        output = stream.read().decode(errors="replace")
        figures = measured.read()
    process.wait()
    if not figures:
        raise BenchError(f"{contender.name}: {' '.join(command)}: cannot be started\n{output[-2000:]}")
    seconds, busy, memory, status = ast.literal_eval(figures)
    if status not in contender.allowed:
        raise BenchError(f"{contender.name}: {' '.join(command)}: exit status {status}\n{output[-2000:]}")
    scale = 1 if sys.platform == "darwin" else 1024
    return seconds, busy, memory * scale
