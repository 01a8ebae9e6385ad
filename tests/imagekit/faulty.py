"""A reverse proxy on loopback that goes wrong as it is told: in front of a registry, a token server or an index.

A script says for each request what goes wrong with it, if anything; ``on("/blobs/", Drop(after=1000))`` does so
for the first GET of a blob. Everything else passes through unchanged, so that clients meet the real thing behind.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fcntl import ioctl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from termios import TIOCOUTQ
from threading import Event, Lock, Thread
from typing import Any

from tests.imagekit.machine import MissingToolError

_CHUNK = 1 << 16
_TIMEOUT = 60
_OF_ONE_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding"}


# --- what can go wrong -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """Reset the connection after so many bytes of the body; at 0, before any byte of the answer."""

    after: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Truncate:
    """End the body after so many bytes, in good order; ``admitted``: with a Content-Length that agrees."""

    after: int
    admitted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Stall:
    """Send so many bytes of the body and then nothing, until the client or the test has had enough."""

    after: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay:
    """Answer only after so many seconds."""

    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrupt:
    """Flip the bits of the body's byte at this offset."""

    at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Answer in place of what is behind: ``Answer(status=429, headers={"Retry-After": "1"})``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redirect:
    """Answer 307 with the same path at ``host:port``; without one, at this proxy itself: a loop."""

    to: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoreRange:
    """Send everything, with status 200, whatever part was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongRange:
    """Name a part in Content-Range that begins so many bytes after the one that is sent."""

    off_by: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongDigest:
    """Name another digest in Docker-Content-Digest than that of what is sent."""

    digest: str = "sha256:" + 64 * "0"


Fault = Drop | Truncate | Stall | Delay | Corrupt | Answer | Redirect | IgnoreRange | WrongRange | WrongDigest


# --- scripts -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    """With the query."""
    range: str | None
    authorized: bool
    """Whether there was an ``Authorization`` header."""


Script = Callable[[Request], Fault | None]
"""Called for each request, one at a time."""


def on(pattern: str, *faults: Fault | None, method: str = "GET", ever_after: Fault | None = None) -> Script:
    """Faults for the requests whose path has ``pattern`` (a regular expression) in it, in turn; then the last one."""
    left: Iterator[Fault | None] = chain(faults, repeat(ever_after))

    def script(request: Request) -> Fault | None:
        if request.method == method and re.search(pattern, request.path):
            return next(left)
        return None

    return script


def first_of(*scripts: Script) -> Script:
    """Several scripts side by side; the first that has a fault for a request decides."""

    def script(request: Request) -> Fault | None:
        for one in scripts:
            if fault := one(request):
                return fault
        return None

    return script


# --- the proxy ---------------------------------------------------------------------------------------


class Proxy:
    """Listens at ``address``; ``requests`` are those so far, in the order of their arrival."""

    def __init__(self, behind: str, script: Script, host: str) -> None:
        self.behind = behind
        self.requests: list[Request] = []
        self.closing = Event()
        self._script = script
        self._lock = Lock()
        try:
            self._server = _Server((host, 0), type("Handler", (_Handler,), {"proxy": self}))
        except OSError as error:
            raise MissingToolError(f"{host}: cannot listen there: {error}") from error
        self.address = f"{host}:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def fault(self, request: Request) -> Fault | None:
        """Note a request, and ask the script what goes wrong with it."""
        with self._lock:
            self.requests.append(request)
            return self._script(request)

    def close(self) -> None:
        """Hang up on everyone; no thread is left."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


@contextmanager
def faulty(behind: str, script: Script = lambda _: None, *, host: str = "127.0.0.1") -> Iterator[Proxy]:
    """A proxy in front of ``behind`` (``host:port``); without a script, it only records.

    Raises:
        MissingToolError: this machine does not let it listen at ``host``.
    """
    proxy = Proxy(behind, script, host)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # they are waited for
    request_queue_size = 64

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self._open: set[socket.socket] = set()
        self._lock = Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        if struct.unpack("ii", request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0]:
            self.close_request(request)  # without the end of stream that a shutdown sends first
        else:
            super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that end, which is what this is for; the rest is a mistake in a script."""
        if not isinstance(sys.exc_info()[1], OSError | http.client.HTTPException):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        request = Request(
            method=self.command,
            path=self.path,
            range=self.headers["Range"],
            authorized="Authorization" in self.headers,
        )
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match fault := self.proxy.fault(request):
            case Answer(status=status, headers=headers, body=data):
                self._answer(status, headers, data)
            case Redirect(to=to):
                self._answer(307, {"Location": f"http://{to or self.proxy.address}{self.path}"}, b"")
            case Drop(after=0):
                self._reset()
            case Delay(seconds=seconds):
                if not self.proxy.closing.wait(seconds):
                    self._forward(body, None)
            case _:
                self._forward(body, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        left_out = _OF_ONE_HOP | ({"range"} if isinstance(fault, IgnoreRange) else set())
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        connection = http.client.HTTPConnection(self.proxy.behind, timeout=_TIMEOUT)
        try:
            connection.request(self.command, self.path, body or None, headers)
            self._pass_on(connection.getresponse(), fault)
        finally:
            connection.close()

    def _pass_on(self, answer: http.client.HTTPResponse, fault: Fault | None) -> None:
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP]
        pieces: Iterator[bytes] = iter(lambda: answer.read(_CHUNK), b"")
        if answer.length is None:  # chunked: how long it is, is known afterwards
            whole = answer.read()
            pieces = iter([whole])
            headers.append(("Content-Length", str(len(whole))))
        self.send_response_only(answer.status, answer.reason)
        for name, value in headers:
            self.send_header(name, _falsified(name.lower(), value, fault))
        self.end_headers()
        if self.command != "HEAD":
            self._send(pieces, fault)

    def _send(self, pieces: Iterator[bytes], fault: Fault | None) -> None:
        limit = fault.after if isinstance(fault, Drop | Truncate | Stall) else None
        sent = 0
        for piece in pieces:
            data = _spoilt(piece, fault.at - sent) if isinstance(fault, Corrupt) else piece
            self.wfile.write(data if limit is None else data[: limit - sent])
            sent += len(data)
            if limit is not None and sent >= limit:
                break
        match fault:
            case Drop():
                self._reset()
            case Stall():
                self._wait()
            case Truncate():
                self.close_connection = True

    def _wait(self) -> None:
        """Until the client hangs up, or the proxy closes."""
        self.connection.settimeout(0.05)
        while not self.proxy.closing.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        self.close_connection = True

    def _reset(self) -> None:
        """Hang up so that the client is told of it as an error (RST), not as an end, once it has what was sent."""
        with suppress(OSError):  # on systems that do not count it
            while struct.unpack("i", ioctl(self.connection, TIOCOUTQ, bytes(4)))[0]:
                if self.proxy.closing.wait(0.005):
                    break
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        pass


def _falsified(name: str, value: str, fault: Fault | None) -> str:
    """The value of a header, as the fault has it."""
    match name, fault:
        case "content-length", Truncate(after=after, admitted=True):
            return str(min(int(value), after))
        case "content-range", WrongRange(off_by=by):
            return _moved(value, by)
        case "docker-content-digest", WrongDigest(digest=digest):
            return digest
    return value


def _moved(content_range: str, by: int) -> str:
    """``bytes 5-9/10``, with both ends moved."""
    return re.sub(r"(\d+)-(\d+)", lambda found: f"{int(found[1]) + by}-{int(found[2]) + by}", content_range, count=1)


def _spoilt(piece: bytes, at: int) -> bytes:
    if not 0 <= at < len(piece):
        return piece
    return piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
