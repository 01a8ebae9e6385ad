"""A proxy on loopback, for hosts that only it knows."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread


@dataclass
class Proxy:
    """Leads ``host:port`` to a port of 127.0.0.1. Keeps the head of each request, as it came."""

    routes: Mapping[str, int]
    credentials: str = ""
    """What ``Proxy-Authorization`` must be, if anything."""
    heads: list[str] = field(default_factory=list)
    port: int = 0
    lock: Lock = field(default_factory=Lock)

    def lead(self, client: socket.socket) -> None:
        """Serve one connection, with one request or tunnel."""
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := client.recv(65536)):
                return
            head += piece
        text, _, rest = head.decode("latin-1").partition("\r\n\r\n")
        with self.lock:
            self.heads.append(text)
        method, target, version = text.partition("\r\n")[0].split(" ")
        if self.credentials and f"proxy-authorization: {self.credentials}" not in text:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        name = target if method == "CONNECT" else target.removeprefix("http://").partition("/")[0]
        port = self.routes.get(name)
        if port is None:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port)) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                lines = [line for line in text.split("\r\n")[1:] if not line.lower().startswith("proxy-")]
                path = target.removeprefix(f"http://{name}")
                forwarded = "\r\n".join([f"{method} {path} {version}", "Connection: close", *lines])
                server.sendall(f"{forwarded}\r\n\r\n{rest}".encode("latin-1"))
            back = Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxying(routes: Mapping[str, int], credentials: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy at ``port`` of 127.0.0.1; with ``tls``, one that is itself spoken to by HTTPS."""
    proxy = Proxy(routes=routes, credentials=credentials)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        clients: list[socket.socket] = []

        def serve(client: socket.socket) -> None:
            with contextlib.suppress(OSError), tls.wrap_socket(client, server_side=True) if tls else client as spoken:
                proxy.lead(spoken)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    clients.append(client)
                    Thread(target=serve, args=(client,), daemon=True).start()

        thread = Thread(target=accept)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for client in clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
