"""A registry that can only be read, with images made in memory: enough of the distribution API for an engine.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Engines speak plain HTTP with 127.0.0.1.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"


class Registry:
    """Blobs, and manifests by ``repository:tag``. Repositories that begin with ``private/`` ask for a login."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.address = ""

    def add(self, name: str, *platforms: str, config: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
        """Add an image of one layer; for several platforms, or none, with an index. Returns its digest."""
        repository, _, tag = name.partition(":")
        entries = []
        for platform in platforms:
            architecture = platform.partition("/")[2]
            kind, data = MANIFEST, self._manifest(architecture, config, files)
            entries.append({**_described(kind, data), "platform": {"os": "linux", "architecture": architecture}})
            self.manifests[f"{repository}@{_digest(data)}"] = kind, data
        if len(platforms) != 1:
            kind = INDEX
            data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        self.manifests[f"{repository}:{tag}"] = self.manifests[f"{repository}@{_digest(data)}"] = kind, data
        return _digest(data)

    def _manifest(self, architecture: str, config: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for path, content in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        packed = gzip.compress(layer.getvalue(), mtime=0)
        described = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "config": config,
                "created": "2020-01-02T03:04:05Z",
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer.getvalue())]},
            }
        ).encode()
        self.blobs |= {_digest(packed): packed, _digest(described): described}
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _described("application/vnd.docker.container.image.v1+json", described),
                "layers": [_described("application/vnd.docker.image.rootfs.diff.tar.gzip", packed)],
            }
        ).encode()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _described(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


@contextmanager
def serving(registry: Registry) -> Iterator[None]:
    """Serve ``registry`` at ``registry.address``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, kind, data = self._answer()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if status == 200:
                self.send_header("Docker-Content-Digest", _digest(data))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="here"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        do_HEAD = do_GET

        def _answer(self) -> tuple[int, str, bytes]:
            path = self.path.removeprefix("/v2/")
            if not path:
                return 200, "application/json", b"{}"
            if path.startswith("private/"):
                return self._problem(401, "UNAUTHORIZED", "authentication required")
            if "/blobs/" in path:
                data = registry.blobs.get(path.rpartition("/")[2])
                return (200, "application/octet-stream", data) if data else self._problem(404, "BLOB_UNKNOWN", "")
            repository, _, wanted = path.partition("/manifests/")
            found = registry.manifests.get(repository + ("@" if ":" in wanted else ":") + wanted)
            return (200, *found) if found else self._problem(404, "MANIFEST_UNKNOWN", "manifest unknown")

        def _problem(self, status: int, code: str, message: str) -> tuple[int, str, bytes]:
            return status, "application/json", json.dumps({"errors": [{"code": code, "message": message}]}).encode()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
