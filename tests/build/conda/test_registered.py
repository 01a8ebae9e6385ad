"""The list of environments that conda keeps: nothing in it is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envsync.build.conda.registered import register


def test_a_prefix_is_listed_once_and_the_order_is_kept(tmp_path: Path) -> None:
    file = tmp_path / ".conda/environments.txt"

    assert register(Path("/envs/one"), tmp_path) is None
    assert register(Path("/envs/two words"), tmp_path) is None
    assert register(Path("/envs/sub/../one"), tmp_path) is None

    assert file.read_text() == "/envs/one\n/envs/two words\n"


def test_what_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / ".conda/environments.txt"
    file.parent.mkdir()
    file.write_bytes(b"/a\r\n\n/b\xff\n/not ended")

    register(Path("/c"), tmp_path)
    register(Path("/a"), tmp_path)
    register(Path(os.fsdecode(b"/b\xff")), tmp_path)

    assert file.read_bytes() == b"/a\r\n\n/b\xff\n/not ended\n/c\n"


def test_a_list_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".conda").write_text("a file")
    reason = register(Path("/c"), tmp_path)
    assert reason == f"{tmp_path}/.conda/environments.txt: cannot be written: File exists"

    assert register(Path("/dev/null/x\ny"), tmp_path / "home") == (
        f"{tmp_path}/home/.conda/environments.txt: not written: a path with a line break has no place in it"
    )
    assert not (tmp_path / "home").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_list_that_is_read_only_is_told(tmp_path: Path) -> None:
    file = tmp_path / ".conda/environments.txt"
    file.parent.mkdir()
    file.touch(mode=0o400)
    assert register(Path("/c"), tmp_path) == f"{file}: cannot be written: Permission denied"


def test_many_at_once_lose_no_line(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from envsync.build.conda.registered import register\n"
        "for n in range(50):\n"
        "    for prefix in (f'/{sys.argv[2]}/{n}', '/same'):\n"
        "        register(Path(prefix), Path(sys.argv[1]))"
    )
    makers = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path, str(n)], cwd=Path(__file__).parents[3])
        for n in range(3)
    ]

    assert [maker.wait(60) for maker in makers] == [0, 0, 0]
    lines = (tmp_path / ".conda/environments.txt").read_text().splitlines()
    assert sorted(lines) == sorted(["/same", *(f"/{maker}/{n}" for maker in range(3) for n in range(50))])
