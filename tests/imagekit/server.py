"""A web server on loopback with Git repositories and files, for installs from VCS and from URLs.

The ``origins`` image records its address, so the port is fixed: one of :data:`PORTS`. Several test runs on
one machine may listen on it at a time; they serve the same content.
"""

from __future__ import annotations

import os
import socket
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from tests.imagekit.machine import MissingToolError

PORTS = (38417, 38427, 38437)
PORT_VARIABLE = "ENVSYNC_TEST_PORT"
"""Tells parallel workers which port the run that started them listens on."""


class Server:
    """Serves ``root``: Git repositories under ``/git/`` by the smart protocol, everything else as files."""

    def __init__(self, root: Path) -> None:
        self._http = _listen(root)
        self.port = int(self._http.server_address[1])
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Not ``allow_reuse_port``, which Python 3.10 does not know.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def _listen(root: Path) -> _HTTPServer:
    for port in PORTS:
        try:
            return _HTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(root)))
        except OSError:
            continue
    raise MissingToolError(f"other programs listen on all of the ports {PORTS} of 127.0.0.1")


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/git/"):
            self._run_git()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._run_git()

    def _run_git(self) -> None:
        """Answer by ``git http-backend``: https://git-scm.com/docs/git-http-backend."""
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        variables = {
            **os.environ,
            "GIT_PROJECT_ROOT": self.directory,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "uploadpack.allowFilter",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines())
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]) if done.returncode == 0 else 500)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing: what is served belongs to no test's output."""
