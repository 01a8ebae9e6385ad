"""What learning the native needs adds to a pull.

``python -m bench.native with|without WORDS``: envsync with these words; ``without``: no ELF file is looked into.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from bench.course import Contest, Course, size, verdict
from bench.measure import Contender, compare
from bench.replica import ROOT

MOST = 1.15


def scan(course: Course, runs: int) -> Contest:
    """Read an archive, with and without its native needs."""
    both = [_pulled(course, how) for how in ("with", "without")]
    return Contest(
        key="native",
        job=f"`pull docker-archive:` of {size(course.replica.large)} with what its libraries need of the system, "
        "beside the same without",
        aim=lambda mine, other: verdict(f"at most {MOST:.0%} of it", mine.wall <= MOST * other.wall),
        results=compare(both, runs=runs),
    )


def _pulled(course: Course, how: str) -> Contender:
    pulled = course.pulled(course.archive, "--no-cache", name=f"{how} native needs")
    ((_, *words),) = pulled.commands
    command = [sys.executable, "-m", "bench.native", how, *words]
    return replace(pulled, commands=[command], env={**pulled.env, "PYTHONPATH": str(ROOT)})


def main() -> None:
    from envsync.catalog import native
    from envsync.cli import main as envsync

    how, *words = sys.argv[1:]
    if how == "without":
        native.is_native = lambda _: False
        native.find_needs = lambda *_: (0, (), ())
    sys.argv = ["envsync", *words]
    envsync()


if __name__ == "__main__":
    main()
