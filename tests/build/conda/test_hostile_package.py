"""Packages that put links where envsync writes: nothing outside of it is touched, and nothing that is shared."""

from __future__ import annotations

from hashlib import md5, sha256
from pathlib import Path

import msgspec
import pytest

from envsync.errors import BuildError
from envsync.model import CondaPackage, Snapshot
from tests.build.conda.making import make
from tests.imagekit.conda_channel import BASE, serve
from tests.imagekit.conda_package import Entry, Package, write_package

pytestmark = pytest.mark.network


def with_package(lock: Snapshot, channel: Path, files: dict[str, Entry], **environment: object) -> Snapshot:
    """The lock of one package more, which is written into a channel of its own."""
    package = Package(name="evil", version="1", build="0", files=files)
    data = write_package(package, channel / "evil").read_bytes()
    one = CondaPackage(
        name="evil",
        version="1",
        build="0",
        channel=f"{BASE}/evil",
        subdir="linux-64",
        url=f"{BASE}/evil/linux-64/evil-1-0.conda",
        md5=md5(data).hexdigest(),
        sha256=sha256(data).hexdigest(),
    )
    first = lock.conda[0]
    packages = tuple(sorted((*first.packages, one), key=lambda p: p.name))
    return msgspec.structs.replace(lock, conda=(msgspec.structs.replace(first, packages=packages, **environment),))


def build(lock: Snapshot, channel: Path, target: Path) -> None:
    with serve() as good, serve(channel) as bad:
        make(lock, target, places=lambda url: (url.replace(BASE, bad.url if "evil" in url else good.url),))


@pytest.mark.parametrize(
    "name", ["conda-meta/history", "envsync.json", "conda-meta/pinned", ".envsync-requirements.txt"]
)
def test_a_link_is_replaced_and_not_followed(lock: Snapshot, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious\n")
    victim.chmod(0o600)
    evil = with_package(lock, tmp_path / "channel", {name: Entry(link=str(victim))}, pinned=("six 1.*",))
    build(evil, tmp_path / "channel", tmp_path / "twin")
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("precious\n", 0o600)
    assert (tmp_path / "twin" / "envsync.json").is_file()


def test_records_that_a_package_brings_keep_their_mode(lock: Snapshot, tmp_path: Path) -> None:
    victim = tmp_path / "key"
    victim.write_text("{}")
    victim.chmod(0o600)
    evil = with_package(lock, tmp_path / "channel", {"conda-meta/x-1-0.json": Entry(link=str(victim))})
    build(evil, tmp_path / "channel", tmp_path / "twin")
    assert victim.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_into_a_file_that_the_cache_shares(lock: Snapshot, tmp_path: Path) -> None:
    files = {"conda-meta/pinned": Entry(data=b"numpy 1.*\n")}
    build(with_package(lock, tmp_path / "channel", files), tmp_path / "channel", tmp_path / "one")
    other = with_package(lock, tmp_path / "channel", files, pinned=("six 9.*",))
    build(other, tmp_path / "channel", tmp_path / "two")
    assert (tmp_path / "one/conda-meta/pinned").read_text() == "numpy 1.*\n"
    assert (tmp_path / "two/conda-meta/pinned").read_text() == "six 9.*\n"


def test_a_link_in_the_place_of_a_folder_is_refused(lock: Snapshot, tmp_path: Path) -> None:
    """Alone, as no other package could be linked into it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    evil = with_package(lock, tmp_path / "channel", {"bin": Entry(link=str(elsewhere))})
    (first,) = evil.conda
    alone = tuple(package for package in first.packages if package.name == "evil")
    evil = msgspec.structs.replace(evil, conda=(msgspec.structs.replace(first, packages=alone),))
    with pytest.raises(BuildError, match="bin/activate: a conda package put a link at bin"):
        build(evil, tmp_path / "channel", tmp_path / "twin")
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "twin").exists()
