"""How rattler reaches channels: their places, with credentials, and what the user says of the network."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    from rattler import Client

_RETRIES = 3


class Network(Struct, frozen=True, kw_only=True):
    """What counts for all channels."""

    insecure: bool = False
    """Believe any TLS certificate: conda's ``ssl_verify: false``."""
    certificates: str | None = None
    """The file, or folder, of the certificate authorities that are believed instead of the system's."""
    proxies: Mapping[str, str] = {}
    """URLs by scheme: ``http``, ``https``."""
    offline: bool = False
    """Fetch nothing."""


@contextmanager
def network_variables(network: Network) -> Iterator[None]:
    """Set the variables that rattler goes by, for so long; proxies only where the user's shell does not set them."""
    wanted: dict[str, str] = {}
    if network.certificates is not None:
        name = "SSL_CERT_DIR" if Path(network.certificates).is_dir() else "SSL_CERT_FILE"
        wanted[name] = network.certificates
    for scheme, proxy in network.proxies.items():
        name = f"{scheme}_proxy"
        if scheme in ("http", "https", "all") and not {name, name.upper()} & os.environ.keys():
            wanted[name.upper()] = proxy
    before = {name: os.environ[name] for name in wanted if name in os.environ}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            del os.environ[name]
        os.environ.update(before)


def make_client(places: Mapping[str, str], network: Network) -> Client:
    """A client that fetches each channel's files from its place.

    Args:
        places: by the channel's URL; with the credentials that are to be sent there, else those of rattler are.
        network: insecure only without a user and password in any place.
    """
    from rattler import Client, Config
    from rattler.networking.middleware import (
        AddHeadersMiddleware,
        AuthenticationMiddleware,
        MirrorMiddleware,
        RetryMiddleware,
    )

    plain = {channel: without_user(place) for channel, place in places.items() if place != channel}
    logins = {urlsplit(place).hostname or "": header for place in places.values() if (header := _login(place))}
    if not logins:
        mirrors = "".join(f"{json.dumps(one)} = [{json.dumps(other)}]\n" for one, other in plain.items())
        insecure = "tls-no-verify = true\n" if network.insecure else ""
        return Client.from_config(Config.from_toml(f"{insecure}[mirrors]\n{mirrors}"), max_retries=_RETRIES)

    def headers(host: str, _path: str) -> dict[str, str] | None:
        return {"Authorization": logins[host]} if host in logins else None

    return Client(
        [
            RetryMiddleware(_RETRIES),
            MirrorMiddleware({channel: [place] for channel, place in plain.items()}),
            AddHeadersMiddleware(headers),
            AuthenticationMiddleware(),
        ]
    )


def without_user(url: str) -> str:
    """``url`` without user and password, but with its token: rattler drops the former, the latter is part of a path."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _login(url: str) -> str | None:
    """The header of Basic authentication that a URL's user and password stand for: RFC 7617."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    text = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"
