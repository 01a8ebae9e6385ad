"""What is measured of drift: an environment whose libraries need much of the system."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.course import DRIFT_OR_NONE, ENVSYNC, ROOT, Contest, Course, verdict
from bench.measure import Contender, compare, run
from bench.replica import told
from envsync.lock.store import read_lock
from tests.imagekit import engine
from tests.imagekit.machine import MissingToolError, pyenv_python
from tests.imagekit.replica37 import REPLICA37

MOST = 1.0
"""Seconds."""


def native(course: Course, runs: int) -> Contest:
    """Compare a replica of digdag-python:3.7, made from the image's own files, with its lock."""
    if problem := engine.engine_problem():
        raise MissingToolError(problem)
    project = course.folder / "native"
    project.mkdir(exist_ok=True)
    lock, target = _locked(course, project), project / ".venv"
    run(_created(course, lock, target))
    mine = Contender(
        name="envsync diff",
        commands=[[ENVSYNC, "diff"]],
        cwd=project,
        env={**course.env, "VIRTUAL_ENV": ""},
        allowed=DRIFT_OR_NONE,
    )
    reading = Contender(
        name="reading the lock", commands=[[sys.executable, "-m", "bench.lock", lock]], cwd=ROOT, env=course.env
    )
    python = target / "bin" / "python"
    pip_version = told(str(python), "-c", "import pip; print(pip.__version__)")
    freeze = Contender(name=f"pip {pip_version}", commands=[[python, "-m", "pip", "freeze", "--all"]], env=course.env)
    compared, read, frozen = compare([mine, reading, freeze], runs=runs)
    return Contest(
        key="diff-native",
        job=f"`diff` of a replica of `digdag/digdag-python:3.7`, {_counted(lock)}, of which a process that only reads "
        f"the lock takes {read.wall:.2f} s; beside its own `pip freeze --all`",
        aim=lambda mine, other: verdict(f"under {MOST:.0f} s", mine.wall < MOST),
        results=[compared, frozen],
    )


def _locked(course: Course, project: Path) -> Path:
    """The lock directory, with wheels of all distributions."""
    locks = project / "lockfiles"
    if not any(locks.rglob("snapshot.json")):
        archive = engine.save(engine.build(REPLICA37))
        command: list[str | Path] = [ENVSYNC, "pull", f"docker-archive:{archive}", "--wheels", "all"]
        run(Contender(name="envsync pull", commands=[command], cwd=project, env=course.env, allowed=DRIFT_OR_NONE))
    return next(locks.rglob("snapshot.json")).parent


def _created(course: Course, lock: Path, target: Path) -> Contender:
    python = pyenv_python("3.7") / "bin" / "python3.7"
    return Contender(
        name="envsync create",
        commands=[[ENVSYNC, "create", target, "--image", lock, "--python", python, "--from", "image"]],
        prepare=partial(course.remove, target),
        cwd=target.parent,
        env=course.env,
        allowed=DRIFT_OR_NONE,
    )


def _counted(lock: Path) -> str:
    snapshot = read_lock(lock).snapshot
    objects = snapshot.needs.objects if snapshot.needs is not None else 0
    return f"{len(snapshot.distributions)} distributions with {objects} shared objects"
