"""What a registry has, as :data:`tests.image.registry_client.server.Respond`; and doors in front of it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.image.layers import MadeImage, as_json, sha
from tests.image.registry_client.server import Reply, Request, Respond

JSON = {"Content-Type": "application/json"}
_PATH = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")


@dataclass
class Shelf:
    """Manifests by ``repository:tag`` and ``repository@digest``, blobs by digest."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    says_digest: bool = True

    def add(self, name: str, *images: MadeImage, index: bytes | None = None) -> str:
        """Put an image there, or several below ``index``; the digest of what ``name`` stands for."""
        repository, _, tag = name.rpartition(":")
        for image in images:
            self.blobs |= {sha(data): data for data in (image.config, *image.stored_layers)}
            self.manifests[f"{repository}@{sha(image.manifest)}"] = image.manifest
        top = index if index is not None else images[0].manifest
        self.manifests[f"{repository}:{tag}"] = self.manifests[f"{repository}@{sha(top)}"] = top
        return sha(top)

    def __call__(self, request: Request) -> Reply:
        found = _PATH.fullmatch(request.path)
        if found is None:
            return problem(404, "UNSUPPORTED", "")
        repository, kind, reference = found.groups()
        if kind == "blobs":
            blob = self.blobs.get(reference)
            return problem(404, "BLOB_UNKNOWN", "blob unknown") if blob is None else self._part(request, blob)
        data = self.manifests.get(repository + ("@" if ":" in reference else ":") + reference)
        if data is None:
            known = any(name.startswith((f"{repository}:", f"{repository}@")) for name in self.manifests)
            code = "MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN"
            return problem(404, code, code.replace("_", " ").lower())
        digest = {"Docker-Content-Digest": sha(data)} if self.says_digest else {}
        return Reply(body=data, headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json", **digest})

    def _part(self, request: Request, blob: bytes) -> Reply:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if asked is None or not self.ranges:
            return Reply(body=blob)
        start = int(asked[1])
        if start >= len(blob):
            return Reply(status=416, headers={"Content-Range": f"bytes */{len(blob)}"})
        return Reply(
            status=206,
            body=blob[start:],
            headers={"Content-Range": f"bytes {start}-{len(blob) - 1}/{len(blob)}"},
        )


def problem(status: int, code: str, message: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(
        status=status, body=as_json({"errors": [{"code": code, "message": message}]}), headers={**JSON, **named}
    )


@dataclass
class Tokens:
    """A token server at ``/token``, and a door that lets those in who have a token of it.

    ``users``: who gets tokens; ``None``: everybody. A token is good for ``uses`` requests.
    """

    inside: Respond
    realm: str = ""
    users: Mapping[str, str] | None = None
    identity_token: str = ""
    uses: int | None = None
    answer: Mapping[str, Any] = field(default_factory=lambda: {"expires_in": 300})
    key: str = "token"
    given: int = 0
    used: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> Reply:
        if request.path.startswith("/token"):
            return self._token(request)
        token = (request.authorization or "").removeprefix("Bearer ")
        if token not in self.used or (self.uses is not None and self.used[token] >= self.uses):
            scope = "repository:" + request.path.removeprefix("/v2/").rpartition("/")[0].rpartition("/")[0] + ":pull"
            challenge = f'Bearer realm="{self.realm}",service="shelf, the",scope="{scope}"'
            return problem(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=challenge)
        self.used[token] += 1
        return self.inside(request)

    def _token(self, request: Request) -> Reply:
        if self.identity_token:
            fields = parse_qs(request.body.decode())
            if request.method != "POST" or fields.get("refresh_token") != [self.identity_token]:
                return Reply(status=401, body=b'{"details": "incorrect refresh token"}', headers=JSON)
        elif self.users is not None and request.authorization not in {
            basic(user, password) for user, password in self.users.items()
        }:
            return Reply(status=401, body=b'{"details": "incorrect username or password"}', headers=JSON)
        self.given += 1
        token = f"token-{self.given}"
        self.used[token] = 0
        return Reply(body=as_json({self.key: token, **self.answer}), headers=JSON)


@dataclass
class Passwords:
    """A door that lets those in who say their password."""

    inside: Respond
    users: Mapping[str, str]

    def __call__(self, request: Request) -> Reply:
        if request.authorization not in {basic(user, password) for user, password in self.users.items()}:
            return problem(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="shelf"')
        return self.inside(request)


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.path).query)
