from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from envsync.elf import parse_elf
from envsync.files import FileReadError, HostTree
from tests.elves import elf


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_reading_up_to_the_limit(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    assert HostTree(str(tmp_path)).read(PurePosixPath("/f"), limit=10) == b"x" * size


def test_reading_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 11)
    with pytest.raises(FileReadError, match=r"^/f: larger than 10 bytes$"):
        HostTree(str(tmp_path)).read(PurePosixPath("/f"), limit=10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this machine")
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("/pipe", "/link"):
        with pytest.raises(FileReadError, match=rf"^{name}: cannot be read: not a regular file$"):
            HostTree(str(tmp_path)).read(PurePosixPath(name))
    with pytest.raises(FileReadError, match=r"^/dev/zero: cannot be read: not a regular file$"):
        HostTree().read(PurePosixPath("/dev/zero"))


def test_reading_a_file_that_claims_to_be_empty() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc on this machine")
    assert HostTree().read(PurePosixPath(status)).startswith(b"Name:")
    with pytest.raises(FileReadError, match=r"larger than 3 bytes"):
        HostTree().read(PurePosixPath(status), limit=3)


def test_what_elf_files_of_this_machine_need(tmp_path: Path) -> None:
    (tmp_path / "libx.so").write_bytes(elf("libc.so.6"))
    (tmp_path / "liby.so").symlink_to("libx.so")
    (tmp_path / "text.so").write_text("INPUT(libx.so)")
    os.mkfifo(tmp_path / "pipe.so")
    tree = HostTree(str(tmp_path))
    for name in ("/libx.so", "/liby.so", "/libx.so"):
        assert tree.elf(PurePosixPath(name)) == parse_elf(elf("libc.so.6"))
    for name in ("/text.so", "/pipe.so", "/none.so", "/"):
        assert tree.elf(PurePosixPath(name)) is None
