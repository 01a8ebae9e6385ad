"""Conda environments for tests of their files."""

from __future__ import annotations

import msgspec

from envsync.model import CondaEnvironment, CondaPackage, Distribution, Snapshot
from tests.factory import snapshot

MAIN = "https://repo.anaconda.com/pkgs/main"


def package(name: str, version: str = "1.0", build: str = "h0_0", **fields: object) -> CondaPackage:
    channel, subdir = str(fields.get("channel", MAIN)), str(fields.get("subdir", "linux-64"))
    values: dict[str, object] = {
        "channel": channel,
        "subdir": subdir,
        "url": f"{channel}/{subdir}/{name}-{version}-{build}.conda",
        "md5": f"{len(name):032x}",
        **fields,
    }
    return msgspec.convert({"name": name, "version": version, "build": build, **values}, CondaPackage)


def environment(*packages: CondaPackage, channels: tuple[str, ...] = ("defaults",)) -> CondaEnvironment:
    return CondaEnvironment(prefix=snapshot().python.prefix, channels=channels, packages=packages)


def conda_snapshot(
    *packages: CondaPackage,
    distributions: tuple[Distribution, ...] = (),
    channels: tuple[str, ...] = ("defaults",),
    **fields: object,
) -> Snapshot:
    return snapshot(*distributions, conda=(environment(*packages, channels=channels),), **fields)
