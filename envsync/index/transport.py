"""Requests to package indexes: redirects, retries, limits; what fails is said in one line.

https://www.rfc-editor.org/rfc/rfc9110
"""

from __future__ import annotations

import contextlib
import random
import ssl
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from threading import Event, Lock
from typing import TypeVar
from urllib.parse import urldefrag, urljoin, urlsplit

from msgspec import Struct
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from envsync import __version__
from envsync.errors import PackageIndexError
from envsync.http.connections import Connections
from envsync.http.faults import causes, reason_of
from envsync.http.proxies import Proxy, proxy_for
from envsync.http.urls import host, is_loopback, origin, shown
from envsync.index.access import IndexSettings
from envsync.index.credentials import Credentials
from envsync.redaction import printable

TRIES = 4
_SILENT = 6
"""Tries without any answer of a host, after which nobody tries again."""
_NEVER = 1 << 60
LONGEST_PAUSE = 30.0
"""Seconds that an index may ask to wait."""

_FIRST_PAUSE = 0.5
_REDIRECTS = 10
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_PIECE = 1 << 18
_HEADERS = {"User-Agent": f"envsync/{__version__}", "Accept-Encoding": "identity"}

_Received = TypeVar("_Received")


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds that are waited."""

    connect: float = 10
    idle: float = 30
    """For the next byte."""
    total: float = 3600
    """For all that is asked of all indexes."""


class NoAnswerError(PackageIndexError):
    """No answer, or one that broke off."""


class TooLargeError(PackageIndexError):
    """An answer that is longer than it may be."""


class Answer:
    """An answer whose body is being received."""

    def __init__(self, raw: BaseHTTPResponse, url: str, count: Callable[[int], None]) -> None:
        self._raw = raw
        self._count = count
        self.status: int = raw.status
        self.url = url
        """Where it came from in the end."""

    def header(self, name: str) -> str:
        """The value of a header, empty where there is none."""
        return self._raw.headers.get(name) or ""

    @property
    def content_type(self) -> str:
        """Without its parameters, in lower case."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    def pieces(self) -> Iterator[bytes]:
        """The body as it was sent; ends early with an exception of urllib3."""
        while piece := self._raw.read1(_PIECE, decode_content=False):
            self._count(len(piece))
            yield piece

    def close(self) -> None:
        """Give up the connection, unless the body was read to its end or is short."""
        _drain(self._raw)

    def load(self, limit: int) -> bytes:
        """The body, unpacked where it is compressed by gzip.

        Raises:
            TooLargeError: it is longer than ``limit``.
        """
        packed = self.header("Content-Encoding").strip().lower() in ("gzip", "x-gzip")
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed else None
        pieces, size = [], 0
        for piece in self.pieces():
            part = unpacker.decompress(piece, limit + 1 - size) if unpacker else piece
            size += len(part)
            if size > limit:
                raise TooLargeError(f"{shown(self.url)}: more than {limit} bytes")
            pieces.append(part)
        if unpacker and not unpacker.eof:
            raise zlib.error("the compressed body ends too early")
        return b"".join(pieces)


class Transport:
    """Sends requests, from several threads."""

    def __init__(self, settings: IndexSettings, credentials: Credentials, timeouts: Timeouts) -> None:
        self._settings = settings
        self._credentials = credentials
        self._timeouts = timeouts
        self._connections = Connections(timeouts.total, certificates=settings.cert)
        self._stopped = Event()
        self._end = time.monotonic() + timeouts.total
        self._lock = Lock()
        self._unanswered: Counter[str] = Counter()
        """By host: tries without an answer, as long as there was none at all."""
        self.requests = 0
        self.received = 0

    def close(self) -> None:
        """Close what is not in use; what waits for an answer gets none any more."""
        self._stopped.set()
        self._connections.cut()
        self._connections.close()

    def get(self, url: str, headers: Mapping[str, str], receive: Callable[[Answer], _Received]) -> _Received:
        """Ask for a URL, and return what ``receive`` makes of the answer; it is called anew for each try.

        Raises:
            PackageIndexError: no answer in the end, redirects that lead nowhere; or what ``receive`` raises.
        """
        number = 1
        while True:
            wanted: float | None = None
            place = urlsplit(url).netloc
            try:
                answer = self._answer(url, headers)
                self._unanswered[place] = -_NEVER
                if answer.status not in _PASSING or number == TRIES:
                    return self._received(answer, receive)
                pause = _asked_to_wait(answer)
                if pause is not None and pause > LONGEST_PAUSE:
                    return self._received(answer, receive)
                wanted = pause
                answer.close()
            except _PassingError as error:
                self._unanswered[place] += 1
                # A host that never said anything to anybody is not waited for once more by each of a hundred.
                if number == TRIES or self._stopped.is_set() or self._unanswered[place] >= _SILENT:
                    raise error.told from error
            self._pause(number, wanted, url)
            number += 1

    def _received(self, answer: Answer, receive: Callable[[Answer], _Received]) -> _Received:
        try:
            return receive(answer)
        except (HTTPError, zlib.error, ssl.SSLError, ConnectionError, TimeoutError) as error:
            reason = "the compressed body is damaged" if isinstance(error, zlib.error) else reason_of(error)
            told = NoAnswerError(f"{shown(answer.url)}: the connection broke off: {reason}")
            raise _PassingError(told) from error
        finally:
            answer.close()

    def _pause(self, number: int, wanted: float | None, url: str) -> None:
        seconds = max(_FIRST_PAUSE * 2.0 ** (number - 1) * (0.75 + random.random() / 2), wanted or 0)  # noqa: S311
        if self._stopped.wait(min(seconds, max(self._left(), 0))) or self._left() <= 0:
            raise NoAnswerError(f"{shown(url)}: no answer within {self._timeouts.total:g} s")

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _answer(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The answer after redirects; with a login where the host asks for one."""
        first, seen, asked = origin(url), [url], False
        while True:
            at_home = all(origin(each) == first for each in seen)
            authorization = self._credentials.header(url, asked=asked) if at_home else None
            secret = {"Authorization": authorization} if authorization else {}
            raw = self._send(seen[-1], {**_HEADERS, **headers, **secret})
            answer = Answer(raw, seen[-1], self._add)
            if raw.status == 401 and at_home and not asked and self._credentials.has_more(url):
                asked = True
                _drain(raw)
                continue
            if raw.status not in _REDIRECTING:
                return answer
            _drain(raw)
            target = self._target(answer)
            if target in seen or len(seen) > _REDIRECTS:
                problem = "redirects in a circle" if target in seen else f"redirects more than {_REDIRECTS} times"
                raise PackageIndexError(f"{shown(url)}: {problem}")
            seen.append(target)

    def _target(self, answer: Answer) -> str:
        location = answer.header("Location")
        try:
            target = urldefrag(urljoin(answer.url, location)).url
            (before, left, _), (after, entered, _) = origin(answer.url), origin(target)
            usable = bool(location) and target.isascii() and urlsplit(target).username is None
        except ValueError:
            usable = False
        if not usable:
            raise PackageIndexError(
                f"{shown(answer.url)}: redirects to a place that is no URL (expected http or https)"
            )
        if (before, after) == ("https", "http") and not (is_loopback(left) and is_loopback(entered)):
            raise PackageIndexError(
                f"{shown(answer.url)}: redirects from https to plain http, at {host(target)}: not followed"
            )
        return target

    def _send(self, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        left = self._left()
        if left <= 0 or self._stopped.is_set():
            raise NoAnswerError(f"{shown(url)}: no answer within {self._timeouts.total:g} s")
        self._add(0)
        proxy = self._proxy(url)
        try:
            timeout = Timeout(connect=min(self._timeouts.connect, left), read=min(self._timeouts.idle, left))
            return self._connections.send(
                "GET", url, headers=headers, proxy=proxy, timeout=timeout, verify=not self._trusts(url)
            )
        except (HTTPError, OSError, ValueError) as error:
            raise _fault(error, url, proxy) from error

    def _proxy(self, url: str) -> Proxy | None:
        named = self._settings.proxy
        return named if named is not None and not is_loopback(urlsplit(url).hostname or "") else proxy_for(url)

    def _trusts(self, url: str) -> bool:
        _, name, port = origin(url)
        return bool({name, f"{name}:{port}"} & set(self._settings.trusted_hosts))

    def _add(self, size: int) -> None:
        with self._lock:
            self.received += size
            self.requests += not size


def _drain(raw: BaseHTTPResponse) -> None:
    """Read a short body, so that the connection can be used again; a long one is not worth it."""
    with contextlib.suppress(HTTPError, OSError):
        for _ in range(8):
            if not raw.read1(1 << 14, decode_content=False):
                return
    raw.close()


class _PassingError(Exception):
    """What may be gone at the next try."""

    def __init__(self, told: PackageIndexError) -> None:
        super().__init__(told.message)
        self.told = told


def _fault(error: Exception, url: str, proxy: Proxy | None) -> Exception:
    way = f" through the proxy {host(proxy.url)}" if proxy else ""
    untrusted = next((each for each in causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
    if untrusted is not None:
        reason = printable(untrusted.verify_message)[:200]
        return NoAnswerError(
            f"{host(url)}: its certificate is not trusted{way}: {reason}",
            hint="Where a company's own authority signs, name its certificate: SSL_CERT_FILE=/path/to/authority.pem",
        )
    told = NoAnswerError(
        f"{host(url)}: cannot be reached{way}: {reason_of(error)}",
        hint="HTTPS_PROXY and HTTP_PROXY name a proxy, NO_PROXY the hosts that are reached without one.",
    )
    return told if isinstance(error, ValueError) else _PassingError(told)


def _asked_to_wait(answer: Answer) -> float | None:
    """Seconds of ``Retry-After``: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3."""
    text = answer.header("Retry-After").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
