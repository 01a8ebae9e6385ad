from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.program import environment

PROGRAM = """
import sys, typer
from pathlib import Path
from envsync.cli.outcome import guarded
from envsync.writing import staged_folder, write_folder
def command() -> int:
    for name in sys.argv[1:]:
        write_folder(Path(name), {"a": b"2"})
    with staged_folder(Path("unfinished")):
        raise KeyboardInterrupt
app = typer.Typer()
app.command()(guarded(command))
app([])
"""


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([], "what was there before is unchanged"),
        (["one"], "one was complete before that"),
        (["one", "two"], "2 folders were complete before that, all others are unchanged"),
    ],
)
def test_an_interruption_says_what_is_there(made: list[str], said: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, *made]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"\nenvsync: interrupted; {said}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == made


LOST = """
import time, typer
from envsync.cli.outcome import guarded
class Final:
    def __del__(self) -> None:
        raise KeyboardInterrupt
def command() -> int:
    Final()
    time.sleep(20)
    return 0
app = typer.Typer()
app.command()(guarded(command))
app([])
"""


def test_an_interruption_where_python_drops_it_is_not_lost(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LOST]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "\nenvsync: interrupted; what was there before is unchanged\n")


IN_EXEC = """
import typer
from envsync.cli.outcome import guarded
def command() -> int:
    exec("raise KeyboardInterrupt")
    return 0
app = typer.Typer()
app.command()(guarded(command))
app([])
"""


def test_an_interruption_within_an_exec_is_an_exit_code_not_a_signal(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(IN_EXEC)
    words = [sys.executable, "-m", "program"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "\nenvsync: interrupted; what was there before is unchanged\n")
