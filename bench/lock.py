"""``python -m bench.lock LOCK``: only reads a lock, which ``envsync diff`` begins with."""

import sys
from pathlib import Path

from envsync.lock.store import read_lock

if __name__ == "__main__":
    read_lock(Path(sys.argv[1]))
