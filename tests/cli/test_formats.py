"""``envsync diff --format``, ``--output`` and ``--baseline``, as a user types them."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace

from envsync.cli.formats import in_repository, write
from envsync.lock.store import write_lock
from envsync.writing import WriteError
from tests.drift.sides import other_image, with_python
from tests.end_to_end.program import Result, envsync
from tests.factory import snapshot
from tests.report.test_text import drifted


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    expected, actual = drifted()
    write_lock(folder / "locks/one", expected)
    write_lock(folder / "locks/two", replace(actual, source=other_image().source))
    return folder


def diff(project: Path, *words: str) -> Result:
    return envsync("diff", "./locks/one/", "./locks/two/", *words, cwd=project)


@pytest.mark.parametrize(
    ("words", "begins", "holds"),
    [
        ((), "A  image acme/app:1", "missing OS packages"),
        (("--format", "json"), '{\n  "schema": 1,', '"kind": "distribution-missing"'),
        (("--json",), '{\n  "schema": 1,', '"kind": "distribution-missing"'),
        (("--format", "sarif"), '{\n  "$schema": ', '"uri": "locks/one/constraints.txt"'),
        (("-f", "github"), "::error file=locks/one/constraints.txt,line=6,", "::notice file="),
        (("--format", "markdown"), "## envsync: 2 errors", "<code>numpy</code>"),
        (("--format", "cyclonedx"), "{\n", '"bomFormat": "CycloneDX"'),
    ],
)
def test_formats(project: Path, words: tuple[str, ...], begins: str, holds: str) -> None:
    result = diff(project, *words)
    assert (result.status, result.err) == (1, "")
    assert result.out.startswith(begins)
    assert holds in result.out


def test_bills_of_materials_of_both_sides(project: Path) -> None:
    for side, image in (("A", "acme/app:1"), ("B", "acme/app:2"), ("b", "acme/app:2")):
        document = json.loads(diff(project, "--format", "cyclonedx", "--side", side).out)
        assert document["metadata"]["component"]["name"] == image


def test_output(project: Path, tmp_path: Path) -> None:
    file, link = tmp_path / "report.json", tmp_path / "link.json"
    link.symlink_to(file)
    printed = diff(project, "--json")
    result = diff(project, "--json", "--output", str(link))
    assert (result.status, result.out, result.err) == (1, "", f"{link}: 2 errors, 36 warnings, 1 note\n")
    assert file.read_text(encoding="utf-8") == printed.out
    assert link.is_symlink()
    assert diff(project, "--json", "-o", "-").out == printed.out
    assert sorted(tmp_path.iterdir()) == [link, file]


def test_a_device_or_pipe_is_written_to_and_stays(project: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert diff(project, "--format", "github", "--output", str(pipe)).status == 1
        assert os.read(reader, 7) == b"::error"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout on this machine")
def test_stdout_may_be_named_by_its_path(project: Path) -> None:
    result = diff(project, "--json", "--output", "/dev/stdout")
    assert (result.status, result.err) == (1, "/dev/stdout: 2 errors, 36 warnings, 1 note\n")
    assert result.out == diff(project, "--json").out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user, as root")
def test_a_folder_that_nobody_else_may_enter(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    os.seteuid(65534)
    try:
        with pytest.raises(WriteError, match=r"locked/x: cannot be written: Permission denied$"):
            write("", tmp_path / "locked/x")
    finally:
        os.seteuid(0)


def test_baseline(project: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    diff(project, "--json", "--output", str(known))
    result = diff(project, "--baseline", str(known))
    assert result.status == 0
    assert result.out.startswith("nothing new: ")
    assert result.out.endswith(f"\n39 findings accepted by {known}\n")
    document = json.loads(diff(project, "--baseline", str(known), "--json").out)
    assert (document["accepted"], document["drift"], document["findings"]) == (39, False, [])
    # One that is new.
    changed = with_python(snapshot(source=other_image().source), version="3.10.1")
    write_lock(project / "locks/three", changed)
    result = envsync("diff", "./locks/one/", "./locks/three/", "--baseline", str(known), "--json", cwd=project)
    assert result.status == 1
    assert "interpreter-version" in result.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--json", "--format", "text"), "error: --json: not with --format text\n"),
        (("--side", "A"), "error: --side: only with --format cyclonedx, as all others are of both\n"),
        (("--output", "."), "error: --output .: a folder (expected a file)\n"),
        (("--output", "none/x"), "none/x: cannot be written: No such file or directory\n"),
        (("--output", "locks/one/snapshot.json/x"), "snapshot.json/x: cannot be written: Not a directory\n"),
        (("--baseline", "none"), "error: --baseline none: cannot be read: No such file or directory\n"),
        (("--baseline", "none"), "\n  Accept what there is now: envsync diff --format json --output none\n"),
        (("--baseline", "locks"), "Invalid value for '--baseline': File 'locks' is a directory."),
        (("--baseline", "locks/one/constraints.txt"), "constraints.txt: no report of envsync diff --format json: "),
    ],
)
def test_what_cannot_be_meant(project: Path, words: tuple[str, ...], text: str) -> None:
    result = diff(project, *words)
    assert (result.status, result.out) == (2, "")
    assert text in result.err


def test_a_format_that_there_is_not(project: Path) -> None:
    result = diff(project, "--format", "pdf")
    assert result.status == 2
    assert "'pdf' is not one of 'text', 'json', 'sarif', 'github', 'markdown', 'cyclonedx', 'html'" in result.err


def test_where_a_lock_is_in_its_repository(tmp_path: Path) -> None:
    (tmp_path / "repo/.git").mkdir(parents=True)
    inner = tmp_path / "repo/jobs"
    inner.mkdir()
    assert in_repository("locks/one", inner) == PurePosixPath("jobs/locks/one")
    assert in_repository("../locks", inner) == PurePosixPath("locks")
    assert in_repository(str(tmp_path / "elsewhere"), inner) is None
    assert in_repository(None, inner) is None
    assert in_repository("locks", tmp_path) == PurePosixPath("locks")
