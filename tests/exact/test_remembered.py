"""Digests of files that are remembered from one environment to the next."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envsync.cache import Cache
from envsync.exact.remembered import KIND, Remembered

KEY = "ab" * 32
LONG_AGO = time.time_ns() - 3600 * 10**9


class Reader:
    """Hashes files, and notes which."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, paths: Sequence[str]) -> list[bytes | None]:
        self.read += paths
        return [digest(Path(path).read_bytes()) if Path(path).is_file() else None for path in paths]


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def file(path: Path, data: bytes, changed: int = LONG_AGO) -> str:
    path.write_bytes(data)
    os.utime(path, ns=(changed, changed))
    return str(path)


def look(cache: Cache, *paths: str) -> tuple[list[bytes | None], list[str]]:
    """What one run finds, and what it had to read."""
    remembered, reader = Remembered(cache, KEY), Reader()
    found = remembered.digests(paths, reader)
    remembered.keep()
    return found, reader.read


def test_a_file_is_read_once_whatever_its_name_is(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one, two = file(tmp_path / "one", b"1"), file(tmp_path / "two", b"2")
    assert look(cache, one, two) == ([digest(b"1"), digest(b"2")], [one, two])
    linked = str(tmp_path / "linked")
    os.link(one, linked)
    assert look(cache, linked, two) == ([digest(b"1"), digest(b"2")], [])


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one, two = file(tmp_path / "one", b"1"), file(tmp_path / "two", b"2")
    look(cache, one, two)
    file(tmp_path / "one", b"3", LONG_AGO + 1)  # of the same size
    file(tmp_path / "two", b"22")  # of the same time
    assert look(cache, one, two) == ([digest(b"3"), digest(b"22")], [one, two])
    assert look(cache, one, two)[1] == []


def test_another_file_in_its_place_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one, other = file(tmp_path / "one", b"1"), file(tmp_path / "other", b"x")
    look(cache, one)
    Path(other).replace(one)
    assert look(cache, one) == ([digest(b"x")], [one])


def test_what_was_changed_just_now_may_change_again_unseen(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one = file(tmp_path / "one", b"1", time.time_ns())
    assert look(cache, one) == ([digest(b"1")], [one])
    assert look(cache, one) == ([digest(b"1")], [one])


def test_what_changes_while_it_is_read_is_not_remembered(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one = file(tmp_path / "one", b"1")
    remembered = Remembered(cache, KEY)

    def read(paths: Sequence[str]) -> list[bytes | None]:
        found = [digest(Path(path).read_bytes()) for path in paths]
        file(tmp_path / "one", b"22")
        return [*found]

    assert remembered.digests([one], read) == [digest(b"1")]
    remembered.keep()
    assert look(cache, one) == ([digest(b"22")], [one])


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    gone = str(tmp_path / "gone")
    assert look(cache, gone, str(tmp_path)) == ([None, None], [gone, str(tmp_path)])
    assert cache.get(KIND, KEY) is None


def test_only_what_was_used_last_is_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one, two = file(tmp_path / "one", b"1"), file(tmp_path / "two", b"2")
    look(cache, one)
    look(cache, two)
    assert look(cache, one)[1] == [one]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=200))
def test_whatever_the_entry_holds_the_digests_are_right(tmp_path: Path, data: bytes) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put(KIND, KEY, data)
    one = file(tmp_path / "one", b"1")
    assert look(cache, one)[0] == [digest(b"1")]
