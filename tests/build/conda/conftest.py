from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from envsync.model import Snapshot
from tests.build.conda.making import install_original, lock_of
from tests.imagekit.conda_channel import Served, serve


@pytest.fixture(autouse=True)
def _caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No package is in a cache before a test put it there."""
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path_factory.mktemp("rattler")))


@pytest.fixture
def served() -> Iterator[Served]:
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix as in an image, which no test may change."""
    prefix = tmp_path_factory.mktemp("image") / "conda"
    with serve() as server:
        install_original(prefix, server, requested=("python=3.9", "six"))
    return prefix


@pytest.fixture(scope="session")
def lock(original: Path) -> Snapshot:
    return lock_of(original)
