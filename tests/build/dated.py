"""A package index that tells when its files were uploaded: https://peps.python.org/pep-0700/."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class DatedIndex:
    """``simple/NAME/index.json``, with the files beside it."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self.url = f"{address}/simple/"

    def add(self, made: tuple[str, bytes], uploaded: str | None) -> None:
        """Add a file, uploaded at midnight UTC of a day; ``None``: that is not told."""
        filename, data = made
        name = filename.partition("-")[0].replace("_", "-").lower()
        place = self._folder / "simple" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / filename).write_bytes(data)
        page = place / "index.json"
        known = json.loads(page.read_text()) if page.exists() else {"files": []}
        file = {"filename": filename, "url": filename, "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
        if uploaded is not None:
            file["upload-time"] = f"{uploaded}T00:00:00.000000Z"
        files = [*known["files"], {**file, "size": len(data)}]
        page.write_text(json.dumps({"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": files}))


def legacy_sdist(name: str, version: str, setup: str, files: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """An sdist of before PEP 517: a ``setup.py`` and no word of what it needs."""
    stem = f"{name}-{version}"
    metadata = f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in {"setup.py": setup, "PKG-INFO": metadata, **(files or {})}.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", buffer.getvalue()


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.endswith("/"):
            self.path += "index.json"
        super().do_GET()

    def guess_type(self, path: str) -> str:  # type: ignore[override]
        return "application/vnd.pypi.simple.v1+json" if path.endswith(".json") else super().guess_type(path)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server has
        pass


@contextmanager
def dated_index(folder: Path) -> Iterator[DatedIndex]:
    """Serve an index from ``folder`` as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield DatedIndex(folder, f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
