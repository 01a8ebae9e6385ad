"""Runs a program and tells what it cost: ``python measured.py SECONDS FILE PROGRAM...``.

A process of its own, as small as can be: Linux counts what the parent had before ``exec`` to a child's peak.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    seconds, out, *command = sys.argv[1:]
    child = os.posix_spawn(command[0], command, os.environ, setpgroup=0)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(int(seconds))
    _, status, usage = os.wait4(child, 0)
    signal.alarm(0)
    unit = 1 if sys.platform == "darwin" else 1024
    seconds_used = usage.ru_utime + usage.ru_stime
    found = {"status": os.waitstatus_to_exitcode(status), "peak": usage.ru_maxrss * unit, "seconds": seconds_used}
    Path(out).write_text(json.dumps(found), encoding="utf-8")


main()
