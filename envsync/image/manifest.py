"""Manifests, indexes and configs of OCI and Docker: JSON in, validated values out.

https://github.com/opencontainers/image-spec (manifest.md, image-index.md, config.md) and
https://github.com/distribution/distribution/blob/main/docs/content/spec/manifest-v2-2.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from envsync.errors import CorruptImageError, ImageError, ReferenceSyntaxError
from envsync.image.protocol import ConfigFile
from envsync.instants import parse_instant
from envsync.model import EnvironmentVariable, ImageConfig
from envsync.redaction import names_a_secret, printable, without_credentials
from envsync.reference import Digest, Platform

MANIFEST_LIMIT = 4 << 20
"""Bytes of a manifest or index, as registries limit them."""
CONFIG_LIMIT = 8 << 20
"""Bytes of a config."""
_LAYER_LIMIT = 1000
_IMAGE_LIMIT = 1000
"""Images in one archive."""
_STRING_LIMIT = 128 << 10
"""Bytes of a variable: MAX_ARG_STRLEN of Linux. No process can be started with a longer one."""
_PATH_LIMIT = 4096
"""Bytes of a path: PATH_MAX of Linux."""
_COMMAND_LIMIT = 500
"""Characters of a layer's command that are kept: it is for people."""

INDEX_TYPES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFEST_TYPES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
_SCHEMA_1_TYPES = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
_CONFIG_TYPES = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
_ATTESTATION = "attestation-manifest"


class Descriptor(Struct, frozen=True, kw_only=True):
    """What a manifest or index says of a blob."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}
    attestation: bool = False
    """Whether it describes another manifest (provenance, SBOM) and is no image."""

    @property
    def foreign(self) -> bool:
        """Whether the blob may have to be fetched from its vendor, and not be in the image at all."""
        return "nondistributable" in self.media_type or ".foreign." in self.media_type

    @property
    def encrypted(self) -> bool:
        """Whether the blob is a layer that needs a key (ocicrypt)."""
        return self.media_type.endswith("+encrypted")


class Manifest(Struct, frozen=True, kw_only=True):
    """One image for one platform."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


class Index(Struct, frozen=True, kw_only=True):
    """Images for several platforms, or several images."""

    manifests: tuple[Descriptor, ...]


class DockerEntry(Struct, frozen=True, kw_only=True, rename="pascal"):
    """One image in the ``manifest.json`` of ``docker save``. Paths are those of members of the archive."""

    config: str
    repo_tags: list[str] | None = None
    layers: list[str] | None = None


class _Platform(Struct, rename={"os_version": "os.version"}):
    os: str = ""
    architecture: str = ""
    variant: str | None = None
    os_version: str | None = None


class _Descriptor(Struct, rename="camel"):
    digest: str
    size: int
    media_type: str = ""
    platform: _Platform | None = None
    annotations: dict[str, str] | None = None


class _Document(Struct, rename="camel"):
    """A manifest or an index; which of them, its fields tell."""

    schema_version: int = 2
    media_type: str = ""
    manifests: list[_Descriptor] | None = None
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    fs_layers: msgspec.Raw = msgspec.Raw()


class _ProcessConfig(Struct, rename="pascal"):
    env: list[str] | None = None
    user: str | None = None
    working_dir: str | None = None


class _RootFs(Struct):
    diff_ids: list[str] | None = None


class _History(Struct):
    created: str | None = None
    created_by: str | None = None
    empty_layer: bool | None = None


class _Config(_Platform):
    created: str | None = None
    history: list[_History] | None = None
    config: _ProcessConfig | None = None
    rootfs: _RootFs | None = None


class _LayoutVersion(Struct, rename="camel"):
    image_layout_version: str


_T = TypeVar("_T")


def _decode(data: bytes, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptImageError(f"{where}: {printable(str(error))}") from error


def parse_manifest(data: bytes, *, where: str) -> Manifest | Index:
    """Parse a manifest or an index.

    Raises:
        CorruptImageError: it is neither, or could be read as both.
        ImageError: schema 1, or an artifact that is no image.
    """
    document = _decode(data, _Document, where)
    if document.schema_version == 1 or document.media_type in _SCHEMA_1_TYPES or document.fs_layers:
        raise ImageError(
            f"{where}: a manifest of Docker's schema 1, which is out of use (expected schema 2 or OCI)",
            hint="Pull and push the image with a current Docker to convert it.",
        )
    if document.schema_version != 2:
        raise CorruptImageError(f"{where}: schemaVersion {document.schema_version} (expected 2)")
    if document.manifests is not None:
        # CVE-2021-41190: one client would see an index, another one an image.
        if document.config is not None or document.layers is not None:
            raise CorruptImageError(f"{where}: both an index and a manifest (has `manifests` and `layers`)")
        return Index(manifests=_descriptors(document.manifests, where, "manifests"))
    if document.config is None or document.layers is None:
        raise CorruptImageError(f"{where}: neither an index nor a manifest (no `manifests`, no `config` and `layers`)")
    config = _descriptor(document.config, where, "config")
    if config.media_type not in _CONFIG_TYPES:
        shown = printable(config.media_type) or "without a media type"
        raise ImageError(f"{where}: its config is {shown} (expected that of a container image)")
    return Manifest(config=config, layers=_descriptors(document.layers, where, "layers"))


def _descriptors(raw: list[_Descriptor], where: str, key: str) -> tuple[Descriptor, ...]:
    if len(raw) > _LAYER_LIMIT:
        raise CorruptImageError(f"{where}: {len(raw)} {key} (expected at most {_LAYER_LIMIT})")
    return tuple(_descriptor(each, where, f"{key}[{number}]") for number, each in enumerate(raw))


def _descriptor(raw: _Descriptor, where: str, key: str) -> Descriptor:
    annotations = raw.annotations or {}
    found = raw.platform
    unknown = found is not None and (found.os, found.architecture) == ("unknown", "unknown")
    if raw.size < 0:
        raise CorruptImageError(f"{where}: {key}.size: {raw.size} is negative")
    return Descriptor(
        media_type=raw.media_type,
        digest=_digest(raw.digest, where, f"{key}.digest"),
        size=raw.size,
        platform=None if found is None or unknown else _platform(found, where, f"{key}.platform"),
        annotations=annotations,
        attestation=unknown or annotations.get("vnd.docker.reference.type") == _ATTESTATION,
    )


def _digest(text: str, where: str, key: str) -> Digest:
    try:
        return Digest(text)
    except ReferenceSyntaxError as error:
        raise CorruptImageError(f"{where}: {key}: {error.message}") from error


def _platform(raw: _Platform, where: str, key: str) -> Platform:
    parts = (raw.os or "linux", raw.architecture or "unknown", raw.variant)
    try:
        return Platform.parse("/".join(part for part in parts if part))
    except ReferenceSyntaxError as error:
        raise CorruptImageError(f"{where}: {key}: {error.message}") from error


def parse_config(data: bytes, *, where: str) -> ConfigFile:
    """Parse an image config. Credentials in its environment are withheld.

    Raises:
        CorruptImageError: it is malformed, or names no layers.
    """
    raw = _decode(data, _Config, where)
    if raw.rootfs is None or raw.rootfs.diff_ids is None:
        raise CorruptImageError(f"{where}: no rootfs.diff_ids (expected the digests of the layers)")
    if len(raw.rootfs.diff_ids) > _LAYER_LIMIT:
        raise CorruptImageError(f"{where}: {len(raw.rootfs.diff_ids)} layers (expected at most {_LAYER_LIMIT})")
    process = raw.config or _ProcessConfig()
    _check_process(process, where)
    return ConfigFile(
        digest=Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"),
        platform=_platform(raw, where, "platform"),
        created=_newest(raw.created, raw.history or ()),
        config=ImageConfig(
            env=parse_env(process.env or ()), user=process.user or "", workdir=process.working_dir or ""
        ),
        diff_ids=tuple(
            _digest(text, where, f"rootfs.diff_ids[{number}]") for number, text in enumerate(raw.rootfs.diff_ids)
        ),
        layer_commands=_commands(raw.history or (), len(raw.rootfs.diff_ids)),
    )


def _commands(history: Sequence[_History], layers: int) -> tuple[str, ...]:
    """What made each layer; nothing where some were squashed or added without telling, so that they cannot be matched.

    https://github.com/opencontainers/image-spec/blob/main/config.md#properties
    """
    told = [one.created_by or "" for one in history if not one.empty_layer]
    if len(told) != layers or not any(told):
        return ()
    return tuple(_shortened(without_credentials(text[:_STRING_LIMIT])) for text in told)


def _shortened(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= _COMMAND_LIMIT else f"{line[:_COMMAND_LIMIT]}…"


def _newest(created: str | None, history: Sequence[_History]) -> str | None:
    """When the config says that it was made, or its newest layer, where that is later: some tools stamp 1970."""
    texts = [text for text in (created, *(one.created for one in history)) if text]
    found = [(instant, text) for text in texts if (instant := parse_instant(text)) is not None]
    return max(found, key=lambda pair: pair[0])[1] if found else created


def _check_process(process: _ProcessConfig, where: str) -> None:
    """Refuse what no container can be started with: hours of looking for what cannot be there."""
    longest = max(map(len, process.env or ()), default=0)
    if longest > _STRING_LIMIT:
        raise CorruptImageError(
            f"{where}: config.Env: a variable of {longest} characters (expected at most {_STRING_LIMIT})"
        )
    for key, value in (("User", process.user), ("WorkingDir", process.working_dir)):
        if len(value or "") > _PATH_LIMIT:
            raise CorruptImageError(
                f"{where}: config.{key}: {len(value or '')} characters (expected at most {_PATH_LIMIT})"
            )


def parse_env(lines: list[str] | tuple[str, ...]) -> tuple[EnvironmentVariable, ...]:
    """``NAME=value`` lines, sorted by name; the last of several wins, values of credentials are withheld."""
    values = {name: value for name, equals, value in (line.partition("=") for line in lines) if name and equals}
    return tuple(
        EnvironmentVariable(name=name, value=None if names_a_secret(name) else without_credentials(values[name]))
        for name in sorted(values)
    )


def check_layer_count(config: ConfigFile, layers: int, *, where: str) -> None:
    """Make sure that each layer has its diff ID.

    Raises:
        CorruptImageError: the numbers differ.
    """
    if len(config.diff_ids) != layers:
        raise CorruptImageError(f"{where}: {layers} layers, but its config has {len(config.diff_ids)} diff IDs")


def check_readable(layer: Descriptor, *, held: bool, where: str) -> None:
    """Make sure that a layer is of a kind that can be read; ``held``: whether its blob is with the image.

    Raises:
        ImageError: it is encrypted, or foreign and elsewhere.
    """
    if layer.encrypted:
        raise ImageError(f"{where}: encrypted ({printable(layer.media_type)})", hint="Decrypt the image first.")
    if layer.foreign and not held:
        raise ImageError(
            f"{where}: a foreign layer ({printable(layer.media_type)}), which is not in the image",
            hint="Ask its vendor for it.",
        )


def parse_docker_manifest(data: bytes, *, where: str) -> tuple[DockerEntry, ...]:
    """Parse the ``manifest.json`` of ``docker save``.

    Raises:
        CorruptImageError: it is malformed, or of too many images.
    """
    entries = _decode(data, list[DockerEntry], where)
    if len(entries) > _IMAGE_LIMIT:
        raise CorruptImageError(f"{where}: {len(entries)} images (expected at most {_IMAGE_LIMIT})")
    return tuple(entries)


def check_layout_version(data: bytes, *, where: str) -> None:
    """Make sure that an ``oci-layout`` file is of the one version there is.

    Raises:
        CorruptImageError: it is malformed.
        ImageError: it is of a newer version.
    """
    version = _decode(data, _LayoutVersion, where).image_layout_version
    if not version.startswith("1."):
        raise ImageError(f"{where}: OCI layout version {printable(version)} (expected 1.0.0)")
