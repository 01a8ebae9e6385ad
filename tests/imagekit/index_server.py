"""A package index on loopback.

https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.image.registry_client.server import Reply, Request

_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class ServedIndex:
    """Projects below ``/simple/``, all files below ``/files/``: what a server answers.

    Pages and files may be served by two servers, each with its own of these, or by one.
    """

    speaks_html: bool = False
    packs: bool = False
    """Pages are compressed by gzip."""
    ranges: bool = True
    login: str = ""
    """``user:password`` that everything needs."""
    files_at: str = ""
    """The address of another server that has the files; else links are relative."""
    cache_control: str = "max-age=600"
    etags: bool = True
    pages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, project: str, made: tuple[str, bytes], **more: object) -> str:
        """Add a file; ``more`` is for its entry, as JSON has it (``upload_time`` for ``upload-time``). Its SHA-256."""
        filename, data = made
        digest = hashlib.sha256(data).hexdigest()
        entry: dict[str, Any] = {"hashes": {"sha256": digest}, "size": len(data)}
        entry |= {name.replace("_", "-"): value for name, value in more.items()}
        place = f"{self.files_at}/files/{filename}" if self.files_at else f"../../files/{filename}"
        self.pages.setdefault(project, []).append({"filename": filename, "url": place, **entry})
        self.files[filename] = data
        return digest

    def __call__(self, request: Request) -> Reply:
        if self.login and request.authorization != f"Basic {b64encode(self.login.encode()).decode()}":
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="index"'})
        if found := re.fullmatch(r"/simple/([^/]+)/", request.path):
            return self._page(request, self.pages.get(found[1]))
        if request.path == "/links/":
            return self._page(request, [entry for page in self.pages.values() for entry in page], up="..")
        data = self.files.get(request.path.removeprefix("/files/"))
        return Reply(status=404) if data is None else self._file(request, data)

    def _page(self, request: Request, entries: list[dict[str, Any]] | None, up: str = "../..") -> Reply:
        if entries is None:
            return Reply(status=404)
        entries = [entry | {"url": entry["url"].replace("../..", up, 1)} for entry in entries]
        if self.speaks_html:
            kind, body = "text/html; charset=utf-8", "\n".join(map(_anchor, entries)).encode()
        else:
            kind, body = _JSON, json.dumps({"meta": {"api-version": "1.1"}, "files": entries}).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"Cache-Control": self.cache_control, **({"ETag": etag} if self.etags else {})}
        if self.etags and request.headers.get("if-none-match") == etag:
            return Reply(status=304, headers=headers)
        if self.packs and "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        return Reply(body=body, headers={"Content-Type": kind, **headers})

    def _file(self, request: Request, data: bytes) -> Reply:
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if asked is None or not self.ranges:
            return Reply(body=data)
        start, end = int(asked[1] or max(0, len(data) - int(asked[2]))), len(data)
        if asked[1] and asked[2]:
            end = min(end, int(asked[2]) + 1)
        if start >= len(data):
            return Reply(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        return Reply(
            status=206, body=data[start:end], headers={"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        )


def _anchor(entry: Mapping[str, Any]) -> str:
    (name, value), *_ = entry["hashes"].items() or [("", "")]
    words = {"href": f"{entry['url']}#{name}={value}"}
    if "requires-python" in entry:
        words["data-requires-python"] = entry["requires-python"]
    if entry.get("yanked", False) is not False:
        words["data-yanked"] = "" if entry["yanked"] is True else entry["yanked"]
    told = " ".join(f'{key}="{html.escape(text)}"' for key, text in words.items())
    return f"<a {told}>{entry['filename']}</a><br>"
