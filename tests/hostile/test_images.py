"""Whatever an image holds: a clear error or a record of what was skipped, in bounded time and memory, and nothing else.

Each image is pulled by the program itself, in a process of its own. Nothing in an image reaches a terminal or a file
as a control character.
"""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import msgspec
import pytest

from envsync.lock.codec import decode_snapshot
from envsync.model import Snapshot
from tests.end_to_end.program import environment
from tests.hostile import archives, conda, contents
from tests.hostile.images import Case

PEAK = 250 << 20
SECONDS = 60
"""Of processors: what else the machine does is no matter of this."""
HANGS = 300
"""Seconds until it is ended."""
MEASURED = Path(__file__).with_name("measured.py")
CASES = (*archives.CASES, archives.MILLION, *contents.CASES, *conda.CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_image_that_nobody_means_well_with(case: Case, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    case.make(work / "image.tar")
    measured, said = pull(case, work, tmp_path)
    status = measured["status"]
    assert status == case.status, said
    for text in case.said:
        assert text in said, said
    assert_no_controls(said)
    assert said.count("error: ") == (1 if status == 2 else 0), said
    assert {path.name for path in work.iterdir()} == ({"image.tar"} if status == 2 else {"image.tar", "lockfiles"})
    assert list((tmp_path / "temporary").iterdir()) == []
    if status != 2:
        assert_lock(case, work, said)
    assert measured["peak"] < PEAK, f"{int(measured['peak']) >> 20} MiB"
    assert measured["seconds"] < SECONDS


def pull(case: Case, work: Path, beside: Path) -> tuple[dict[str, float], str]:
    """Exit status, peak of memory in bytes and seconds of processors, and what was said on stderr."""
    (beside / "temporary").mkdir()
    report = beside / "measured.json"
    command = [sys.executable, "-m", "envsync", "pull", f"{case.form}:image.tar"]
    done = subprocess.run(
        [sys.executable, "-S", "-E", MEASURED, str(HANGS), report, *command],
        cwd=work,
        env=environment(HOME=str(beside / "home"), TMPDIR=str(beside / "temporary")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert_no_controls(done.stdout)
    return json.loads(report.read_text()), done.stderr


def assert_lock(case: Case, work: Path, said: str) -> None:
    (path,) = (work / "lockfiles").rglob("snapshot.json")
    for written in path.parent.iterdir():
        assert_no_controls(written.read_text(encoding="utf-8"))
    snapshot = decode_snapshot(path.read_bytes(), "snapshot.json")
    assert_skipped(case, snapshot)
    if case.found is not None:
        assert tuple(sorted(f"{d.name}=={d.version}" for d in snapshot.distributions)) == case.found, said
    for record in snapshot.skipped:
        assert max(map(len, msgspec.structs.astuple(record))) <= 401
    assert len(said) < 20_000


def assert_skipped(case: Case, snapshot: Snapshot) -> None:
    assert (case.status == 1) == bool(snapshot.skipped), snapshot.skipped
    found = [(record.place, record.reason) for record in snapshot.skipped]
    if not case.more:
        assert len(found) == len(case.skipped), found
    for place, reason in case.skipped:
        assert any(where == place and why.startswith(reason) for where, why in found), (place, reason, found[:20])


def assert_no_controls(text: str) -> None:
    """Neither C0 but line ends, nor C1, nor what turns text around."""
    controls = {char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert controls == set()
