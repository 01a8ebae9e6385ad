"""What users and manifests write to name an image, a digest or a platform, each with one validating parser.

The grammar of names is that of https://github.com/distribution/reference; ``docker-archive:``, ``oci-archive:``,
``oci:`` and ``docker:`` are spelt as in https://github.com/containers/image/blob/main/docs/containers-transports.5.md.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from msgspec import Struct

from envsync.errors import ReferenceSyntaxError

DOCKER_HUB = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REGISTRY = re.compile(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_PLATFORM_PART = re.compile(r"[a-z0-9_.-]+")


class Digest(str):
    """``sha256:<64 hex>`` or ``sha512:<128 hex>``.

    Follows https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests.

    Raises:
        ReferenceSyntaxError: for anything else.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:  # noqa: D102 - described by the class
        if not _DIGEST.fullmatch(text):
            raise ReferenceSyntaxError(f"digest {text!r}: not of the form sha256:<64 lower-case hex digits>")
        return super().__new__(cls, text)

    @property
    def algorithm(self) -> str:
        """``sha256`` or ``sha512``, a name that :mod:`hashlib` knows."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part after the colon."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """For people: ``sha256:0123456789ab``."""
        return f"{self.algorithm}:{self.hex[:12]}"


class Platform(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An operating system and CPU in Go's words: ``linux/amd64``, ``linux/arm64/v8``."""

    os: str
    architecture: str
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse ``os/architecture[/variant]``.

        Raises:
            ReferenceSyntaxError: for anything else.
        """
        parts = text.strip().lower().split("/")
        if len(parts) not in (2, 3) or not all(_PLATFORM_PART.fullmatch(part) for part in parts):
            raise ReferenceSyntaxError(
                f"platform {text!r}: expected os/architecture[/variant]",
                hint="For example: --platform linux/amd64",
            )
        architecture = _ARCHITECTURES.get(parts[1], parts[1])
        variant = parts[2] if len(parts) == 3 else None
        return cls(os=parts[0], architecture=architecture, variant=variant)

    @property
    def machine(self) -> str:
        """The CPU as ``uname -m`` and wheel tags spell it: ``x86_64``."""
        return _MACHINES.get(self.architecture, self.architecture)

    def accepts(self, other: Platform) -> bool:
        """Whether an image for ``other`` is what was asked for: a variant only counts when both name one."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        default = {"arm64": "v8"}.get(self.architecture)
        mine, theirs = self.variant or default, other.variant or default
        return mine is None or theirs is None or mine == theirs

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}


class ImageName(Struct, frozen=True, kw_only=True):
    """A registry, repository and tag or digest, with Docker's defaults filled in."""

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Parse ``[registry/]repository[:tag][@digest]``.

        Raises:
            ReferenceSyntaxError: for anything else.
        """
        rest, at, digest_text = text.partition("@")
        digest = Digest(digest_text) if at else None
        registry, repository, tag = _split_name(rest)
        if not _REPOSITORY.fullmatch(repository) or len(repository) > 255:
            hint = "Repository names are lower case." if repository != repository.lower() else None
            raise ReferenceSyntaxError(f"image {text!r}: {repository!r} is not a repository name", hint=hint)
        if tag is not None and not _TAG.fullmatch(tag):
            raise ReferenceSyntaxError(f"image {text!r}: {tag!r} is not a tag")
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry=registry, repository=repository, tag=tag or (None if digest else "latest"), digest=digest)

    @property
    def familiar(self) -> str:
        """The repository as Docker shows it: without Docker Hub's host and ``library/``."""
        if self.registry != DOCKER_HUB:
            return f"{self.registry}/{self.repository}"
        short = self.repository.removeprefix("library/")
        return f"{DOCKER_HUB}/{short}" if short in SCHEMES else short

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.familiar + tag + (f"@{self.digest}" if self.digest else "")


def _split_name(text: str) -> tuple[str, str, str | None]:
    head, slash, tail = text.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        if not _REGISTRY.fullmatch(head):
            raise ReferenceSyntaxError(f"image {text!r}: {head!r} is not a registry host")
        registry, path = ("docker.io" if head in ("index.docker.io", "registry-1.docker.io") else head), tail
    else:
        registry, path = DOCKER_HUB, text
    repository, colon, tag = path.rpartition(":")
    return (registry, repository, tag) if colon else (registry, path, None)


class NamedImage(Struct, frozen=True, kw_only=True):
    """An image of an engine or a registry."""

    name: ImageName
    transport: Literal["auto", "docker", "registry"] = "auto"

    def __str__(self) -> str:
        return str(self.name) if self.transport == "auto" else f"{self.transport}:{self.name}"


class ArchiveFile(Struct, frozen=True, kw_only=True):
    """A file made by ``docker save`` or a tar of an OCI layout; ``name`` picks one of several images in it."""

    format: Literal["docker-archive", "oci-archive"]
    path: Path
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.format}:{self.path}" + (f":{self.name}" if self.name else "")


class LayoutFolder(Struct, frozen=True, kw_only=True):
    """A folder with an OCI image layout; ``tag`` is an ``org.opencontainers.image.ref.name``."""

    path: Path
    tag: str | None = None

    def __str__(self) -> str:
        return f"oci:{self.path}" + (f":{self.tag}" if self.tag else "")


Reference = NamedImage | ArchiveFile | LayoutFolder


def parse_reference(text: str) -> Reference:
    """Parse what a user typed for an image.

    Raises:
        ReferenceSyntaxError: names the part that does not fit.
    """
    scheme, colon, rest = text.strip().partition(":")
    if colon and scheme in SCHEMES and not rest:
        raise ReferenceSyntaxError(f"image {text!r}: nothing follows {scheme}:")
    match scheme if colon else "":
        case "docker-archive" | "oci-archive" as form:
            path, name = _split_path(rest)
            return ArchiveFile(format=form, path=path, name=name)
        case "oci":
            path, tag = _split_path(rest)
            return LayoutFolder(path=path, tag=tag)
        case "docker" | "registry" as transport:
            return NamedImage(name=ImageName.parse(rest.removeprefix("//")), transport=transport)
    if not text.strip():
        raise ReferenceSyntaxError("image: the name is empty")
    return NamedImage(name=ImageName.parse(text.strip()))


SCHEMES = frozenset({"docker-archive", "oci-archive", "oci", "docker", "registry"})


def _split_path(text: str) -> tuple[Path, str | None]:
    """Split ``path[:name]``; a path that exists as it stands is one, whatever colons it has."""
    if os.path.exists(text):  # noqa: PTH110 - False for a name too long, or a folder that may not be looked into
        return Path(text), None
    path, colon, name = text.partition(":")
    return (Path(path), name or None) if colon else (Path(text), None)
