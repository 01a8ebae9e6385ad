"""``envsync show --json``; its schema is ``docs/schemas/show.schema.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from envsync.lock.codec import escape_controls, to_json, to_schema
from envsync.lock.graph import Need
from envsync.model import (
    ArchiveOrigin,
    CondaEnvironment,
    DirectoryOrigin,
    Distribution,
    EnvironmentVariable,
    ImageSource,
    ImageWheel,
    IndexFile,
    ListSource,
    LocalSource,
    Needs,
    OperatingSystem,
    OsPackage,
    Skipped,
    Snapshot,
    VcsOrigin,
)
from envsync.reference import Digest
from envsync.report.layers import layers_of
from envsync.report.provenance import Reasons, find_reasons

if TYPE_CHECKING:
    from packaging.utils import NormalizedName


class ShownInterpreter(msgspec.Struct, frozen=True, kw_only=True):
    """One Python."""

    version: str
    implementation: str
    executable: PurePosixPath | None
    aliases: tuple[PurePosixPath, ...]
    prefix: PurePosixPath | None
    distributions: int
    """How many, shadowed copies included."""


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """What a distribution requires, in this environment, of another one."""

    name: str
    """Normalised."""
    requirement: str
    """By PEP 508, its marker left out: it holds."""
    installed: str | None
    """The version that is there; ``null``: none."""
    satisfied: bool


class ShownDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """One distribution of the environment, and why it is there."""

    name: str
    version: str
    top_level: bool | None
    """Whether no other one needs it; ``null``: a published list does not tell."""
    requested: bool
    """Whether its installer was asked for it by name."""
    needed_by: tuple[str, ...]
    """Normalised names of distributions, sorted."""
    requires: tuple[Requirement, ...]
    layer: Digest | None
    metadata: PurePosixPath | None
    conda: str | None
    """The conda package that brought it."""
    origin: VcsOrigin | ArchiveOrigin | DirectoryOrigin | None
    file: IndexFile | None
    wheel: ImageWheel | None
    patched: tuple[str, ...]


class ShownCondaPackage(msgspec.Struct, frozen=True, kw_only=True):
    """One conda package."""

    name: str
    version: str
    build: str
    channel: str
    layer: Digest | None


class ShownConda(msgspec.Struct, frozen=True, kw_only=True):
    """One conda environment."""

    prefix: PurePosixPath | None
    channels: tuple[str, ...]
    requested: tuple[str, ...]
    packages: tuple[ShownCondaPackage, ...]


class ShownLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, and what it brought that is still there."""

    diff_id: Digest
    size: int | None
    """Bytes, uncompressed; ``null``: the image was only run."""
    command: str | None
    distributions: tuple[str, ...]
    """``name version``, of all interpreters."""
    conda_packages: tuple[str, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a snapshot."""

    schema: Literal[1]
    source: ImageSource | ListSource | LocalSource
    lock: str | None
    """The lock directory it was read from."""
    platform: str | None
    os: OperatingSystem | None
    user: str | None
    workdir: str | None
    interpreters: tuple[ShownInterpreter, ...]
    """The first is the environment."""
    distributions: tuple[ShownDistribution, ...]
    """Of the environment, by normalised name."""
    conda: tuple[ShownConda, ...]
    layers: tuple[ShownLayer, ...]
    """Lowest first."""
    os_packages: tuple[OsPackage, ...] | None
    needs: Needs | None
    """``null``: not known."""
    variables: tuple[EnvironmentVariable, ...]
    skipped: tuple[Skipped, ...]


def render_shown_json(snapshot: Snapshot, lock: str | None = None) -> str:
    """What is in a snapshot as JSON: the same bytes for the same input, two spaces, a final newline."""
    reasons = find_reasons(snapshot)
    config = snapshot.config
    document = Document(
        schema=1,
        source=snapshot.source,
        lock=lock,
        platform=str(snapshot.platform) if snapshot.platform else None,
        os=snapshot.os,
        user=config.user if config else None,
        workdir=config.workdir if config else None,
        interpreters=tuple(
            ShownInterpreter(
                version=one.version,
                implementation=one.implementation,
                executable=one.executable,
                aliases=one.aliases,
                prefix=one.prefix,
                distributions=len(one.distributions),
            )
            for one in snapshot.interpreters
        ),
        distributions=tuple(_distributions(reasons)),
        conda=tuple(map(_conda, snapshot.conda)),
        layers=tuple(
            ShownLayer(
                diff_id=one.diff_id,
                size=one.size,
                command=one.command,
                distributions=one.distributions,
                conda_packages=one.conda_packages,
            )
            for one in layers_of(snapshot)
        ),
        os_packages=snapshot.os_packages,
        needs=snapshot.needs,
        variables=config.env if config else (),
        skipped=snapshot.skipped,
    )
    encoded = escape_controls(msgspec.json.encode(document, enc_hook=to_json))
    return msgspec.json.format(encoded, indent=2).decode("utf-8") + "\n"


def _distributions(reasons: Reasons) -> Iterator[ShownDistribution]:
    found: Mapping[NormalizedName, Distribution] = reasons.graph.distributions
    for name in sorted(found):
        one = found[name]
        yield ShownDistribution(
            name=one.name,
            version=one.version,
            top_level=name in reasons.roots if reasons.known else None,
            requested=one.requested,
            needed_by=reasons.users[name],
            requires=tuple(_requirement(need, found) for need in reasons.graph.requirements[name]),
            layer=one.layer,
            metadata=one.metadata,
            conda=one.conda,
            origin=one.origin,
            file=one.file,
            wheel=one.wheel,
            patched=one.patched,
        )


def _requirement(need: Need, found: Mapping[NormalizedName, Distribution]) -> Requirement:
    extras = f"[{','.join(sorted(need.requirement.extras))}]" if need.requirement.extras else ""
    return Requirement(
        name=need.name,
        requirement=f"{need.requirement.name}{extras}{need.requirement.specifier}",
        installed=found[need.name].version if need.name in found else None,
        satisfied=need.conflict is None,
    )


def _conda(environment: CondaEnvironment) -> ShownConda:
    return ShownConda(
        prefix=environment.prefix,
        channels=environment.channels,
        requested=environment.requested,
        packages=tuple(
            ShownCondaPackage(name=one.name, version=one.version, build=one.build, channel=one.channel, layer=one.layer)
            for one in environment.packages
        ),
    )


def shown_schema() -> dict[str, Any]:
    """The JSON Schema of what :func:`render_shown_json` returns."""
    schema = msgspec.json.schema(Document, schema_hook=to_schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
