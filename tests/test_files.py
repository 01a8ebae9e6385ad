from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from envsync.files import FileReadError, HostTree


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_reading_up_to_the_limit(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    assert HostTree(str(tmp_path)).read(PurePosixPath("/f"), limit=10) == b"x" * size


def test_reading_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 11)
    with pytest.raises(FileReadError, match=r"^/f: larger than 10 bytes$"):
        HostTree(str(tmp_path)).read(PurePosixPath("/f"), limit=10)


def test_reading_a_file_that_claims_to_be_empty() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc on this machine")
    assert HostTree().read(PurePosixPath(status)).startswith(b"Name:")
    with pytest.raises(FileReadError, match=r"larger than 3 bytes"):
        HostTree().read(PurePosixPath(status), limit=3)
