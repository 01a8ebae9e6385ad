from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envsync.errors import CommandError
from envsync.process import run


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_and_status() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_there_is_no_input_to_wait_for() -> None:
    assert run(python("import sys; print(len(sys.stdin.read()))"), timeout=30).stdout == "0\n"


def test_a_failure_shows_the_last_lines_without_credentials() -> None:
    code = "import sys; print('https://me:secret@host/ went wrong', file=sys.stderr); sys.exit(1)"
    with pytest.raises(CommandError) as caught:
        run([*python(code), "https://me:secret@host/"], timeout=30)
    assert caught.value.output == "https://host/ went wrong"
    assert "secret" not in caught.value.message
    assert caught.value.message.endswith("exit status 1")


def test_time_is_bounded_also_for_grandchildren() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    with pytest.raises(CommandError, match=r"still running after 0\.5 s"):
        run(python(code), timeout=0.5)


def test_what_cannot_be_started_is_named() -> None:
    with pytest.raises(CommandError, match="no-such-program: cannot be started: No such file or directory"):
        run(["no-such-program"], timeout=5)


def test_lines_arrive_as_they_are_printed_and_cannot_move_the_cursor() -> None:
    lines: list[str] = []
    run(python(r"import sys; sys.stderr.write('a\x1b[2J\nb\n')"), timeout=30, on_line=lines.append)
    assert lines == [r"a\x1b[2J", "b"]


def test_environment_and_folder(tmp_path: Path) -> None:
    done = run(python("import os; print(os.environ['X'], os.getcwd())"), timeout=30, env={"X": "1"}, cwd=tmp_path)
    assert done.stdout.split() == ["1", str(tmp_path.resolve())]
