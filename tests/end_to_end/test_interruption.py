"""Killed or interrupted at any moment: what is there is the old or the new, and the next run tidies up.

Moments come from a seeded generator and are shares of the measured time that a run takes; some wait for the first sign
of writing instead. No engine and no index but one on the loopback device.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from envsync.cache import Cache
from tests.build.making import BASE_PYTHON, tree
from tests.build.wheels import Index, serve, wheel
from tests.cli.archives import installed, write_archive
from tests.end_to_end.program import environment, envsync
from tests.imagekit.pushing import push
from tests.imagekit.registries import open_registry

MOMENTS = {"at any time": 20, "towards the end": 20, "as soon as it writes": 10}
OLD = (installed("apple", "1.0"), installed("berry", "1.0"))
NEW = (installed("apple", "2.0"), installed("cherry", "1.0"))

State = dict[str, object]


@dataclass(frozen=True)
class Source:
    """Two versions of one image, as ``pull`` takes them."""

    old: str
    new: str
    old_variables: dict[str, str] = field(default_factory=dict)
    new_variables: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("images")
    return write_archive(folder / "old.tar", *OLD), write_archive(folder / "new.tar", *NEW)


@pytest.fixture(scope="module")
def files(archives: tuple[Path, Path]) -> Source:
    old, new = archives
    return Source(f"docker-archive:{old}", f"docker-archive:{new}")


@pytest.fixture(scope="module")
def registry(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """One name, which means the old image or the new one by the mirror that is asked."""
    with open_registry(tmp_path_factory.mktemp("registry")) as running:
        for archive in archives:
            push(archive, running.address, f"{archive.stem}/acme/job", "1")
        mirrors = ({"ENVSYNC_MIRRORS": f"127.0.0.1:1=http://{running.address}/{name}"} for name in ("old", "new"))
        yield Source("registry:127.0.0.1:1/acme/job:1", "registry:127.0.0.1:1/acme/job:1", *mirrors)


@pytest.fixture
def source(request: pytest.FixtureRequest) -> Source:
    found: Source = request.getfixturevalue(request.param)
    return found


@dataclass(frozen=True)
class Case:
    """A command that makes or replaces one folder."""

    command: tuple[str, ...]
    target: Path
    look: Callable[[Path], State]
    """What is in the folder, without what differs from one run to the next; empty where there is none."""
    before: Path
    """A copy of what is replaced."""
    workspace: Path
    variables: dict[str, str]

    @property
    def cache(self) -> Path:
        return self.workspace / "cache"

    def set_up(self, *, fresh: bool) -> None:
        """Put the old folder in its place, or nothing at all: no folder, and nothing known from before."""
        shutil.rmtree(self.target, ignore_errors=True)
        if fresh:
            shutil.rmtree(self.cache, ignore_errors=True)
        else:
            shutil.copytree(self.before, self.target, symlinks=True)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "envsync", *self.command],
            cwd=self.workspace,
            env=environment(ENVSYNC_CACHE_DIR=str(self.cache), **self.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self) -> float:
        """Run it to its end; returns the seconds it took."""
        begin = time.monotonic()
        result = envsync(*self.command, cwd=self.workspace, ENVSYNC_CACHE_DIR=str(self.cache), **self.variables)
        assert result.status == 0, result.said
        return time.monotonic() - begin

    def leftovers(self) -> list[str]:
        return [str(path) for path in self.workspace.rglob(".envsync-*")]

    def is_writing(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return any(path.name.startswith(".envsync-") for path in self.target.parent.iterdir())
        return False

    def damaged_entries(self) -> list[str]:
        """Names of entries of the cache that are not whole."""
        cache = Cache(self.cache)
        files = self.cache.glob("*.*.envsync") if self.cache.is_dir() else ()
        pairs = [path.name.removesuffix(".envsync").split(".", 1) for path in files]
        return [key for kind, key in pairs if cache.get(kind, key) is None]


def look_at_lock(folder: Path) -> State:
    """The date of the pull is not what was pulled."""
    state: State = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
    if isinstance(text := state.get("snapshot.json"), bytes):
        snapshot = msgspec.json.decode(text)
        del snapshot["source"]["pulled_at"]
        state["snapshot.json"] = snapshot
    return state


def look_at_environment(folder: Path) -> State:
    return dict(tree(folder))


@pytest.fixture
def pulling(source: Source, tmp_path: Path) -> Case:
    locks = tmp_path / "lockfiles"
    result = envsync("pull", source.old, "-L", locks, cwd=tmp_path, **source.old_variables)
    assert result.status == 0, result.said
    (snapshot,) = locks.rglob("snapshot.json")
    target = snapshot.parent
    shutil.copytree(target, tmp_path / "before")
    command = ("pull", source.new, "-L", str(locks))
    return Case(command, target, look_at_lock, tmp_path / "before", tmp_path, source.new_variables)


@pytest.fixture
def creating(files: Source, tmp_path: Path) -> Iterator[Case]:
    (tmp_path / "index").mkdir()
    with serve(tmp_path / "index") as address:
        index = Index(tmp_path / "index", address)
        index.add(*(wheel(*pin) for pin in (("apple", "1.0"), ("apple", "2.0"), ("berry", "1.0"), ("cherry", "1.0"))))
        variables = {"UV_DEFAULT_INDEX": index.url, "UV_CACHE_DIR": str(tmp_path / "uv")}
        for name, reference in (("old", files.old), ("new", files.new)):
            result = envsync("pull", reference, "-L", tmp_path / name, cwd=tmp_path)
            assert result.status == 0, result.said
        target = tmp_path / "project" / ".venv"
        words = ("create", str(target), "--python", BASE_PYTHON, "-L")
        made = envsync(*words, tmp_path / "old", cwd=tmp_path, **variables)
        assert made.status == 0, made.said
        shutil.copytree(target, tmp_path / "before", symlinks=True)
        command = (*words, str(tmp_path / "new"))
        yield Case(command, target, look_at_environment, tmp_path / "before", tmp_path, variables)


def kill_at(case: Case, moment: float | None, *, whole_group: bool) -> tuple[bool, float]:
    """Kill a run so many seconds after its start, or as soon as it writes; whether it still ran, and for how long."""
    begin = time.monotonic()
    process = case.start()
    try:
        if moment is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
        else:
            while process.poll() is None and not case.is_writing():
                pass  # it lasts a few milliseconds
        running = process.poll() is None
        lasted = time.monotonic() - begin
        if running and whole_group:
            os.killpg(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    return running, lasted


def shares(*, fresh: bool) -> list[float | None]:
    """When, as a share of the time that a run takes; ``None``: as soon as it writes. Half of all moments."""
    chosen = random.Random(20240101 + fresh)
    anywhere = [chosen.uniform(0, 1) for _ in range(MOMENTS["at any time"] // 2)]
    late = [chosen.uniform(0.7, 1) for _ in range(MOMENTS["towards the end"] // 2)]
    moments: list[float | None] = [*anywhere, *late, *[None] * (MOMENTS["as soon as it writes"] // 2)]
    chosen.shuffle(moments)
    return moments


def check_killed_at_any_moment(case: Case, *, fresh: bool) -> None:
    durations = []
    for _ in range(3):
        case.set_up(fresh=fresh)
        before = case.look(case.target)
        durations.append(case.run())
    new, duration = case.look(case.target), statistics.median(durations)
    assert before != new
    outcomes: Counter[str] = Counter()
    for number, share in enumerate(shares(fresh=fresh)):
        for _ in range(20):
            case.set_up(fresh=fresh)
            moment = None if share is None else share * duration
            running, lasted = kill_at(case, moment, whole_group=bool(number & 1))
            if running:
                break
            duration = min(duration, lasted) * 0.95  # this machine is faster than it was
        else:
            pytest.fail(f"killed at {share}: it ended before each time")
        now = case.look(case.target)
        assert now in (before, new), f"killed at {share}: {sorted(now)}"
        assert case.damaged_entries() == []
        outcomes["new" if now == new else "before"] += 1
        case.run()
        assert case.look(case.target) == new
        assert case.leftovers() == [], f"killed at {share}"
        assert case.damaged_entries() == []
    assert outcomes["before"] >= outcomes.total() // 2, outcomes  # or the moments are wrong


@pytest.mark.parametrize(
    ("source", "fresh"),
    [("files", False), pytest.param("registry", True, marks=pytest.mark.registry)],
    ids=["files, replaced", "registry, new"],
    indirect=["source"],
)
def test_pull_killed_at_any_moment(pulling: Case, fresh: bool) -> None:
    check_killed_at_any_moment(pulling, fresh=fresh)


@pytest.mark.parametrize("fresh", [False, True], ids=["replaced", "new"])
def test_create_killed_at_any_moment(creating: Case, fresh: bool) -> None:
    check_killed_at_any_moment(creating, fresh=fresh)


def interrupt_at(case: Case, delay: float) -> tuple[int, str, float]:
    """Press Ctrl-C so long after the first words; exit code, all words, and how long it went on after the first."""
    process = case.start()
    assert process.stderr is not None
    first = process.stderr.readline()
    begin = time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    return process.returncode, first + said, time.monotonic() - begin


def check_interrupted(case: Case) -> None:
    case.set_up(fresh=False)
    status, said, duration = interrupt_at(case, 60)
    assert status == 0, said
    new = case.look(case.target)
    interrupted = 0
    for number, share in enumerate((0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)):
        case.set_up(fresh=bool(number & 1))
        before = case.look(case.target)
        status, said, _ = interrupt_at(case, share * duration)
        now = case.look(case.target)
        assert "Traceback" not in said
        assert "error" not in said
        assert case.leftovers() == []
        if status == 0:  # too late
            assert now == new
        elif f"\nenvsync: interrupted; {case.target} was complete before that\n" in said:
            assert (status, now) == (2, new)
        else:
            assert said.endswith("\nenvsync: interrupted; what was there before is unchanged\n")
            assert (status, now) == (2, before)
            interrupted += 1
    assert interrupted >= 3


@pytest.mark.parametrize("source", ["files", pytest.param("registry", marks=pytest.mark.registry)], indirect=["source"])
def test_pull_interrupted(pulling: Case) -> None:
    check_interrupted(pulling)


def test_create_interrupted(creating: Case) -> None:
    check_interrupted(creating)
