"""What a user names: an environment, a lock or an image."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from envsync.errors import LockError, UsageError
from envsync.lock.store import write_lock
from envsync.pull_options import Progress, PullOptions
from envsync.subject import find_subject, usual_subject
from tests.cli.archives import installed, write_archive
from tests.drift.sides import local
from tests.factory import distribution, snapshot, source


def test_an_environment_is_looked_at_as_the_caller_wants(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()
    seen = []
    found = find_subject(
        str(tmp_path), tmp_path, PullOptions(), Progress(), lambda path: seen.append(path) or local(distribution("six"))
    )
    assert (seen, found.lock) == ([tmp_path], None)
    assert found.snapshot == local(distribution("six"))


def test_a_lock_counts_before_the_image(tmp_path: Path) -> None:
    write_lock(tmp_path / "acme/app/1", snapshot())
    for text in ("acme/app:1", str(tmp_path / "acme/app/1")):
        found = find_subject(text, tmp_path, PullOptions(), Progress())
        assert (found.snapshot, found.lock) == (snapshot(), str(tmp_path / "acme/app/1"))


def test_an_image_without_a_lock_is_taken(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "image.tar", installed("six", "1.16.0"))
    found = find_subject(f"docker-archive:{archive}", tmp_path, PullOptions(), Progress())
    assert ([d.name for d in found.snapshot.distributions], found.lock) == (["six"], None)


def test_a_folder_that_is_neither(tmp_path: Path) -> None:
    expected = r"neither an environment \(no pyvenv.cfg, no bin/python\) nor a lock directory \(no snapshot.json\)"
    with pytest.raises(UsageError, match=expected):
        find_subject(f"{tmp_path}/", tmp_path, PullOptions(), Progress())


def test_what_is_meant_without_a_name_is_noted(tmp_path: Path) -> None:
    said: list[str] = []
    write_lock(tmp_path / "a/1", snapshot(source=source("a:1")))
    assert usual_subject(tmp_path, Progress(note=said.append)).lock == str(tmp_path / "a/1")
    write_lock(tmp_path / "a/2", snapshot(source=source("a:2", pulled_at="2025-01-01T00:00:00Z")))
    assert usual_subject(tmp_path, Progress(note=said.append)).lock == str(tmp_path / "a/2")
    assert said == [f"the only lock in {tmp_path}", f"of 2 locks, the one pulled last in {tmp_path}"]
    write_lock(tmp_path / "a/3", snapshot(source=source("a:3", pulled_at="2025-01-01T00:00:00Z")))
    with pytest.raises(LockError, match="3 locks, and none was pulled last") as caught:
        usual_subject(tmp_path, Progress())
    assert caught.value.hint == "Say which:\n  envsync show a:1\n  envsync show a:2\n  envsync show a:3"


def test_a_bare_name_that_is_not_here_is_said_to_be_taken_for_an_image(tmp_path: Path) -> None:
    def stop(said: str) -> NoReturn:
        raise UsageError(said)  # before anybody is asked for the image

    with pytest.raises(UsageError, match=r"^venv: no environment and no lock here, so taken for an image$"):
        find_subject("venv", tmp_path, PullOptions(), Progress(note=stop))
