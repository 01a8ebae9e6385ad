"""How registries are reached: mirrors, time limits, and what is known of them already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from envsync.errors import ReferenceSyntaxError, UsageError
from envsync.redaction import printable, without_credentials
from envsync.reference import Digest, ImageName

_URL = re.compile(r"[!-~]+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds that are waited."""

    connect: float = 10
    """For a connection, with its TLS handshake."""
    idle: float = 60
    """For the next byte."""
    total: float = 3600
    """For all of one image."""


class Access(Struct, frozen=True, kw_only=True):
    """How registries are reached."""

    mirrors: Mapping[str, tuple[str, ...]] = {}
    """By registry as in :attr:`envsync.reference.ImageName.registry`: base URLs, tried in order before the registry.

    A path is put before the repository. A URL of the registry's own host says how that is reached.
    """
    timeouts: Timeouts = Timeouts()


class KnownBlobs(Protocol):
    """Manifests, indexes and configs of earlier runs. What comes out of it is verified again."""

    def get(self, digest: Digest) -> bytes | None:
        """The bytes with this digest; ``None`` where they are not known."""

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep ``data``."""


def parse_mirrors(text: str, *, where: str = "mirrors") -> dict[str, tuple[str, ...]]:
    """Parse the value of an environment variable: ``docker.io=https://one,https://two;ghcr.io=http://three``.

    Args:
        text: registries and their URLs; those of a registry that is named twice are tried one after the other.
        where: names the variable in messages.

    Raises:
        UsageError: names the part that does not fit.
    """
    found: dict[str, tuple[str, ...]] = {}
    for entry in filter(None, map(str.strip, text.split(";"))):
        host, equals, urls = entry.partition("=")
        if not equals:
            raise UsageError(f"{where}: {_shown(entry)}: no = in it (expected REGISTRY=URL,URL)", hint=_EXAMPLE)
        registry, checked = check_mirrors(host.strip(), filter(None, map(str.strip, urls.split(","))), where=where)
        found[registry] = found.get(registry, ()) + checked
    return found


def check_mirrors(host: str, urls: Iterable[str], *, where: str) -> tuple[str, tuple[str, ...]]:
    """Check a registry and the base URLs of its mirrors, and return them as :class:`Access` has them.

    Raises:
        UsageError: names the part that does not fit.
    """
    registry = _registry(host, where)
    checked = tuple(check_mirror(url, where=f"{where}: {registry}") for url in urls)
    if not checked:
        raise UsageError(f"{where}: {registry}: no URL", hint=_EXAMPLE)
    return registry, checked


_EXAMPLE = "For example: docker.io=https://mirror.example.com;ghcr.io=https://harbor.example.com/ghcr"


def _registry(host: str, where: str) -> str:
    try:
        name = ImageName.parse(f"{host}/some/name")
    except ReferenceSyntaxError:
        name = None
    if name is None or name.repository != "some/name":
        raise UsageError(f"{where}: {_shown(host)} is not a registry host", hint=_EXAMPLE)
    return name.registry


def check_mirror(url: str, *, where: str) -> str:
    """Check the base URL of a mirror, and return it without a slash at its end.

    Raises:
        UsageError: it is no URL of http or https, or has credentials, a query or a fragment.
    """
    place = f"{where}: {_shown(url)}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(f"{place}: not a URL (expected https://HOST or https://HOST/PATH)") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not _URL.fullmatch(url):
        raise UsageError(f"{place}: not a URL of http or https (expected https://HOST or https://HOST/PATH)")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{place}: holds credentials", hint=f"Leave them to docker login {parts.hostname}")
    path = parts.path.rstrip("/")
    if "?" in url or "#" in url or not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise UsageError(f"{place}: more than a host and a path (expected https://HOST or https://HOST/PATH)")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _shown(text: str) -> str:
    return repr(printable(without_credentials(text))[:200])
