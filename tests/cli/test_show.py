"""``envsync show`` as a user runs it, without an engine: what it takes, and what is wrong input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from envsync.lock.store import write_lock
from tests.cli.archives import installed, write_archive
from tests.end_to_end.program import Result, envsync
from tests.factory import snapshot, source
from tests.report.inventory import inventory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_lock(tmp_path / "lockfiles/acme/app/1", inventory())
    return tmp_path


def refused(result: Result, *texts: str) -> None:
    assert (result.status, result.out) == (2, ""), result.said
    assert result.err.count("error: ") == 1, result.said
    assert "internal" not in result.err
    for text in texts:
        assert text in result.err, result.said


def test_without_a_name_the_only_lock_is_shown_and_that_is_said(project: Path) -> None:
    shown = envsync("show", cwd=project)
    assert shown.status == 0, shown.said
    assert shown.err == "the only lock in lockfiles\n"
    assert shown.out.startswith("acme/app:1  sha256:")
    assert "\x1b" not in shown.out


def test_of_several_locks_the_one_pulled_last(project: Path) -> None:
    write_lock(
        project / "lockfiles/acme/app/2", snapshot(source=source("acme/app:2", pulled_at="2025-01-01T00:00:00Z"))
    )
    shown = envsync("show", cwd=project)
    assert shown.err == "of 2 locks, the one pulled last in lockfiles\n"
    assert shown.out.startswith("acme/app:2 ")


@pytest.mark.parametrize("target", ["acme/app:1", "lockfiles/acme/app/1", "./lockfiles/acme/app/1/"])
def test_a_lock_by_its_image_or_path(target: str, project: Path) -> None:
    shown = envsync("show", target, "--json", cwd=project)
    assert (shown.status, shown.err) == (0, ""), shown.said
    assert json.loads(shown.out)["lock"] == str(Path("lockfiles/acme/app/1"))


def test_an_environment(project: Path) -> None:
    (project / "lockfiles").rename(project / "elsewhere")
    shown = envsync("show", sys.prefix, "--why", "pytest", cwd=project)
    assert shown.status == 0, shown.said
    assert "pytest " in shown.out
    found = envsync("show", cwd=project, VIRTUAL_ENV=str(project))
    refused(found, f"{project}: ")


def test_an_archive_is_read_with_the_sizes_of_its_layers(tmp_path: Path) -> None:
    write_archive(
        tmp_path / "image.tar", installed("six", "1.16.0"), installed("idna", "2.8", metadata="Requires-Dist: six\n")
    )
    shown = envsync("show", "docker-archive:image.tar", "--json", cwd=tmp_path)
    assert shown.status == 0, shown.said
    told = json.loads(shown.out)
    assert [layer["command"] for layer in told["layers"]] == ["layer 0", "layer 1", "layer 2"]
    assert all(layer["size"] > 0 for layer in told["layers"])
    assert told["layers"][2]["distributions"] == ["idna 2.8", "six 1.16.0"]
    assert not (tmp_path / "lockfiles").exists()
    tree = envsync("show", "docker-archive:image.tar", "--tree", cwd=tmp_path)
    assert tree.out == "idna 2.8\n└── six 1.16.0\n"


def test_a_stdout_that_knows_ascii_only(project: Path) -> None:
    tree = envsync("show", "--tree", cwd=project, PYTHONIOENCODING="ascii")
    assert tree.status == 0, tree.said
    assert "`-- MarkupSafe" in tree.out
    assert envsync("show", cwd=project, PYTHONIOENCODING="ascii").status == 0


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["acme/app:1", "--why", "flsk"], ["--why: no distribution, ", "is called 'flsk'", "Did you mean Flask?"]),
        (["--tree", "--json"], ["--tree and --json: not together"]),
        (["--why", "six", "--tree"], ["--tree and --why: not together"]),
        (["--tree", "--all"], ["--all: not with --tree, which folds nothing"]),
        (["./nowhere"], ["./nowhere: no such file or folder"]),
        (["./lockfiles"], ["./lockfiles: neither an environment (no pyvenv.cfg, no bin/python) nor a lock directory"]),
        (["Acme/App"], ["'App' is not a repository name"]),
        (
            ["-L", "empty"],
            ["empty: no lock here, and no environment is active", "envsync show IMAGE, envsync show ENV"],
        ),
    ],
)
def test_wrong_input(words: list[str], texts: list[str], project: Path) -> None:
    refused(envsync("show", *words, cwd=project), *texts)


def test_a_damaged_lock_and_two_that_nothing_tells_apart(project: Path) -> None:
    write_lock(project / "lockfiles/acme/app/2", snapshot(source=source("acme/app:2")))
    refused(envsync("show", cwd=project), "2 locks, and none was pulled last", "  envsync show acme/app:1")
    (project / "lockfiles/acme/app/2/snapshot.json").write_text("{")
    refused(envsync("show", "acme/app:2", cwd=project), "snapshot.json: damaged")
