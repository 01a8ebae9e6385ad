from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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


def is_running(process: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() != "" and not shown.stdout.startswith("Z")


TIED = """
from envsync.process import run
program = "sleep 60 & echo $! >&2; echo $$ >&2; wait"
run(["sh", "-c", program], timeout=60, tied=True, on_line=lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("whole_group", [False, True])
def test_what_is_tied_ends_with_this_process_however_it_ends(whole_group: bool) -> None:
    words = [sys.executable, "-c", TIED]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        started = [int(process.stdout.readline()) for _ in range(2)]
    assert all(map(is_running, started))
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = [one for one in started if is_running(one)]
    for one in left:
        os.kill(one, signal.SIGKILL)
    assert left == []


def test_what_is_tied_is_as_any_other() -> None:
    code = "import sys; print('out', *sys.argv[1:]); print(repr(sys.stdin.read()), file=sys.stderr); sys.exit(3)"
    done = run([*python(code), "a b", "$c"], timeout=30, check=False, tied=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out a b $c\n", "''\n")
    assert "/bin/sh" not in done.command
    with pytest.raises(CommandError, match="no-such-program: exit status 127"):
        run(["no-such-program"], timeout=5, tied=True)
    with pytest.raises(CommandError, match=r"^sleep 60: still running after 0\.2 s"):
        run(["sleep", "60"], timeout=0.2, tied=True)


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from envsync.process import run
def interrupt(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
for step in range(100):
    begin = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001 * (1 + step))
        run(["sh", "-c", f"sleep 1; touch {sys.argv[1]}/{step}"], timeout=60, tied=True)
    except KeyboardInterrupt:
        if time.monotonic() - begin < 0.8:
            print(step)
"""


def test_what_is_tied_ends_at_whatever_moment_it_is_interrupted(tmp_path: Path) -> None:
    words = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    interrupted = set(done.stdout.split())
    assert len(interrupted) > 50
    time.sleep(1.5)
    assert interrupted & {path.name for path in tmp_path.iterdir()} == set()


def test_characters_and_lines_that_arrive_in_pieces() -> None:
    code = (
        "import sys, time\n"
        "for piece in (b'one\\r', b'\\ntw', b'o \\xc3', b'\\xa9\\rthr', b'ee \\xff'):\n"
        "    for stream in (sys.stdout, sys.stderr):\n"
        "        stream.buffer.write(piece); stream.buffer.flush()\n"
        "    time.sleep(0.05)\n"
    )
    lines: list[str] = []
    done = run(python(code), timeout=30, on_line=lines.append)
    assert lines == ["one", "two é", "three \ufffd"]
    assert done.stdout == done.stderr == "one\ntwo é\nthree \ufffd"


def test_one_that_never_stops_talking_is_ended_in_time() -> None:
    with pytest.raises(CommandError, match=r"still running after 0\.5 s") as caught:
        run(["sh", "-c", "while :; do echo more >&2; done"], timeout=0.5)
    assert caught.value.output.splitlines() == ["more"] * 25


def test_one_that_leaves_its_group_and_keeps_the_pipes_is_not_waited_for() -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(3)\n"
    with pytest.raises(CommandError, match=r"still running after 0\.5 s"):
        run(python(code), timeout=0.5)
