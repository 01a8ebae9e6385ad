"""Reading images: envsync beside syft, beside what nobody can leave out, and beside itself without its cache."""

from __future__ import annotations

from functools import partial

from bench.course import Contest, Course, size, verdict
from bench.measure import Result, compare, run

MEMORY = 250e6
"""Bytes that reading an image may take, however large it is."""


def archive(course: Course, runs: int) -> Contest:
    """Read an archive."""
    contenders = [
        course.pulled(course.archive, "--no-cache"),
        course.scanned(course.archive),
        course.floor(course.replica.large),
    ]
    return Contest(
        key="archive",
        job=f"`pull docker-archive:` of {size(course.replica.large)}, {course.replica.what}, made as large as `3.7`, "
        "beside `syft scan -o json`, and beside only verifying all bytes and walking the tar headers",
        aim=partial(_aim, times=10),
        results=compare(contenders, runs=runs),
    )


def registry(course: Course, runs: int) -> Contest:
    """Read from a registry on loopback."""
    with course.registry() as repository:
        host, _, name = repository.partition("/")
        contenders = [
            course.pulled(f"registry:{repository}:1", "--no-cache"),
            course.scanned(f"registry:{repository}:1"),
            course.floor(f"http://{host}/v2/{name}/manifests/1"),
        ]
        results = compare(contenders, runs=runs)
    return Contest(
        key="registry",
        job="`pull registry:` of that image, its layers compressed by gzip, from a registry on loopback, beside `syft "
        "scan -o json`, and beside only verifying and decompressing all bytes and walking the tar headers",
        aim=partial(_aim, times=6),
        results=results,
    )


def again(course: Course, runs: int) -> Contest:
    """Read what the cache knows; its first turn, which is not timed, fills the cache."""
    warm = course.folder / "envsync-cache-again"
    course.remove(warm)
    with course.registry() as repository:
        source = f"registry:{repository}:1"
        contenders = [
            course.pulled(source, name="envsync pull, again", cache=warm),
            course.pulled(source, name="envsync pull, first", prepare=partial(course.remove, course.cache)),
        ]
        results = compare(contenders, runs=runs)
    return Contest(
        key="again",
        job="the same `pull registry:` again, beside the first one",
        aim=_faster,
        results=results,
    )


def base(course: Course, runs: int) -> Contest:
    """Read an image whose lower layers the cache knows."""
    with course.registry() as repository:

        def know_base() -> None:
            course.remove(course.cache)
            run(course.pulled(f"registry:{repository}:base"))

        source = f"registry:{repository}:1"
        contenders = [
            course.pulled(source, name="envsync pull, base known", prepare=know_base),
            course.pulled(source, "--no-cache", name="envsync pull --no-cache"),
        ]
        results = compare(contenders, runs=runs)
    return Contest(
        key="base",
        job="the same `pull registry:` where the cache knows all but the two topmost layers, beside no cache",
        aim=_faster,
        results=results,
    )


def _faster(mine: Result, other: Result) -> str:
    return verdict("faster", mine.wall < other.wall)


def _aim(mine: Result, other: Result, *, times: int) -> str:
    if other.name == "floor":
        return verdict("within 1.5x", mine.wall <= 1.5 * other.wall)
    faster = verdict(f"{times}x faster", other.wall >= times * mine.wall)
    return f"{faster}; {verdict(f'under {MEMORY / 1e6:.0f} MB', mine.memory < MEMORY)}"
