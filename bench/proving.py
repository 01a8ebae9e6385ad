"""Asks the index for every distribution of a lock, and reads the RECORD of its wheel: ``python -m bench.proving LOCK``.

Prints how many wheels it proved, and what went over the network for that.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from envsync.contents import digest_of
from envsync.errors import EnvsyncError
from envsync.exact.proof import recorded_contents
from envsync.index import IndexFile, Listed, Pin
from envsync.index.client import Indexes
from envsync.index.settings import load_settings
from envsync.lock.store import read_lock
from envsync.model import Distribution


def main(lock: Path) -> None:
    wanted = {
        Pin(name=d.name, version=d.version): d for d in read_lock(lock).snapshot.distributions if d.file and d.contents
    }
    with Indexes(load_settings(os.environ, Path.home())) as indexes:
        answers = indexes.find(wanted)
        asked = indexes.stats
        files = [(wanted[pin], file) for pin, answer in answers.items() if (file := _file(wanted[pin], answer))]

        def proves(pair: tuple[Distribution, IndexFile]) -> bool:
            distribution, file = pair
            try:
                members = indexes.members(file, lambda name: name.endswith(".dist-info/RECORD"))
                return digest_of(recorded_contents(distribution, members)) == distribution.contents
            except EnvsyncError:
                return False

        with ThreadPoolExecutor(8) as pool:
            proved = sum(pool.map(proves, files))
        done = indexes.stats
    pages = f"{asked.requests} requests and {asked.received / 1e6:.1f} MB of pages"
    ends = f"{done.requests - asked.requests} requests and {(done.received - asked.received) / 1e6:.1f} MB of wheels"
    print(f"{proved} of {len(wanted)} wheels by {pages}, {ends}")


def _file(distribution: Distribution, answer: object) -> IndexFile | None:
    if not isinstance(answer, Listed) or distribution.file is None:
        return None
    return next((file for file in answer.files if file.filename == distribution.file.filename), None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
