"""Real channels on loopback: packages that hold nothing but their index.json, indexed by rattler."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from rattler.index import index_fs


def add(
    folder: Path, name: str, version: str, subdir: str = "osx-arm64", build: str = "h0_0", **fields: object
) -> None:
    """Put a package into a channel that is not indexed yet."""
    index = {"name": name, "version": version, "build": build, "build_number": 0, "depends": [], "subdir": subdir}
    data = json.dumps({**index, **fields}).encode()
    (folder / subdir).mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / subdir / f"{name}-{version}-{build}.tar.bz2", "w:bz2") as archive:
        member = tarfile.TarInfo("info/index.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))


def index(folder: Path) -> None:
    """Write the repodata of a channel."""
    (folder / "noarch").mkdir(parents=True, exist_ok=True)
    asyncio.run(index_fs(folder, write_shards=False))


class _Quiet(SimpleHTTPRequestHandler):
    login: str | None = None

    def do_GET(self) -> None:
        if self.login is None or self.headers["Authorization"] == f"Basic {b64encode(self.login.encode()).decode()}":
            super().do_GET()
        else:
            self.send_error(401)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@contextmanager
def served(root: Path, login: str | None = None) -> Iterator[str]:
    """Serve ``root``, to whoever has this ``user:password``, and give its URL."""
    kind = type("_Handler", (_Quiet,), {"login": login})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(root))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
