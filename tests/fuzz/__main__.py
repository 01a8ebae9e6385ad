"""``python -m tests.fuzz [TARGET] [--seconds N]``: all targets in turn, or one, until something breaks or time is up.

What is learnt stays in ``.build/fuzz``, so that the next run goes on from there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".build" / "fuzz"
_ABSENT = (
    "fuzz: atheris is not installed. It has wheels for Linux on x86-64 and CPython 3.10 to 3.14 only;"
    " elsewhere `make test` runs the same targets on what was found so far"
)
_INPUT_SECONDS = 5
_INPUT_BYTES = 1 << 16
_MEMORY = 1024  # MiB, of the fuzzer too


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", help="tar, metadata, record, ...; all of them by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        _say(_ABSENT)
        return 2
    with atheris.instrument_imports(include=["envsync"]):
        from tests.fuzz.targets import FOUND, TARGETS, seeds
    if options.target is None:
        return _all(list(TARGETS), options.seconds)
    if options.target not in TARGETS:
        parser.error(f"no target {options.target!r} (expected one of {', '.join(TARGETS)})")
    corpus = WORK / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(options.target)):
        (corpus / f"seed-{number}").write_bytes(data)
    _say(f"fuzz: {options.target}: what breaks it is kept in {WORK}; put it into {FOUND / options.target}")
    limits = [f"-max_total_time={options.seconds}", f"-timeout={_INPUT_SECONDS}", f"-rss_limit_mb={_MEMORY}"]
    words = [
        *limits,
        f"-max_len={_INPUT_BYTES}",
        f"-artifact_prefix={WORK}/{options.target}-",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *words, str(corpus)], TARGETS[options.target])
    atheris.Fuzz()
    return 0


def _all(names: list[str], seconds: int) -> int:
    """Each in a process of its own: the fuzzer ends its process."""
    broken = []
    for name in names:
        words = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
        if subprocess.run(words, cwd=ROOT, check=False).returncode:
            broken.append(name)
    _say(f"fuzz: {len(names) - len(broken)} of {len(names)} targets held" + "".join(f"\n  broken: {n}" for n in broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
