"""What is asked of a URL again and again: where it leads, and how it is shown."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from envsync.redaction import printable

_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port: https://www.rfc-editor.org/rfc/rfc6454#section-4."""


def origin(url: str) -> Origin:
    """The origin of a URL.

    Raises:
        ValueError: it is no URL of http or https.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"not a URL of http or https: {shown(url)}")
    port = parts.port
    return parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port


def host(url: str) -> str:
    """``host`` or ``host:port``, as it stands in the URL."""
    return printable(urlsplit(url).netloc.rpartition("@")[2])[:260]


def is_loopback(name: str) -> bool:
    """Whether a host (without its port, and without the brackets of IPv6) is this machine itself."""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """A URL for messages: without credentials and query, where signed URLs have their signature."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")[:400]
