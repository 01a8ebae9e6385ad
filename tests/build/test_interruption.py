"""An interrupted create leaves the old environment or the new one, never something between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.build.making import freeze, leftovers, lock, make, tree
from tests.build.wheels import Index

PROGRAM = """
import sys
from pathlib import Path
from tests.build.making import lock, make
target, *pins = sys.argv[1:]
def tell(event):
    print(type(event).__name__, flush=True)
make(lock(*pins), Path(target), on_event=tell)
"""


def start(target: Path, *pins: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(target), *pins],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.08, 0.15, 0.25, 0.4])
def test_killed_at_any_moment(index: Index, tmp_path: Path, delay: float) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0", "berry==1.0"), target)
    old = tree(target)
    process = start(target, "apple==2.0", "cherry==1.0")
    assert process.stdout is not None
    assert process.stdout.readline() == b"InterpreterFound\n"
    time.sleep(delay)
    process.kill()
    process.communicate()
    now = tree(target)
    if now != old:
        assert freeze(target) == ["apple==2.0", "cherry==1.0"]
    make(lock("apple==2.0", "cherry==1.0"), target)
    assert freeze(target) == ["apple==2.0", "cherry==1.0"]
    _wait_until_tidy(target)


def _wait_until_tidy(target: Path) -> None:
    """What was killed may still have a child that writes for a moment; the run after that clears it away."""
    deadline = time.monotonic() + 5
    while leftovers(target) and time.monotonic() < deadline:
        time.sleep(0.2)
        make(lock("apple==2.0"), target)
        make(lock("apple==1.0"), target)
    assert leftovers(target) == []


def test_interrupted_by_the_user(index: Index, tmp_path: Path) -> None:
    """Ctrl-C: the old environment is untouched, and nothing is left behind, at once."""
    target = tmp_path / "env"
    make(lock("apple==1.0"), target)
    old = tree(target)
    process = start(target, "apple==2.0", "berry==1.0")
    assert process.stdout is not None
    while process.stdout.readline() != b"Resolving\n":
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in errors
    assert tree(target) == old
    assert leftovers(target) == []


def test_two_at_once_take_turns(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "env"
    both = [start(target, "apple==2.0", "cherry==1.0"), start(target, "apple==1.0", "berry==1.0")]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert freeze(target) in (["apple==2.0", "cherry==1.0"], ["apple==1.0", "berry==1.0"])
    assert leftovers(target) == []
