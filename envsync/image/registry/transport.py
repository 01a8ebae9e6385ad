"""One HTTP request and its answer: redirects, limits, and what can go wrong on the way.

https://www.rfc-editor.org/rfc/rfc9110. Nothing is retried, decoded or sent unasked here.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from urllib.parse import urldefrag, urljoin, urlsplit

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from envsync import __version__
from envsync.errors import CorruptImageError
from envsync.http.connections import Connections
from envsync.http.faults import causes, reason_of
from envsync.http.proxies import Proxy, proxy_for
from envsync.http.urls import host, is_loopback, origin, shown
from envsync.image.registry.access import Timeouts
from envsync.image.registry.problems import (
    PlaceError,
    RefusedError,
    UnreachableError,
    not_trusted,
    proxy_fails,
    unreachable,
)
from envsync.image.registry.retry import Patience
from envsync.redaction import printable

ERROR_LIMIT = 64 << 10
"""Bytes of an answer that tells of an error, or of a redirect."""

_PIECE = 1 << 18
"""Bytes received at once: larger pieces are copied more often on their way through the buffers of others."""

_REDIRECTS = 10
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": f"envsync/{__version__}", "Accept-Encoding": "identity"}


class Answer:
    """An answer whose body is read by the caller, or closed."""

    def __init__(self, raw: BaseHTTPResponse, url: str, where: str, *, at_home: bool) -> None:
        """``url`` is where it came from in the end; ``at_home``: the origin that was asked first."""
        self._raw = raw
        self._where = where
        self.status: int = raw.status
        self.url = url
        self.at_home = at_home
        self._broken: Exception | None = None
        self.body = b""
        """What :meth:`load` read."""

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return self._raw.headers.get(name)

    def headers(self, name: str) -> list[str]:
        """The values of a header that may be there several times."""
        return list(self._raw.headers.getlist(name))

    @property
    def content_type(self) -> str:
        """Without its parameters, in lower case."""
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def length(self) -> int | None:
        """Bytes of the body, where the answer says so."""
        text = self.header("Content-Length") or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    @property
    def delimited(self) -> bool:
        """Whether the end of the body can be told from a connection that broke off."""
        return self.length is not None or "chunked" in (self.header("Transfer-Encoding") or "").lower()

    def receive(self, size: int) -> bytes:
        """The next bytes, as they were sent; ``size`` of them unless the body ends or breaks off.

        Raises:
            UnreachableError: the connection broke off, or is silent for too long; all that came was returned before.
        """
        pieces: list[bytes] = []
        missing = size
        while missing and self._broken is None:
            try:
                piece = self._raw.read1(min(missing, _PIECE), decode_content=False)
            except (HTTPError, OSError, ValueError) as error:
                self._broken = error
                break
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        if self._broken is not None and not pieces:
            self.close()
            raise UnreachableError(
                self._where, f"the connection to {host(self.url)} broke off: {reason_of(self._broken)}"
            ) from self._broken
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def load(self, limit: int) -> bytes:
        """The whole body of an answer, which is then closed; also kept in :attr:`body`.

        Raises:
            UnreachableError: the connection broke off.
            CorruptImageError: it is longer than ``limit``.
        """
        data = self._up_to(limit + 1)
        if len(data) > limit:
            raise CorruptImageError(f"{self._where}: {shown(self.url)}: more than {limit} bytes")
        self.body = data
        return data

    def load_error(self) -> None:
        """Read the beginning of a body that tells of an error, and close the answer."""
        try:
            self.body = self._up_to(ERROR_LIMIT)
        except UnreachableError:
            self.body = b""

    def _up_to(self, size: int) -> bytes:
        pieces = []
        while size and (piece := self.receive(size)):
            pieces.append(piece)
            size -= len(piece)
        if not size:
            self.close()
        return b"".join(pieces)

    def close(self) -> None:
        """Give up the connection, unless the body was read to its end; closing twice does no harm."""
        self._raw.close()


class Transport:
    """Sends requests, from several threads."""

    def __init__(self, where: str, timeouts: Timeouts, patience: Patience) -> None:
        """``where`` names the image in messages."""
        self._where = where
        self._timeouts = timeouts
        self._patience = patience
        self._connections = Connections(timeouts.total)

    def cut(self) -> None:
        """End all connections, whoever waits for them."""
        self._connections.cut()

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._connections.close()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        authorization: str | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request and follow redirects, unless it has a body.

        ``authorization`` is sent to the origin of ``url`` only.

        Raises:
            PlaceError: no answer, or redirects that lead nowhere or to plain HTTP.
            OutOfTimeError: the time is over.
            UsageError: the proxy, or certificates, that the environment names cannot be used.
        """
        first, seen = origin(url), [url]
        while True:
            at_home = all(origin(each) == first for each in seen)
            secret = {"Authorization": authorization} if authorization and at_home else {}
            raw = self._send(method, seen[-1], {**_HEADERS, **headers, **secret}, body)
            answer = Answer(raw, seen[-1], self._where, at_home=at_home)
            if answer.status not in _REDIRECTING or body is not None:
                return answer
            answer.load_error()
            target = self._target(answer)
            if target in seen or len(seen) > _REDIRECTS:
                problem = "redirects in a circle" if target in seen else f"redirects more than {_REDIRECTS} times"
                raise RefusedError(self._where, f"{shown(url)} {problem}")
            seen.append(target)

    def _target(self, answer: Answer) -> str:
        target = _absolute(answer)
        if target is None:
            raise RefusedError(
                self._where, f"{shown(answer.url)} redirects to a place that is no URL (expected one of http or https)"
            )
        (before, left, _), (after, entered, _) = origin(answer.url), origin(target)
        if (before, after) == ("https", "http") and not (is_loopback(left) and is_loopback(entered)):
            raise RefusedError(
                self._where, f"{shown(answer.url)} redirects from https to plain http, at {host(target)}: not followed"
            )
        return target

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        left = self._patience.left()
        proxy = proxy_for(url)
        try:
            timeout = Timeout(connect=min(self._timeouts.connect, left), read=min(self._timeouts.idle, left))
            return self._connections.send(method, url, headers=headers, proxy=proxy, timeout=timeout, body=body)
        except (HTTPError, OSError, ValueError) as error:
            raise self._fault(error, host(url), proxy) from error

    def _fault(self, error: Exception, name: str, proxy: Proxy | None) -> PlaceError:
        reason = reason_of(error)
        untrusted = next((each for each in causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
        match error:
            case _ if untrusted is not None:
                found = host(proxy.url) if proxy and isinstance(error, ProxyError) else name
                return not_trusted(self._where, found, printable(untrusted.verify_message)[:200])
            case ProxyError() if proxy:
                return proxy_fails(self._where, name, host(proxy.url), reason)
            case ReadTimeoutError():
                silence = f"no answer within {self._timeouts.idle:g} s"
                return unreachable(self._where, name, silence, connecting=False)
            case NewConnectionError():
                return unreachable(self._where, name, reason)
            case ConnectTimeoutError():
                return unreachable(self._where, name, f"no connection within {self._timeouts.connect:g} s")
            case SSLError():
                return unreachable(self._where, name, reason, transient=False)
        return unreachable(self._where, name, reason, connecting=False)


def _absolute(answer: Answer) -> str | None:
    """Where a redirect leads; ``None`` where that is no URL that may be followed."""
    location = answer.header("Location") or ""
    try:
        target = urldefrag(urljoin(answer.url, location)).url
        origin(target)
        named = urlsplit(target).username is not None
    except ValueError:
        return None
    return target if location and target.isascii() and not named else None
