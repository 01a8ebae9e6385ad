"""What is measured of exact bits: proving wheels, and an environment from the image's own files."""

from __future__ import annotations

import sys
from functools import partial

from bench.course import DRIFT_OR_NONE, ENVSYNC, ROOT, Contest, Course, verdict
from bench.measure import TURN, Contender, compare, run
from bench.replica import told
from envsync.lock.store import read_lock


def proof(course: Course, runs: int) -> Contest:
    """Prove the wheels of a lock over the network: beside fetching them whole."""
    counted = told(sys.executable, "-m", "bench.proving", str(course.lock))
    whole = sum(d.file.size or 0 for d in read_lock(course.lock).snapshot.distributions if d.file is not None)
    mine = Contender(
        name="proving", commands=[[sys.executable, "-m", "bench.proving", course.lock]], cwd=ROOT, env=course.env
    )
    place = course.folder / "downloaded" / TURN
    words = ["-m", "pip", "download", "--quiet", "--no-cache-dir", "--no-deps", "--only-binary=:all:", "--dest", place]
    listed = course.folder / "proved.txt"
    files = [d.file for d in read_lock(course.lock).snapshot.distributions if d.file is not None]
    listed.write_text("".join(f"{file.url}\n" for file in files if file.url), encoding="utf-8")
    fetched = Contender(
        name="pip download",
        commands=[[course.replica.python, *words, "-r", listed]],
        prepare=partial(course.remove, place.parent),
        env=course.env,
    )
    return Contest(
        key="proof",
        job=f"prove which wheels the image was made from, with no cache ({counted.strip()}), beside `pip download` of "
        f"them, {whole / 1e6:.0f} MB",
        aim=lambda mine, other: verdict("faster", mine.wall < other.wall),
        results=compare([mine, fetched], runs=runs),
    )


def from_image(course: Course, runs: int) -> Contest:
    """Make the environment from wheels of the image's own: beside a copy of the same files."""
    locks = course.folder / "own"
    run(
        Contender(
            name="envsync pull",
            commands=[
                [ENVSYNC, "pull", f"docker-archive:{course.replica.archive}", "--wheels", "all", "--lockfiles", locks]
            ],
            env=course.env,
            allowed=DRIFT_OR_NONE,
        )
    )
    lock = next(locks.rglob("snapshot.json")).parent
    place, copied = course.folder / "from-image" / TURN, course.folder / "copied" / TURN
    options = ["--image", lock, "--python", course.replica.python, "--from", "image"]
    mine = Contender(
        name="envsync create",
        commands=[[ENVSYNC, "create", place, *options]],
        prepare=partial(course.remove, place.parent),
        env=course.env,
        allowed=DRIFT_OR_NONE,
    )
    model = course.folder / "model"
    run(Contender(name="envsync create", commands=[[ENVSYNC, "create", model, *options]], env=course.env))
    copy = Contender(
        name="cp -R",
        commands=[["mkdir", "-p", copied.parent], ["cp", "-R", model, copied]],
        prepare=partial(course.remove, copied.parent),
        env=course.env,
    )
    return Contest(
        key="from-image",
        job="`create --from image`, verified, its wheels unpacked in uv's cache, beside `cp -R` of the same files",
        aim=lambda mine, other: verdict("within 1.5x", mine.wall <= 1.5 * other.wall),
        results=compare([mine, copy], runs=runs),
    )
