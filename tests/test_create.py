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
from tests.cli.archives import write_archive


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


def test_layers_are_events() -> None:
    events: list[Event] = []
    progress = as_events(events.append)
    assert progress.layer is not None
    progress.layer(LayerProgress(id="abc", status="Downloading", current=1, total=2))
    assert events == [LayerRead(id="abc", status="Downloading", current=1, total=2)]
