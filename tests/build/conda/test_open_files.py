"""The limit of open files: raised while packages are installed, and too low for many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import resource, sys
from envsync.build.conda.open_files import enough_open_files
from envsync.errors import BuildError
soft, hard, packages = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    with enough_open_files(packages):
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
except BuildError as error:
    print(error.message, error.hint, sep="\\n")
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def run(soft: int, hard: int, packages: int) -> list[str]:
    words = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(packages)]
    done = subprocess.run(words, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_soft_limit_is_raised_for_so_long() -> None:
    assert run(256, 1024, 400) == ["1024", "256"]


def test_a_hard_limit_that_is_too_low_is_told() -> None:
    assert run(256, 1024, 600) == [
        "600 conda packages need 1328 open files at once, and 1024 are allowed",
        "Raise the hard limit of open files, then: ulimit -n 1328",
        "256",
    ]
