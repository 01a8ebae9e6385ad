from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.wheels import Index, serve, wheel


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def index(tmp_path: Path, uv_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that is the only one uv knows, with apple 1.0 and 2.0, berry 1.0 and cherry 1.0."""
    folder = tmp_path / "index"
    folder.mkdir()
    with serve(folder) as address:
        made = Index(folder, address)
        made.add(
            wheel("apple", "1.0", scripts={"apple": "apple:main"}),
            wheel("apple", "2.0", scripts={"apple": "apple:main", "apple2": "apple:main"}),
            wheel("berry", "1.0", {"berry/__init__.py": "x = 1\n", "berry/data.txt": "é\n"}),
            wheel("cherry", "1.0", data_scripts={"pit": "#!python\nprint('pit')\n"}),
        )
        monkeypatch.setenv("UV_DEFAULT_INDEX", made.url)
        monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
        monkeypatch.setenv("UV_HTTP_TIMEOUT", "5")
        yield made
