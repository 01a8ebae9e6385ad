"""How rattler reaches channels: their places, with credentials, and what the user says of the network."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from envsync.errors import UsageError
from envsync.redaction import printable

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
    """URLs by scheme: ``http``, ``https``, ``all``. Others, as those by scheme and host, do not count."""
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
        network: how.

    Raises:
        UsageError: logins that could not be kept to the channels that they are for, or that anybody could ask for.
    """
    from rattler import Client, Config
    from rattler.networking.middleware import (
        AddHeadersMiddleware,
        AuthenticationMiddleware,
        MirrorMiddleware,
        RetryMiddleware,
    )

    plain = {channel: without_user(place) for channel, place in places.items() if place != channel}
    logins = _Logins(places.values())
    if not logins.hosts:
        mirrors = "".join(f"{json.dumps(one)} = [{json.dumps(other)}]\n" for one, other in plain.items())
        insecure = "tls-no-verify = true\n" if network.insecure else ""
        return Client.from_config(Config.from_toml(f"{insecure}[mirrors]\n{mirrors}"), max_retries=_RETRIES)
    if network.insecure:
        raise UsageError(
            f"ssl_verify: false, and a login for {', '.join(map(printable, sorted(logins.hosts)))}"
            " (expected certificates that are verified where a password is sent)",
            hint="Let ssl_verify of .condarc, or CONDA_SSL_VERIFY, name the file of the channel's authority,"
            " or take user and password out of the URL.",
        )
    return Client(
        [
            RetryMiddleware(_RETRIES),
            MirrorMiddleware({channel: [place] for channel, place in plain.items()}),
            AddHeadersMiddleware(logins.headers),
            AuthenticationMiddleware(),
        ]
    )


class _Logins:
    """Whom rattler is to be at which host and path: scheme and port are all that it does not ask for."""

    def __init__(self, places: Iterable[str]) -> None:
        located = [(urlsplit(as_rattler_reads(place)), _login(place)) for place in dict.fromkeys(places)]
        self.hosts = frozenset(parts.hostname for parts, login in located if login and parts.hostname)
        self._by_path: dict[tuple[str, str], str | None] = {}
        origins: dict[str, str] = {}
        for parts, login in located:
            host, origin = parts.hostname or "", f"{parts.scheme}://{parts.netloc}"
            if host in self.hosts and origins.setdefault(host, origin) != origin:
                raise UsageError(
                    f"{printable(host)}: channels at {printable(origins[host])} and {printable(origin)}, and a login"
                    " for one of them (expected one scheme and port of a host with a login)",
                    hint="A login would be sent to both. Take the packages of one from elsewhere:"
                    " see custom_channels and mirrored_channels of .condarc.",
                )
            key = host, parts.path.rstrip("/")
            self._by_path[key] = self._by_path.get(key) or login

    def headers(self, host: str, path: str) -> dict[str, str] | None:
        """What a request is to have: of the channels that it may be of, that with the longest path counts."""
        if host not in self.hosts:
            return None
        path = path.rstrip("/")
        while (login := self._by_path.get((host, path), "")) == "" and path:
            path = path.rpartition("/")[0]
        return {"Authorization": login} if login else None


def as_rattler_reads(url: str) -> str:
    """``url`` without user and password, in the one form that rattler has for all spellings of a host, port and path.

    Follows https://url.spec.whatwg.org/#url-parsing. What is no URL stays as it is.
    """
    from rattler import Channel
    from rattler.exceptions import InvalidChannelError

    plain = without_user(url.replace("\\", "/"))
    try:
        return Channel(plain).base_url
    except InvalidChannelError:
        return plain


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
