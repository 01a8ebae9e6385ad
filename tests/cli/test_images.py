from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from envsync.cli.images import images
from envsync.lock.store import write_lock
from envsync.official.published import published_snapshots


def run(*words: str) -> object:
    """The command as the command line runs it; its exit code."""
    app = typer.Typer()
    app.command()(images)
    return app(list(words), standalone_mode=False)


def test_table_with_a_local_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lock(
        tmp_path / "digdag/digdag-python/3.7", next(s for s in published_snapshots() if s.python.version == "3.7")
    )
    assert run("--lockfiles", str(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert "  digdag/digdag-python:3.7 (local)\n    From a published list, not from an image." in out
    assert err == ""


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "--lockfiles", str(tmp_path / "absent")) == 0
    assert len(json.loads(capsys.readouterr().out)["images"]) == 12


def test_damaged_lock_is_shown_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "digdag/digdag-python/3.7"
    lock.mkdir(parents=True)
    (lock / "snapshot.json").write_text("{")
    assert run("--lockfiles", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "Damaged:" in out
    assert "    Restore the lock from version control, or run envsync pull again.\n" in out
