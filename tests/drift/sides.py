"""Snapshots of the two sides, for tests of what differs between them."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec.structs import replace

from envsync.model import (
    Distribution,
    EnvironmentVariable,
    ImageConfig,
    Interpreter,
    ListSource,
    LocalSource,
    OsPackage,
    Snapshot,
)
from tests.factory import snapshot, source

ENV = PurePosixPath(".venv")


def image(*distributions: Distribution, **fields: object) -> Snapshot:
    return snapshot(*distributions, **fields)


def other_image(*distributions: Distribution, **fields: object) -> Snapshot:
    return snapshot(*distributions, **{"source": source("acme/app:2"), **fields})


def local(*distributions: Distribution, **fields: object) -> Snapshot:
    return snapshot(*distributions, **{"source": LocalSource(path=ENV), **fields})


def published(*distributions: Distribution, version: str = "3.9", **fields: object) -> Snapshot:
    """What a published list tells: names and versions."""
    origin = {
        "reference": "acme/app:1",
        "url": "https://example.org/list",
        "date": "2020-02",
        "completeness": "complete",
    }
    named = tuple(Distribution(name=d.name, version=d.version) for d in distributions)
    return Snapshot(
        source=ListSource(**{**origin, **fields}),
        interpreters=(Interpreter(version=version, distributions=named),),
    )


def with_python(side: Snapshot, **fields: object) -> Snapshot:
    return replace(side, interpreters=(replace(side.python, **fields),))


def variables(**values: str | None) -> ImageConfig:
    return ImageConfig(env=tuple(EnvironmentVariable(name=n, value=v) for n, v in values.items()))


def os_package(name: str, version: str = "1.0", architecture: str = "amd64", manager: str = "dpkg") -> OsPackage:
    return OsPackage(manager=manager, name=name, version=version, architecture=architecture, source=name)
