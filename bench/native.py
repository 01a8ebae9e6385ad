"""What learning the needs of the system adds to a pull."""

from __future__ import annotations

import sys
from dataclasses import replace

from bench.course import Contest, Course, size, verdict
from bench.measure import Contender, Result, compare
from bench.replica import ROOT

MOST = 1.15


def archive(course: Course, runs: int) -> Contest:
    """Read an archive, with and without its needs."""
    return Contest(
        key="native",
        job=f"`pull docker-archive:` of {size(course.replica.large)} with what its environment needs of the system, "
        "beside the same without",
        aim=_aim,
        results=compare(_both(course, course.archive), runs=runs),
    )


def registry(course: Course, runs: int) -> Contest:
    """The same from a registry, whose layers are compressed."""
    with course.registry() as repository:
        results = compare(_both(course, f"registry:{repository}:1"), runs=runs)
    return Contest(
        key="native-registry",
        job="`pull registry:` of that image, its layers compressed by gzip, likewise",
        aim=_aim,
        results=results,
    )


def _aim(mine: Result, other: Result) -> str:
    return verdict(f"at most {MOST:.0%} of it", mine.wall <= MOST * other.wall)


def _both(course: Course, source: str) -> list[Contender]:
    return [_pulled(course, source, how) for how in ("with", "without")]


def _pulled(course: Course, source: str, how: str) -> Contender:
    pulled = course.pulled(source, "--no-cache", name=f"{how} needs")
    ((_, *words),) = pulled.commands
    command = [sys.executable, "-m", "bench.scanning", how, *words]
    return replace(pulled, commands=[command], env={**pulled.env, "PYTHONPATH": str(ROOT)})
