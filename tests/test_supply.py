"""Wheels of an image that is read again, once: afterwards nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from envsync.build.events import Event, Note, Step
from envsync.build.sources import Supply
from envsync.cache import Cache
from envsync.exact.wheelhouse import Wheelhouse
from envsync.index.access import IndexSettings
from envsync.index.client import Indexes
from envsync.model import Distribution, ImageSource, IndexFile, Snapshot
from envsync.pull_options import Progress, PullOptions
from envsync.reference import Digest, parse_reference
from envsync.supply import with_wheels
from envsync.take import take_snapshot
from tests.cli.archives import installed, write_archive

ONE = installed("one", "1.0", RECORD="one-1.0.dist-info/METADATA,,\none-1.0.dist-info/RECORD,,\n")
TWO = installed("two", "2.0", RECORD="two-2.0.dist-info/METADATA,,\ntwo-2.0.dist-info/RECORD,,\n")
ODD = installed("odd", "1.0", METADATA="Metadata-Version: 2.1\nName: odd\nVersion: 2.0\n")
"""Of another version than its folder says: it cannot be repacked."""


class Again:
    """A lock of an archive without wheels, and what is told while they are had from it."""

    def __init__(self, folder: Path) -> None:
        self.archive = write_archive(folder / "image.tar", ONE, TWO, ODD, tag=None)
        self.cache = Cache(folder / "cache")
        self.options = PullOptions(method="read", cache=self.cache)
        self.lock = take_snapshot(parse_reference(f"docker-archive:{self.archive}"), self.options, Progress())

    def run(self, lock: Snapshot | None = None) -> tuple[dict[str, Distribution], str | None, list[str]]:
        events: list[Event] = []
        supply = Supply(
            prefer="image",
            wheelhouse=Wheelhouse(self.cache.folder / "wheels"),
            indexes=lambda: Indexes(IndexSettings(no_index=True)),
        )
        found, problem = with_wheels(lock or self.lock, supply, self.options, events.append)
        self.steps = [event.text for event in events if isinstance(event, Step)]
        told = [event.text for event in events if isinstance(event, Note)]
        return {one.name: one for one in found.distributions}, problem, told

    def entry(self) -> Path:
        (entry,) = self.cache.folder.glob("repacked-1.*")
        return entry


@pytest.fixture
def again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Again:
    monkeypatch.chdir(tmp_path)  # a lock has of an archive its name alone
    return Again(tmp_path)


def test_the_image_is_read_again_once(again: Again) -> None:
    first, problem, told = again.run()
    assert problem is None
    assert "repacking 3 distributions from the image" in again.steps
    assert "wheels of 3 distributions are not at hand: reading " in told[0]
    assert {name: one.wheel.filename for name, one in first.items() if one.wheel} == {
        "one": "one-1.0-py3-none-any.whl",
        "two": "two-2.0-py3-none-any.whl",
    }
    again.archive.unlink()
    second, problem, told = again.run()
    assert (problem, told) == (None, [])
    assert {name: (one.wheel, one.file, one.patched) for name, one in second.items()} == {
        name: (one.wheel, one.file, one.patched) for name, one in first.items()
    }
    kinds = {kind.kind: kind.entries for kind in again.cache.info().kinds}
    assert (kinds["repacked-1"], kinds["wheels"]) == (1, 2)


def test_the_file_that_the_lock_names_stays(again: Again) -> None:
    """No index answers while the image is read again."""
    file = IndexFile(filename="one-1.0-py3-none-any.whl", sha256="0" * 64, proof="proved")
    named = tuple(replace(d, file=file) if d.name == "one" else d for d in again.lock.python.distributions)
    lock = replace(again.lock, interpreters=(replace(again.lock.python, distributions=named),))
    for _ in range(2):
        found, _, _ = again.run(lock)
        assert (found["one"].file, found["two"].file) == (file, None)
        assert found["one"].wheel is not None


def test_a_wheel_that_is_gone_is_made_again(again: Again) -> None:
    first, _, _ = again.run()
    wheel = first["one"].wheel
    assert wheel is not None
    (again.cache.folder / "wheels" / wheel.sha256 / wheel.filename).unlink()
    _, problem, told = again.run()
    assert problem is None
    assert "wheels of 1 distributions are not at hand" in told[0]
    assert again.run()[1:] == (None, [])


@pytest.mark.parametrize("spoilt", [b"", b"envsync cache 1\n", b"not what was kept"])
def test_a_damaged_entry_is_none(again: Again, spoilt: bytes) -> None:
    again.run()
    again.entry().write_bytes(spoilt)
    _, problem, told = again.run()
    assert problem is None
    assert len(told) == 1
    again.archive.unlink()
    assert again.run()[1:] == (None, [])


def test_an_entry_of_another_form_is_none(again: Again) -> None:
    again.run()
    key = again.entry().name.split(".")[1]
    again.cache.put("repacked-1", key, b'[{"name": "one", "wheel": {"filename": "../one.whl"}}]')
    assert len(again.run()[2]) == 1


def test_what_cannot_be_repacked_is_asked_for_once(again: Again) -> None:
    found, problem, told = again.run()
    assert (problem, found["odd"].wheel, len(told)) == (None, None, 1)
    assert again.run()[1:] == (None, [])


def test_another_image_has_its_own(again: Again) -> None:
    again.run()
    assert isinstance(again.lock.source, ImageSource)
    source = replace(again.lock.source, config_digest=Digest(f"sha256:{'0' * 64}"))
    _, problem, told = again.run(replace(again.lock, source=source))
    assert problem is not None
    assert "is another image now: its wheels are not those of the lock" in problem
    assert len(told) == 1
