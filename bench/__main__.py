"""``python -m bench``: measure envsync beside what a user would do instead; writes bench/results.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import contests, replica, table
from bench.course import Course
from bench.measure import BenchError, run
from tests.imagekit.machine import KitError, MissingToolError

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each contender (default: 7)")
    parser.add_argument("--only", action="append", choices=list(contests.CONTESTS), help="only this contest")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md, between its markers")
    parser.add_argument("--folder", type=Path, default=ROOT / ".build" / "bench", help="where to work")
    return parser.parse_args(words)


def main() -> int:
    options = parse(sys.argv[1:])
    if options.readme and not {table.BEGIN, table.END} <= set(README.read_text(encoding="utf-8").splitlines()):
        say(f"bench: {README.name} lacks a line {table.BEGIN} or {table.END}")
        return 2
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        say("making the image that is measured")
        course = Course(folder, replica.make(folder))
        if not any(course.locks.rglob("snapshot.json")):
            run(course.locked())
        done, missing = [], {}
        for key in options.only or contests.CONTESTS:
            say(key)
            try:
                done.append(contests.CONTESTS[key](course, options.runs))
            except MissingToolError as error:
                missing[key] = str(error)
                say(f"  not measured: {error}")
    except (BenchError, KitError) as error:
        say(f"bench: {error}")
        return 2
    pinned = (course.lock / "constraints.txt").read_text(encoding="utf-8").splitlines()
    distributions = sum(not line.startswith("#") for line in pinned if line)
    text = table.render(done, distributions=distributions, missing=missing)
    sys.stdout.write(text)
    if not options.only:
        (ROOT / "bench" / "results.md").write_text(f"# Measured\n\n{text}", encoding="utf-8")
    if options.readme:
        document = README.read_text(encoding="utf-8")
        README.write_text(table.splice(document, text), encoding="utf-8")
    return 0


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
