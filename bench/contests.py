"""What is measured: envsync beside what a user would do instead."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import conda, drift, exact, native, reading
from bench.course import BIN, DRIFT_OR_NONE, ENVSYNC, Contest, Course, verdict
from bench.measure import TURN, Contender, compare, run
from bench.replica import told


def create(course: Course, runs: int) -> Contest:
    """Make the environment, all wheels in warm caches: envsync beside uv and beside pip."""
    lock, python = course.lock, course.replica.python
    places = [course.folder / name for name in ("by-envsync", "by-uv", "by-pip")]
    by_envsync, by_uv, by_pip = (place / TURN for place in places)
    uv = Contender(
        name="uv",
        commands=[
            [BIN / "uv", "venv", "--quiet", "--python", python, by_uv],
            [BIN / "uv", "pip", "install", "--quiet", "--python", by_uv, "--no-deps", "-r", lock / "constraints.txt"],
        ],
        prepare=partial(course.remove, by_uv.parent),
        env=course.env,
    )
    requirements: list[str | Path] = ["-r", lock / "requirements.txt", "-c", lock / "constraints.txt"]
    pip = Contender(
        name=f"pip {course.replica.bundled_pip}",
        commands=[
            [python, "-m", "venv", by_pip],
            [by_pip / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements],
        ],
        prepare=partial(course.remove, by_pip.parent),
        env=course.env,
    )
    contenders = [course.created(by_envsync), uv]
    results = compare(contenders, runs=runs)
    # pip takes minutes: fewer turns, of which envsync's own are not needed again.
    results += compare([pip], runs=max(1, runs // 3))
    return Contest(
        key="create",
        job="`create`, warm cache, beside `uv venv` and `uv pip install --no-deps` of the same list, "
        "and beside `python -m venv` and `pip install -r -c`",
        aim=lambda mine, other: (
            verdict("within 1.2x", mine.wall <= 1.2 * other.wall)
            if other.name == "uv"
            else verdict("20x faster", other.wall >= 20 * mine.wall)
        ),
        results=results,
    )


def diff(course: Course, runs: int) -> Contest:
    """Compare the environment with its lock: envsync beside pip freeze, which only lists it."""
    target = course.project / ".venv"
    run(course.created(target))
    mine = Contender(
        name="envsync diff",
        commands=[[ENVSYNC, "diff"]],
        cwd=course.project,
        env={**course.env, "VIRTUAL_ENV": ""},
        allowed=DRIFT_OR_NONE,
    )
    pip_version = told(str(target / "bin" / "python"), "-c", "import pip; print(pip.__version__)")
    freeze = Contender(
        name=f"pip {pip_version}",
        commands=[[target / "bin" / "python", "-m", "pip", "freeze", "--all"]],
        env=course.env,
    )
    return Contest(
        key="diff",
        job="`diff` of that environment, beside its own `pip freeze --all`",
        aim=lambda mine, other: verdict("faster", mine.wall < other.wall),
        results=compare([mine, freeze], runs=runs),
    )


def start(course: Course, runs: int) -> Contest:
    """Start up: envsync --help beside an interpreter that does nothing."""
    mine = Contender(name="envsync --help", commands=[[ENVSYNC, "--help"]], cwd=course.project, env=course.env)
    nothing = Contender(name="python -c pass", commands=[[sys.executable, "-c", "pass"]], env=course.env)
    return Contest(
        key="start",
        job="`envsync --help`, beside `python -c pass`",
        aim=lambda mine, other: verdict("at most 100 ms more", mine.wall - other.wall <= 0.1),
        results=compare([mine, nothing], runs=3 * runs),
    )


CONTESTS: dict[str, Callable[[Course, int], Contest]] = {
    "archive": reading.archive,
    "registry": reading.registry,
    "again": reading.again,
    "base": reading.base,
    "native": native.archive,
    "native-registry": native.registry,
    "create": create,
    "diff": diff,
    "diff-native": drift.native,
    "from-image": exact.from_image,
    "proof": exact.proof,
    "conda": conda.large,
    "conda-small": conda.small,
    "conda-read": conda.records,
    "start": start,
}
