"""What is measured: envsync beside what a user would do instead."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.measure import TURN, Contender, Result, compare, run
from bench.replica import Replica, told

BIN = Path(sys.executable).parent
ENVSYNC = BIN / "envsync"
DRIFT_OR_NONE = frozenset({0, 1})


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """One job; the first result is envsync's."""

    key: str
    job: str
    aim: Callable[[Result, Result], str]
    """What was aimed for against this contender, and whether it was reached."""
    results: Sequence[Result]


class Course:
    """A folder with all that the contests need: caches, a lock and an environment."""

    def __init__(self, folder: Path, replica: Replica) -> None:
        self.folder = folder
        self.replica = replica
        self.project = folder / "project"
        self.locks = self.project / "lockfiles"
        self.project.mkdir(parents=True, exist_ok=True)
        self.env = {
            "UV_CACHE_DIR": str(folder / "uv-cache"),
            "PIP_CACHE_DIR": str(folder / "pip-cache"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
        }

    @property
    def lock(self) -> Path:
        """The lock directory of the replica."""
        return next(self.locks.rglob("snapshot.json")).parent

    def remove(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)

    def pulled(self) -> Contender:
        return Contender(
            name="envsync pull",
            commands=[[ENVSYNC, "pull", f"docker-archive:{self.replica.archive}"]],
            prepare=partial(self.remove, self.locks),
            cwd=self.project,
            env=self.env,
            allowed=DRIFT_OR_NONE,
        )

    def created(self, target: Path) -> Contender:
        return Contender(
            name="envsync create",
            commands=[[ENVSYNC, "create", target, "--image", self.lock, "--python", self.replica.python]],
            prepare=partial(self.remove, target.parent if target.name == TURN else target),
            cwd=self.project,
            env=self.env,
            allowed=DRIFT_OR_NONE,
        )


def pull(course: Course, runs: int) -> Contest:
    """Read an archive: envsync beside syft."""
    syft = Contender(
        name="syft",
        commands=[[BIN / "syft", "scan", f"docker-archive:{course.replica.archive}", "--quiet", "--output", "json"]],
        cwd=course.project,
        env=course.env,
    )
    return Contest(
        key="pull",
        job=f"`pull` of {size(course.replica.archive)}, {course.replica.what}, beside `syft scan -o json`",
        aim=lambda mine, other: verdict("5x faster", other.wall >= 5 * mine.wall),
        results=compare([course.pulled(), syft], runs=runs),
    )


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
    "pull": pull,
    "create": create,
    "diff": diff,
    "start": start,
}


def verdict(aim: str, reached: bool) -> str:
    return f"{aim}: {'yes' if reached else 'no'}"


def size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"
