"""HTTP servers on loopback whose every answer a test decides, down to where it breaks off."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """``cut``: the connection ends after so many bytes of the body, with a reset where ``reset`` is set."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    chunked: bool = False
    unmeasured: bool = False
    """Without Content-Length: the body ends with the connection."""
    wait: float = 0
    """Seconds before anything is sent."""
    drip: float = 0
    """Seconds between two bytes of the body."""
    hang_up: bool = False
    """Close without a word."""


Respond = Callable[[Request], Reply]


class Server:
    """Answers as ``respond`` says, which may be replaced; keeps what was asked."""

    def __init__(self, respond: Respond, scheme: str) -> None:
        self.respond = respond
        self.requests: list[Request] = []
        self.connections = 0
        self.lock = Lock()
        self.over = Event()
        self.port = 0
        self._scheme = scheme

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.address}"

    def asked(self, part: str = "", method: str = "GET") -> list[Request]:
        """Requests whose path has ``part`` in it."""
        return [each for each in self.requests if part in each.path and each.method == method]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    seen: Server

    def setup(self) -> None:
        super().setup()
        with self.seen.lock:
            self.seen.connections += 1

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=self.path, headers=headers, body=self.rfile.read(length))
        with self.seen.lock:
            self.seen.requests.append(request)
            reply = self.seen.respond(request)
        self.seen.over.wait(reply.wait)
        if reply.hang_up or self.seen.over.is_set():
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        names = {name.lower() for name in reply.headers}
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.unmeasured:
            self.send_header("Connection", "close")
            self.close_connection = True
        elif "content-length" not in names:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send(reply)

    do_GET = do_HEAD = do_POST = _handle

    def _send(self, reply: Reply) -> None:
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        step = 1 if reply.drip else 1 << 16
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece)
            if reply.drip and self.seen.over.wait(reply.drip):
                break
        if reply.cut is None:
            self.wfile.write(b"0\r\n\r\n" if reply.chunked else b"")
            return
        self.close_connection = True
        if reply.reset:
            time.sleep(0.05)  # or the client would not see what came before
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *words: object) -> None:
        pass


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


@contextmanager
def serving(respond: Respond, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a free port of 127.0.0.1; with ``tls``, of HTTPS."""
    server = Server(respond, "https" if tls else "http")
    listener = _Listener(("127.0.0.1", 0), type("Handler", (_Handler,), {"seen": server}))
    listener.tls = tls
    server.port = listener.server_address[1]
    thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        listener.shutdown()
        thread.join()
        listener.server_close()


def scripted(*replies: Reply, then: Respond) -> Respond:
    """These replies first, whatever is asked."""
    left = list(replies)
    return lambda request: left.pop(0) if left else then(request)


def closed_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
