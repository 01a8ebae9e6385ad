"""``make demo``: pull, create and diff for real, each command shown before it runs; the files stay.

On an official image where a container engine answers and can get it; otherwise on the archive of
:mod:`tests.imagekit.demo`, with which nothing but Python and a package index is needed.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.imagekit.demo import TAG, write_demo
from tests.imagekit.machine import KitError

OFFICIAL = "digdag/digdag-python:3.7"
ASK_SECONDS = 20
PULL_SECONDS = 600


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def envsync(folder: Path, *words: str, timeout: float | None = None) -> int:
    """Show and run one command in ``folder``; its exit status, 2 where it ran out of time."""
    say(f"\n$ envsync {shlex.join(words)}")
    started = time.monotonic()
    try:
        done = subprocess.run([sys.executable, "-m", "envsync", *words], cwd=folder, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        say(f"(ended after {timeout:g} s)")
        return 2
    say(f"(exit status {done.returncode}, {time.monotonic() - started:.1f} s)")
    return done.returncode


def why_not_official() -> str | None:
    """Why the official image cannot be used here; ``None`` where it can."""
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        client = docker.from_env(timeout=ASK_SECONDS)
    except DockerException:
        return "no container engine answers"
    try:
        client.ping()
        try:
            client.images.get(OFFICIAL)
        except ImageNotFound:
            client.images.get_registry_data(OFFICIAL)
    except (DockerException, OSError):
        return f"the container engine cannot get {OFFICIAL}"
    finally:
        client.close()
    return None


def tour(folder: Path, reference: str, *, pull_seconds: float | None = None) -> bool:
    """Run the three commands; whether all could be carried out (drift is no failure)."""
    if envsync(folder, "pull", reference, timeout=pull_seconds) == 2:
        return False
    lock = newest_lock(folder / "lockfiles")
    say(f"\nThe lock, in {lock}:")
    for path in sorted(lock.iterdir()):
        say(f"  {path.stat().st_size:>9,} bytes  {path.name}")
    if envsync(folder, "create", ".venv") == 2:
        return False
    return envsync(folder, "diff", "--only", "python") != 2 and envsync(folder, "diff") != 2


def newest_lock(root: Path) -> Path:
    """The lock directory that was written last."""
    return max(root.rglob("snapshot.json"), key=lambda path: path.stat().st_mtime).parent


def main(words: Sequence[str]) -> int:
    folder = Path(words[0])
    folder.mkdir(exist_ok=True)
    reason = why_not_official()
    if reason is None:
        say(f"Image: {OFFICIAL}, an official one: a container engine can get it.")
        if tour(folder, OFFICIAL, pull_seconds=PULL_SECONDS):
            return finish(folder)
        reason = f"{OFFICIAL} could not be taken all the way (see above)"
    say("Image: a small archive made here of this machine's own Python and of wheels from the package index,")
    say(f"as {reason}.")
    archive = folder / "image.tar"
    try:
        write_demo(archive)
    except KitError as error:
        say(f"demo: {error}")
        return 2
    say(f"Made {archive}: {archive.stat().st_size / 1e6:.0f} MB, {TAG}. No part of it is run.")
    if not tour(folder, f"docker-archive:{archive.name}"):
        return 2
    return finish(folder)


def finish(folder: Path) -> int:
    say(f"\nAll of it is in {folder}/: the lock under lockfiles/, the environment in .venv. Try it:")
    say(f"  . {folder}/.venv/bin/activate && python -m pip list")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
