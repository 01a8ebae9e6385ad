from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envsync.errors import LockError, UsageError
from envsync.locate import default_environment, is_environment, locate_lock, lock_at_hand, parse_meant, rescue
from envsync.lock.store import write_lock
from envsync.model import ListSource
from envsync.pull_options import Progress, PullOptions
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


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("image.tar", "image.tar: a file, not the name of an image", "Did you mean docker-archive:image.tar?"),
        ("./gone.tar", "./gone.tar: no such file or folder", "An archive is named so: docker-archive:FILE"),
        ("layout", "layout: a folder that is no lock directory and no environment", "oci:layout[:TAG]"),
        ("locks", "locks: a folder that is no lock directory and no environment", "locks/acme/app/1"),
        ("./empty", "./empty: a folder that is no lock directory and no environment", "oci:./empty[:TAG]"),
    ],
)
def test_a_path_is_no_image(
    text: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.tar").touch()
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "oci-layout").touch()
    (tmp_path / "empty").mkdir()
    write_lock(tmp_path / "locks" / "acme" / "app" / "1", snapshot())
    with pytest.raises(UsageError) as caught:
        parse_meant(text)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


def test_names_stay_names_whatever_folders_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python").mkdir()
    for text in ("python", "acme/app:1", "docker-archive:x.tar", "oci:layout"):
        assert str(parse_meant(text)).startswith(text)


def test_what_helps_where_an_image_cannot_be_had() -> None:
    assert rescue("digdag/digdag-python:3.7") == (
        "A lock from a published list comes with envsync: envsync create .venv --image digdag/digdag-python:3.7"
    )
    assert "Did you mean" in (rescue("digdag/digdag-pyton:3.7") or "")
    assert rescue("acme/app:1") is None
    assert rescue("treasuredata/customscript-python:3.12.11-td0") is None


def test_the_environment_that_envsync_runs_in_is_not_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    assert default_environment() == Path(".venv")
