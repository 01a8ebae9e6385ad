"""TCP and TLS connections to servers and proxies, pooled, and cut off when the time is over."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock, Timer
from typing import Any
from weakref import WeakSet

from urllib3 import (
    BaseHTTPResponse,
    HTTPConnectionPool,
    HTTPSConnectionPool,
    PoolManager,
    ProxyManager,
    Timeout,
    disable_warnings,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import InsecureRequestWarning

from envsync.http.proxies import Proxy
from envsync.http.trust import trusted, unverified

_POOLS = 16
_CONNECTIONS = 32
"""Kept for a host: more than there are ever layers read at once."""


class _Watch:
    """Cuts all connections when the time is over: however slowly bytes come, a read then ends."""

    def __init__(self, seconds: float) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()
        self._over = False
        self._timer = Timer(seconds, self.cut)
        self._timer.daemon = True
        self._timer.start()

    def add(self, connection: HTTPConnection) -> None:
        found = connection.sock
        plain = getattr(found, "socket", found)  # TLS inside TLS is no socket, but has one
        with self._lock:
            if isinstance(plain, socket.socket):
                self._sockets.add(plain)
                if self._over:
                    _shut(plain)

    def cut(self) -> None:
        """Let the time be over now."""
        with self._lock:
            self._over = True
            for each in list(self._sockets):
                _shut(each)

    def stop(self) -> None:
        self._timer.cancel()


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not each.shutdown: of a TLS socket, that would go on in plain text.
        socket.socket.shutdown(each, socket.SHUT_RDWR)


class Connections:
    """Pools of connections, to be used from several threads."""

    def __init__(self, seconds: float, *, certificates: Path | None = None) -> None:
        """All connections end after ``seconds``; the authorities in the file ``certificates`` are believed as well."""
        self._certificates = certificates
        self._managers: dict[tuple[str | None, bool], PoolManager] = {}
        self._lock = Lock()
        self._watch = _Watch(seconds)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Reading all authorities takes 60 ms: not for an image of which everything is known.
        return trusted(self._certificates)

    def manager(self, proxy: Proxy | None, *, verify: bool = True) -> PoolManager:
        """The pools for requests by way of ``proxy``; ``verify`` the certificates of servers.

        Raises:
            UsageError: certificates that the environment names cannot be used.
        """
        key = proxy.url if proxy else None, verify
        with self._lock:
            if key not in self._managers:
                self._managers[key] = self._new(proxy, verify)
            return self._managers[key]

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        proxy: Proxy | None,
        timeout: Timeout,
        body: bytes | None = None,
        verify: bool = True,
    ) -> BaseHTTPResponse:
        """One request, whose answer is read by the caller: nothing is tried again, followed or decoded.

        Raises:
            HTTPError, OSError, ValueError: there is no answer.
            UsageError: see :meth:`manager`.
        """
        return self.manager(proxy, verify=verify).urlopen(
            method,
            url,
            body=body,
            headers=headers,
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def _new(self, proxy: Proxy | None, verify: bool) -> PoolManager:
        context = self._context if verify else unverified()
        options: dict[str, Any] = {"maxsize": _CONNECTIONS, "ssl_context": context}
        if not verify:
            options |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
            disable_warnings(InsecureRequestWarning)  # that is how the user's configuration has it
        if proxy is None:
            manager = PoolManager(_POOLS, **options)
        else:
            manager = ProxyManager(
                proxy.url, _POOLS, proxy_headers=proxy.headers, proxy_ssl_context=self._context, **options
            )
        manager.pool_classes_by_scheme = _watched(self._watch)
        return manager

    def cut(self) -> None:
        """End all connections, also those that another thread waits for, and all that are made from now on."""
        self._watch.cut()

    def close(self) -> None:
        """Close what is not in use; closing twice does no harm."""
        self._watch.stop()
        with self._lock:
            for manager in self._managers.values():
                manager.clear()


def _watched(watch: _Watch) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's classes, with connections that ``watch`` knows."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watch.add(self)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watch.add(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
