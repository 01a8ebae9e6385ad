"""What is told while the image of a lock is read for an environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from envsync.build.events import Event, LayerRead, Step
from envsync.create import Choices, create_environment
from envsync.image.protocol import LayerProgress
from envsync.locate import locate_lock
from envsync.supply import as_events
from envsync.take import Progress, PullOptions
from tests.cli.archives import installed, write_archive
from tests.end_to_end.program import envsync


def test_reading_an_image_for_its_interpreter_is_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a lock has of an archive its name alone
    write_archive(tmp_path / "image.tar", tag=None)
    pulling = PullOptions(method="read")
    located = locate_lock("docker-archive:image.tar", tmp_path / "lockfiles", pulling, Progress())
    events: list[Event] = []
    choices = Choices(python="image", pulling=pulling, pythons=tmp_path / "cache")
    made = create_environment(located, tmp_path / "env", choices, events.append)
    assert made.built.python.source == "image"
    assert Step(text="reading docker-archive:image.tar: 3 layers") in events


def test_an_index_that_is_out_of_reach_is_not_the_only_source(tmp_path: Path) -> None:
    six = installed("six", "1.16.0", RECORD="six-1.16.0.dist-info/RECORD,,\n")
    write_archive(tmp_path / "image.tar", six, tag=None)
    variables = {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_HTTP_RETRIES": "0",
        "ENVSYNC_CACHE_DIR": str(tmp_path / "cache"),
    }
    hint = "Check the network, proxy and index settings, then try again: what was fetched is kept in the cache."
    more = " With --from image no index is needed, as long as the image is at hand."
    for wheels, expected in (("none", hint), ("all", hint + more)):
        words = ("docker-archive:image.tar", "--wheels", wheels, "--lockfiles", wheels)
        pulled = envsync("pull", *words, cwd=tmp_path, **variables)
        assert pulled.status == 0, pulled.said
        made = envsync("create", "env", "--from", "index", "--lockfiles", wheels, cwd=tmp_path, **variables)
        assert made.status == 2, made.said
        assert "cannot be reached" in made.err
        assert made.err.rstrip().endswith(expected), made.said


def test_layers_are_events() -> None:
    events: list[Event] = []
    progress = as_events(events.append)
    assert progress.layer is not None
    progress.layer(LayerProgress(id="abc", status="Downloading", current=1, total=2))
    assert events == [LayerRead(id="abc", status="Downloading", current=1, total=2)]
