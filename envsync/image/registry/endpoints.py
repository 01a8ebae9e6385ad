"""The places where the images of a registry are asked for: mirrors first, then the registry itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from envsync.errors import ReferenceSyntaxError
from envsync.http.urls import is_loopback, origin
from envsync.image.registry.access import Access
from envsync.reference import DOCKER_HUB, ImageName

_HUB = "registry-1.docker.io"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One place that may have an image."""

    base: str
    """``https://host[:port]``."""
    repository: str
    """As this place calls it."""
    host: str
    """What ``docker login`` calls it."""
    mirror: bool = False

    def url(self, kind: str, reference: str) -> str:
        """The URL of a manifest or blob (``kind``: ``manifests`` or ``blobs``) by its tag or digest."""
        return f"{self.base}/v2/{self.repository}/{kind}/{reference}"


def endpoints(name: ImageName, access: Access) -> tuple[Endpoint, ...]:
    """The places to try for an image, in their order; at least one.

    Plain HTTP is spoken only with loopback hosts (after HTTPS failed), and where a mirror's URL says so.

    Raises:
        ReferenceSyntaxError: the registry has a port that there is not.
    """
    configured = tuple(_mirror(url, name) for url in access.mirrors.get(name.registry, ()))
    if any(not each.mirror for each in configured):
        return configured
    own = _HUB if name.registry == DOCKER_HUB else name.registry
    try:
        plain = is_loopback(origin(f"https://{own}")[1])
    except ValueError:
        raise ReferenceSyntaxError(f"image {str(name)!r}: {own!r} is not a registry host") from None
    return configured + tuple(
        Endpoint(base=f"{scheme}://{own}", repository=name.repository, host=name.registry)
        for scheme in (("https", "http") if plain else ("https",))
    )


def _mirror(url: str, name: ImageName) -> Endpoint:
    parts = urlsplit(url)
    hosts = (_HUB, "index.docker.io", DOCKER_HUB) if name.registry == DOCKER_HUB else (name.registry,)
    own = parts.netloc.lower() in hosts or origin(url) in {origin(f"{parts.scheme}://{each}") for each in hosts}
    prefix = parts.path.strip("/")
    return Endpoint(
        base=f"{parts.scheme}://{_HUB if own and name.registry == DOCKER_HUB else parts.netloc}",
        repository=f"{prefix}/{name.repository}" if prefix else name.repository,
        host=name.registry if own else DOCKER_HUB if parts.netloc == _HUB else parts.netloc,
        mirror=not own,
    )
