"""Locks of conda environments that were really installed, and making their twins."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from envsync.build.conda.prefix import CondaOptions, create_conda
from envsync.build.events import Event
from envsync.build.marker import LockIdentity
from envsync.build.venv import Built
from envsync.local import describe
from envsync.lock.codec import encode_snapshot
from envsync.model import CondaPackage, Snapshot
from tests.factory import source
from tests.imagekit.conda_channel import BASE, Served, install, records

PACKAGES = (
    *("python", "openssl", "ca-certificates", "tzdata", "demo-lib", "demo-tool", "demo-hook"),
    *("pip", "setuptools", "wheel", "six", "tabulate"),
)
SITE = "lib/python3.9/site-packages"


def lock_of(prefix: Path) -> Snapshot:
    """What a pull of an image with this prefix would say."""
    return msgspec.structs.replace(describe(prefix), source=source("acme/conda:1"))


def install_original(
    prefix: Path, served: Served, *names: str, target: str = "", requested: Sequence[str] = ()
) -> None:
    """The prefix of an image, as conda leaves it."""
    install(prefix, records(*(names or PACKAGES)), served, target=target, requested=requested)


def make(
    lock: Snapshot,
    target: Path,
    served: Served | None = None,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: object,
) -> Built:
    """Call :func:`create_conda` as the command line does, with packages from ``served``."""
    identity = LockIdentity.of(lock, snapshot_json=encode_snapshot(lock), directory="lockfiles/acme/conda/1")
    if served is not None:
        options.setdefault("places", lambda channel: (channel.replace(BASE, served.url),))
    chosen = CondaOptions(**options)  # type: ignore[arg-type]
    return create_conda(lock, target, options=chosen, lock_id=identity, on_event=on_event)


def with_packages(lock: Snapshot, change: Callable[[CondaPackage], CondaPackage]) -> Snapshot:
    """The lock with each conda package changed."""
    first = lock.conda[0]
    changed = msgspec.structs.replace(first, packages=tuple(map(change, first.packages)))
    return msgspec.structs.replace(lock, conda=(changed, *lock.conda[1:]))


def tree(prefix: Path) -> dict[str, tuple[str, int, bytes]]:
    """Relative path → kind, mode and content of all that packages and pip brought; byte code left out."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for path in sorted(prefix.rglob("*")):
        name = path.relative_to(prefix).as_posix()
        if "__pycache__" in name or name.startswith("conda-meta/") or name in _NOT_OF_THE_IMAGE:
            continue
        mode = path.lstat().st_mode & 0o777
        if path.is_symlink():
            found[name] = ("link", 0, os.fsencode(path.readlink()))
        elif path.is_file():
            found[name] = ("file", mode, path.read_bytes())
    return found


_NOT_OF_THE_IMAGE = frozenset({"envsync.json", "bin/activate", "bin/activate.csh", "bin/activate.fish", "CACHEDIR.TAG"})


_RECORDED = (
    *("name", "version", "build", "build_number", "channel", "subdir", "fn", "url", "md5", "sha256", "size"),
    *("noarch", "depends", "constrains", "files", "paths_data"),
)


def installed(prefix: Path) -> dict[str, dict[str, object]]:
    """Name → what ``conda-meta`` says of a package and its files; licenses and times are not in a lock."""
    found = {}
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        record = json.loads(path.read_bytes())
        record["channel"] = record["channel"].rstrip("/")  # which rattler adds to what it read from an index
        found[record["name"]] = {key: record.get(key) for key in _RECORDED}
    return found


def only_md5(package: CondaPackage) -> CondaPackage:
    """As a package of before 2018, whose channel told no SHA-256."""
    return msgspec.structs.replace(package, sha256=None)
