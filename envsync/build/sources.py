"""What an environment's distributions can be had from here: asks the indexes, looks for the image's wheels."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from envsync.build.as_of import as_of
from envsync.build.choose import Prefer, Sources, Target
from envsync.build.interpreter import LocalPython
from envsync.build.known_builds import known_builds
from envsync.catalog.libc import find_libc
from envsync.exact.wheelhouse import Wheelhouse
from envsync.files import HostTree
from envsync.instants import rfc3339
from envsync.model import Libc, Snapshot
from envsync.names import normalized
from envsync.reference import Platform

if TYPE_CHECKING:
    from envsync.index import IndexFile, Listed, Unanswered
    from envsync.index.client import Indexes


class Supply(Struct, frozen=True, kw_only=True):
    """A user's choices of where distributions come from."""

    prefer: Prefer = "auto"
    wheelhouse: Wheelhouse
    indexes: Callable[[], AbstractContextManager[Indexes]]
    as_of: datetime | None = None
    """Instead of when the image was made."""


def sources_for(lock: Snapshot, python: LocalPython, supply: Supply, *, believing: bool = False) -> Sources:
    """Ask the indexes of those distributions for which it makes a difference.

    ``believing``: not of those whose file the lock knows, and this machine takes.

    Raises:
        UsageError: the configuration of indexes, a proxy or certificates cannot be used.
    """
    from envsync.index import Pin

    sources = Sources(
        target=target_of(lock, python),
        prefer=supply.prefer,
        files_of=partial(_files_of, supply),
        image_wheel=supply.wheelhouse.find,
        build_requires=build_requires,
    )
    asked = [d for d in lock.distributions if sources.depends_on_index(d, believing=believing)]
    pins = {Pin(name=d.name, version=d.version): normalized(d.name) for d in asked}
    answers = {}
    if pins:
        with supply.indexes() as indexes:
            answers = {pins[pin]: answer for pin, answer in indexes.find(pins).items()}
    moment = date_of(lock, supply) or as_of(lock, _released(answers.values()))
    return replace(sources, answers=answers, as_of=rfc3339(moment) if moment is not None else None)


def _files_of(supply: Supply, name: str, versions: Sequence[str]) -> dict[str, tuple[IndexFile, ...]]:
    from envsync.index import Listed, Pin

    with supply.indexes() as indexes:
        answers = indexes.find(Pin(name=name, version=version) for version in versions)
    return {pin.version: answer.files for pin, answer in answers.items() if isinstance(answer, Listed)}


def date_of(lock: Snapshot, supply: Supply) -> datetime | None:
    """As of when sdists are built: as chosen, else when the image was made."""
    uploaded = (d.file.uploaded for d in lock.distributions if d.file is not None and d.file.uploaded)
    return supply.as_of or as_of(lock, uploaded)


def _released(answers: Iterable[Listed | Unanswered]) -> Iterator[str]:
    """When each version came out: of a published list, which has no date, nothing else tells how old it is."""
    from envsync.index import Listed

    for answer in answers:
        if isinstance(answer, Listed):
            first = min((file.upload_time for file in answer.files if file.upload_time), default=None)
            if first is not None:
                yield first


def build_requires(name: str, version: str) -> tuple[str, ...]:
    """What a release is known to need while it is built."""
    return tuple(dict.fromkeys(one for build in known_builds() if build.fits(name, version) for one in build.requires))


def target_of(lock: Snapshot, python: LocalPython) -> Target:
    """The interpreter of this machine as wheels see it, and whether the image's compiled ones run on it."""
    tags = {str(tag): rank for rank, tag in reversed(list(enumerate(_tags(python.version, python.abi))))}
    return Target(python=python.version, tags=tags, foreign=_foreign(lock), older=_older(lock))


def _tags(version: str, abi: str) -> Iterator[object]:
    from packaging.tags import compatible_tags, cpython_tags, generic_tags

    minor = tuple(int(part) for part in version.split(".")[:2])
    platforms = _platforms()
    interpreter = f"cp{minor[0]}{minor[1]}"
    if abi.startswith("cp"):
        yield from cpython_tags(minor, [abi], platforms)
    else:
        interpreter = f"{abi[:2]}{minor[0]}{minor[1]}"
        yield from generic_tags(interpreter, [abi], platforms)
    yield from compatible_tags(minor, interpreter, platforms)


@cache
def _platforms() -> tuple[str, ...]:
    from packaging.tags import platform_tags

    return tuple(platform_tags())


def _foreign(lock: Snapshot) -> str | None:
    """Why compiled files of the image do not run here, as far as the lock tells."""
    platform = lock.platform
    if platform is None:
        return None
    here = Platform.parse(f"{_SYSTEMS.get(sys.platform, sys.platform)}/{machine_name()}")
    if (here.os, here.machine) != (platform.os, platform.machine):
        return f"they are for {platform}, this machine is {here}"
    libc = lock.os.libc if lock.os is not None else None
    own = _libc()
    if libc is not None and (own is None or own.family != libc.family):
        return f"the image's C library is {libc.family}, this machine's {own.family if own else 'another one'}"
    return None


def _older(lock: Snapshot) -> str | None:
    libc = lock.os.libc if lock.os is not None else None
    own = _libc()
    if libc is None or own is None or own.family != libc.family or _key(own.version) >= _key(libc.version):
        return None
    return f"it was built with {libc.family} {libc.version}, this machine has {own.version}"


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


_SYSTEMS = {"win32": "windows"}


def _libc() -> Libc | None:
    return find_libc(HostTree(), machine_name())


def machine_name() -> str:
    """As the image's platform is named by Linux: ``x86_64``, ``aarch64``."""
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(os.uname().machine, os.uname().machine)
