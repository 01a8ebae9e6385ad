"""Which proxy the environment names for a URL."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from envsync.errors import UsageError
from envsync.http.urls import host, is_loopback
from envsync.redaction import printable


class Proxy(Struct, frozen=True, kw_only=True):
    """A proxy of the environment."""

    url: str
    """Without credentials."""
    headers: dict[str, str]
    """For the proxy alone: its credentials."""
    address: str
    """With credentials, as child processes are told of it."""

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"


def proxy_for(url: str) -> Proxy | None:
    """The proxy that the environment (or the system) names for a URL; never one for loopback hosts.

    ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, as :func:`urllib.request.getproxies` reads them.

    Raises:
        UsageError: it is of a kind that is not supported, such as SOCKS.
    """
    target = urlsplit(url)
    proxies = getproxies()
    address = proxies.get(target.scheme) or proxies.get("all")
    if not address or is_loopback(target.hostname or "") or proxy_bypass(host(url)):
        return None
    return parse_proxy(address, f"{target.scheme.upper()}_PROXY or ALL_PROXY")


def parse_proxy(address: str, where: str) -> Proxy:
    """A proxy by its address, which may lack the scheme; ``where`` names the setting in messages.

    Raises:
        UsageError: it is none, or of a kind that is not supported, such as SOCKS.
    """
    full = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(full)
        name, port = parts.hostname, parts.port
    except ValueError:
        name, port = None, None
    if not name:
        raise UsageError(f"{where}: not the URL of a proxy (expected http://HOST:PORT)")
    if parts.scheme not in ("http", "https"):
        raise UsageError(
            f"{where}: a proxy of the kind {printable(parts.scheme)[:20]} (expected http or https)",
            hint="Name an HTTP proxy, or the host in NO_PROXY.",
        )
    headers = {}
    if parts.username is not None:
        from urllib3.util import make_headers

        user, password = unquote(parts.username), unquote(parts.password or "")
        headers = make_headers(proxy_basic_auth=f"{user}:{password}".encode().decode("latin-1"))
    netloc = f"[{name}]" if ":" in name else name
    return Proxy(url=f"{parts.scheme}://{netloc}" + (f":{port}" if port else ""), headers=headers, address=full)
