"""Conda environments that are made anew: a small one, and one of the replica's list, its wheels as conda packages."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import rattler
from rattler.index import index_fs

from bench.replica import published_pins
from envsync.local import describe
from envsync.lock.store import write_lock
from tests.factory import source
from tests.imagekit.conda_channel import BASE, channel_folder, install, records, serve
from tests.imagekit.conda_contents import MINOR, interpreter_prefix
from tests.imagekit.conda_package import Entry, Package, write_package
from tests.imagekit.conda_prefixes import PACKAGES
from tests.imagekit.wheels import fetch_wheels

CHANNEL = "science"
_SITE = f"lib/python{MINOR}/site-packages"
_BROUGHT = frozenset({"pip", "setuptools", "wheel", "six", "click", "tabulate"})
"""Of the list: the test channel has them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CondaReplica:
    """An environment that was installed from a channel on this machine, and its lock."""

    channels: Path
    """The folder of all channels, to be served as :data:`~tests.imagekit.conda_channel.BASE`."""
    lock: Path
    records: Path
    """The packages of the lock, for :mod:`bench.linking`."""
    packages: int
    files: int
    size: int
    """Bytes of the files."""

    @property
    def what(self) -> str:
        return f"{self.packages} packages with {self.files} files of {self.size / 1e6:.0f} MB"


def make_small(folder: Path) -> CondaReplica:
    """The packages of the image that tests take.

    Raises:
        KitError: the channel cannot be made here.
    """
    return _installed(folder / "small", channel_folder(), records(*PACKAGES))


def make_large(folder: Path) -> CondaReplica:
    """These packages, and the list of ``digdag-python:3.9``.

    Raises:
        KitError: the channel cannot be made here.
    """
    channels = _channels(folder)
    index = f"{channels}/{CHANNEL}"
    more = [
        record
        for subdir in ("linux-64", "noarch")
        for record in rattler.RepoData.from_path(f"{index}/{subdir}/repodata.json").into_repo_data(
            rattler.Channel(f"{BASE}/{CHANNEL}")
        )
    ]
    return _installed(folder / "large", channels, [*records(*PACKAGES), *more])


def _installed(folder: Path, channels: Path, packages: list[rattler.RepoDataRecord]) -> CondaReplica:
    """Install the environment once, and write its lock."""
    done = folder / "made.json"
    key = hashlib.sha256(f"{channels}{sorted(str(one.url) for one in packages)}".encode()).hexdigest()
    if not done.exists() or json.loads(done.read_text())["key"] != key:
        shutil.rmtree(folder, ignore_errors=True)
        prefix = folder / "original"
        with serve(channels) as served:
            install(prefix, packages, served, cache=folder / "original-cache", requested=[f"python={MINOR}"])
        lock = msgspec.structs.replace(describe(prefix), source=source("bench/conda:1"))
        write_lock(folder / "lock", lock)
        (folder / "records.json").write_bytes(msgspec.json.encode(lock.conda[0].packages, enc_hook=str))
        sizes = [path.stat().st_size for path in prefix.rglob("*") if path.is_file() and not path.is_symlink()]
        for leftover in (prefix, folder / "original-cache"):
            shutil.rmtree(leftover)
        known = {"key": key, "packages": len(packages), "files": len(sizes), "size": sum(sizes)}
        done.write_text(json.dumps(known))
    told = json.loads(done.read_text())
    return CondaReplica(
        channels=channels,
        lock=folder / "lock",
        records=folder / "records.json",
        packages=told["packages"],
        files=told["files"],
        size=told["size"],
    )


def _channels(folder: Path) -> Path:
    """The test channels, and beside them :data:`CHANNEL`; made once."""
    pins = [pin for pin in published_pins() if pin.partition("==")[0] not in _BROUGHT]
    key = hashlib.sha256("\n".join([channel_folder().name, *pins]).encode() + Path(__file__).read_bytes())
    made = folder / f"channels-{key.hexdigest()[:12]}"
    if not made.exists():
        staging = folder / f"channels-{secrets.token_hex(4)}.partial"
        staging.mkdir(parents=True)
        for name in ("main", "extra"):
            (staging / name).symlink_to(channel_folder() / name)
        for wheel in sorted(fetch_wheels(MINOR, pins).glob("*.whl")):
            write_package(_package(wheel), staging / CHANNEL)
        asyncio.run(index_fs(staging / CHANNEL, write_zst=False, write_shards=False))
        staging.rename(made)
    return made


def _package(wheel: Path) -> Package:
    name, version = wheel.name.lower().split("-")[:2]
    package = Package(name=name, version=version, build="py_0", depends=(f"python >={MINOR},<3.10.0a0",))
    if wheel.name.endswith("-none-any.whl"):
        files = {f"site-packages/{path}": entry for path, entry in _contents(wheel)}
        return replace(package, subdir="noarch", noarch="python", files=files)
    return replace(package, files={f"{_SITE}/{path}": entry for path, entry in _contents(wheel, compiled=True)})


def _contents(wheel: Path, *, compiled: bool = False) -> Iterator[tuple[str, Entry]]:
    """The files of a wheel, and their byte code, which conda-build packs with code of a machine."""
    python = interpreter_prefix() / "bin" / f"python{MINOR}"
    with TemporaryDirectory() as temporary:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(temporary)
        if compiled:
            command: list[str | Path] = [python, "-m", "compileall", "-q", "-d", "/", temporary]
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # a wheel may hold templates of code
        for path in sorted(Path(temporary).rglob("*")):
            if path.is_file():
                yield path.relative_to(temporary).as_posix(), Entry(data=path.read_bytes())
