from __future__ import annotations

from pathlib import Path

from envsync.cache import Cache
from envsync.index.kept import Kept


def test_nothing_is_written_once_it_is_closed(tmp_path: Path) -> None:
    kept = Kept(Cache(tmp_path / "cache"))
    kept.put("index-1", "a", b"page")
    kept.close()
    kept.put("index-1", "b", b"page")
    assert (kept.get("index-1", "a"), kept.get("index-1", "b")) == (b"page", None)
