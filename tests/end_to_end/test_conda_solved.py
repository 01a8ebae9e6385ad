"""The twin on a machine that the lock was solved for, which is of another kind than the image."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from envsync.host import conda_subdir
from envsync.lock.store import write_lock
from envsync.model import CondaPackage, SolvedEnvironment
from tests.build.conda.making import PACKAGES, install_original, lock_of
from tests.end_to_end.program import envsync
from tests.imagekit.conda_channel import BASE, serve

pytestmark = pytest.mark.network

OTHER = "linux-ppc64le"


def of_the_image(package: CondaPackage) -> CondaPackage:
    """A package of another platform, and of another channel."""
    subdir = package.subdir.replace(conda_subdir(), OTHER)
    channel = f"{BASE}/old"
    url = f"{channel}/{subdir}/{package.url.rpartition('/')[2]}"
    return msgspec.structs.replace(package, url=url, subdir=subdir, channel=channel)


def test_what_was_solved_is_fetched_and_counted(tmp_path: Path) -> None:
    with serve() as served:
        install_original(tmp_path / "image", served)
        lock = lock_of(tmp_path / "image")
        (environment,) = lock.conda
        chosen = tuple(package for package in environment.packages if package.name != "demo-hook")
        solved = SolvedEnvironment(
            subdir=conda_subdir(), solver="rattler 0.28.0", level="exact", specs=("python",), packages=chosen
        )
        theirs = msgspec.structs.replace(
            environment, packages=tuple(map(of_the_image, environment.packages)), solved=(solved,)
        )
        write_lock(tmp_path / "lockfiles" / "acme" / "conda" / "1", msgspec.structs.replace(lock, conda=(theirs,)))
        user = {"HOME": str(tmp_path), "RATTLER_CACHE_DIR": str(tmp_path / "rattler")}
        result = envsync("create", "twin", "--channel", f"{served.url}/main", cwd=tmp_path, **user)
    count = len(PACKAGES) - 1
    assert f"{count} of {count} conda packages as solved for {conda_subdir()}, in twin\n" in result.err, result.said
    assert f"; {count} installed\n" in result.err
    assert result.status == 0
