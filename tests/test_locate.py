from __future__ import annotations

from pathlib import Path

import pytest

from envsync.errors import LockError, UsageError
from envsync.locate import default_environment, is_environment, locate_lock, lock_at_hand
from envsync.lock.store import write_lock
from envsync.model import ListSource
from envsync.pull import Progress, PullOptions
from tests.factory import distribution, snapshot, source


def test_a_lock_under_the_root_counts_before_a_shipped_one(tmp_path: Path) -> None:
    name = "digdag/digdag-python:3.7"
    shipped = lock_at_hand(name, tmp_path)
    assert shipped is not None
    assert shipped.shipped
    assert isinstance(shipped.lock.snapshot.source, ListSource)
    write_lock(tmp_path / "digdag" / "digdag-python" / "3.7", snapshot(distribution("six"), source=source(name)))
    mine = lock_at_hand(name, tmp_path)
    assert mine is not None
    assert not mine.shipped
    assert mine.lock.reference == name


def test_a_lock_directory_can_be_named_by_its_path(tmp_path: Path) -> None:
    write_lock(tmp_path / "l", snapshot())
    found = lock_at_hand(str(tmp_path / "l"), tmp_path / "nowhere")
    assert found is not None
    assert found.lock.path == tmp_path / "l"


def test_no_lock_of_an_image_is_none(tmp_path: Path) -> None:
    assert lock_at_hand("acme/app:1", tmp_path) is None
    assert lock_at_hand("docker-archive:x.tar", tmp_path) is None


def test_without_a_name_the_only_lock_is_meant(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="no lock here"):
        locate_lock(None, tmp_path, PullOptions(), Progress())
    write_lock(tmp_path / "acme" / "app" / "1", snapshot())
    assert locate_lock(None, tmp_path, PullOptions(), Progress()).lock.reference == "acme/app:1"


def test_the_active_environment_is_meant_before_the_one_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    with pytest.raises(UsageError, match=r"no environment is active, and there is none at \.venv"):
        default_environment()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("")
    assert default_environment() == Path(".venv")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    assert default_environment() == Path("/elsewhere")


def test_what_looks_like_an_environment(tmp_path: Path) -> None:
    assert not is_environment(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").touch()
    assert is_environment(tmp_path)
