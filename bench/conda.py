"""Conda: making environments beside rattler alone and a conda client, and reading the records of a large one."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bench import conda_replica
from bench.conda_replica import CondaReplica
from bench.course import DRIFT_OR_NONE, ENVSYNC, Contest, Course, size, verdict
from bench.measure import TURN, Contender, Result, Sample, compare, run
from bench.replica import ROOT
from envsync.catalog import conda
from envsync.image.archive import open_archive
from envsync.image_tree import wanted
from envsync.reference import ArchiveFile
from envsync.rootfs import read_rootfs
from tests.imagekit.anaconda import FILES, anaconda_archive, published
from tests.imagekit.conda_channel import BASE, serve

CLIENTS = ("conda", "mamba", "micromamba")
ALONE = "rattler.install"


def small(course: Course, runs: int) -> Contest:
    """Make a small environment, all packages in a warm cache."""
    return _create(course, runs, "conda-small", conda_replica.make_small)


def large(course: Course, runs: int) -> Contest:
    """Make one of the replica's list, all packages in a warm cache."""
    return _create(course, runs, "conda", conda_replica.make_large)


def _create(course: Course, runs: int, key: str, make: Callable[[Path], CondaReplica]) -> Contest:
    replica = make(course.folder / "conda")
    env = _environment(course)
    with serve(replica.channels) as served:
        alone = _alone(course, replica, served.url, env)
        run(alone)  # fills the cache
        clients = [_by_client(course, replica, name, program, served.url, env) for name, program in _clients()]
        results = compare([_created(course, replica, env), alone, *clients], runs=runs)
    none = "" if clients else f" (here is none: {', '.join(CLIENTS)})"
    return Contest(
        key=key,
        job=f"`create` of a conda lock, warm cache: {replica.what}; beside `rattler.install` of the same records, "
        f"which verifies nothing, and `create --file explicit.txt` of a conda client{none}",
        aim=lambda mine, other: (
            verdict("within 1.2x", mine.wall <= 1.2 * other.wall)
            if other.name == ALONE
            else verdict("faster", mine.wall < other.wall)
        ),
        results=results,
    )


def _environment(course: Course) -> dict[str, str]:
    """The variables of all contenders, who share rattler's cache, and a home without any configuration."""
    home = course.folder / "conda" / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {**course.env, "HOME": str(home), "RATTLER_CACHE_DIR": str(course.folder / "conda" / "cache")}


def _created(course: Course, replica: CondaReplica, env: dict[str, str]) -> Contender:
    target = course.folder / "conda-by-envsync" / TURN
    return Contender(
        name="envsync create",
        commands=[[ENVSYNC, "create", target, "--image", replica.lock]],
        prepare=partial(course.remove, target.parent),
        cwd=course.project,
        env=env,
        allowed=DRIFT_OR_NONE,
    )


def _alone(course: Course, replica: CondaReplica, url: str, env: dict[str, str]) -> Contender:
    place = course.folder / "conda-by-rattler"
    cache = Path(env["RATTLER_CACHE_DIR"]) / "pkgs"
    arguments: list[str | Path] = [replica.records, place / TURN, place / "elsewhere", cache, url]
    return Contender(
        name=ALONE,
        commands=[[sys.executable, "-m", "bench.linking", *arguments]],
        prepare=partial(course.remove, place),
        cwd=ROOT,
        env=env,
    )


def _clients() -> list[tuple[str, str]]:
    return [(name, program) for name in CLIENTS if (program := shutil.which(name))]


def _by_client(
    course: Course, replica: CondaReplica, name: str, program: str, url: str, env: dict[str, str]
) -> Contender:
    place = course.folder / f"conda-by-{name}"
    explicit = course.folder / "conda" / f"{name}-explicit.txt"
    explicit.write_text((replica.lock / "explicit.txt").read_text().replace(BASE, url))
    command: list[str | Path] = [program, "create", "--yes", "--quiet", "--prefix", place / TURN]
    return Contender(
        name=name,
        commands=[[*command, "--file", explicit]],
        prepare=partial(course.remove, place),
        env=env,
    )


def records(course: Course, runs: int) -> Contest:
    """Read an image with a full Anaconda; what its conda environment takes of that is measured on its own."""
    archive = anaconda_archive()
    (whole,) = compare([course.pulled(f"docker-archive:{archive}", "--no-cache")], runs=runs)
    return Contest(
        key="conda-read",
        job=f"`pull docker-archive:` of {size(archive)} with a full Anaconda, {len(published())} records of {FILES} "
        "files; beside it what finding and describing the conda environment takes of that",
        aim=lambda _whole, part: verdict("the part under 1 s", part.wall < 1),
        results=[whole, _found(archive, runs)],
    )


def _found(archive: Path, runs: int) -> Result:
    """Only the conda part, in this process."""
    with closing(open_archive(ArchiveFile(format="docker-archive", path=archive), None)) as image:
        tree = read_rootfs(image, wanted())
    samples = []
    for _ in range(runs):
        started, busy = time.perf_counter(), time.process_time()
        conda.find_conda(tree, conda.find_prefixes(tree), ())
        wall, cpu = time.perf_counter() - started, time.process_time() - busy
        samples.append(Sample(wall=wall, cpu=cpu, memory=0))
    return Result(name="its conda part", samples=tuple(samples))
