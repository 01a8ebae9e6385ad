"""A token server for registries: https://distribution.github.io/distribution/spec/auth/token/ and ``oauth``.

Everyone may pull, save from repositories under ``private/``; users may pull and push everything. As Docker Hub does,
it grants less than was asked for without a word: the registry then refuses.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

LEEWAY = 60
"""Seconds after its end for which ``docker-registry`` still takes a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRequest:
    """What a client asked for."""

    method: str
    scopes: tuple[str, ...]
    """``repository:NAME:ACTIONS``, as it stands in the request."""
    account: str | None
    """The user who proved to be one; ``None`` for everyone else."""
    authorized: bool
    """Whether there was an ``Authorization`` header."""
    status: int


@dataclass(kw_only=True)
class TokenServer:
    """Issues tokens. Settings may be changed while it serves."""

    users: Mapping[str, str] = field(default_factory=dict)
    """Passwords by user."""
    identity_tokens: Mapping[str, str] = field(default_factory=dict)
    """Users by refresh token, which ``docker login`` keeps as ``identitytoken``."""
    lifetime: float = 300
    """Seconds after which the registry truly refuses a token: its leeway is taken off."""
    told: float | None = 300
    """What ``expires_in`` says, which may be a lie; ``None`` leaves it out, which means 60 seconds."""
    names: tuple[Literal["token", "access_token"], ...] = ("token", "access_token")
    """Under which names the answer has the token."""
    service: str = "kit"
    issuer: str = "kit tokens"
    realm: str = ""
    requests: list[TokenRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(self._key)

    @property
    def certificate(self) -> bytes:
        """PEM: what a registry has to trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def authorization(self, *scopes: str) -> str:
        """An ``Authorization`` header that allows ``scopes``, whoever asks: ``repository:NAME:pull,push``."""
        return f"Bearer {self._sign('', [_parsed(scope) for scope in scopes])}"

    def answer(
        self, method: str, fields: Mapping[str, list[str]], authorization: str | None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON for a request with these fields of its query or form."""
        scopes = tuple(scope for several in fields.get("scope", ()) for scope in several.split())
        known, account = self._account(method, {name: values[0] for name, values in fields.items()}, authorization)
        status = 200 if known else 401
        self.requests.append(
            TokenRequest(
                method=method,
                scopes=scopes,
                account=account,
                authorized=authorization is not None,
                status=status,
            )
        )
        if not known:
            return status, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
        granted = [_granted(_parsed(scope), account) for scope in scopes]
        token = self._sign(account or "", [access for access in granted if access["actions"]])
        answer: dict[str, Any] = dict.fromkeys(self.names, token)
        if self.told is not None:
            answer["expires_in"] = self.told
        return status, answer | {"issued_at": datetime.datetime.now(datetime.timezone.utc).isoformat()}

    def _account(self, method: str, fields: Mapping[str, str], authorization: str | None) -> tuple[bool, str | None]:
        """Whether to answer at all, and whom: a wrong password is not taken for none."""
        if method == "POST" and fields.get("grant_type") == "refresh_token":
            account = self.identity_tokens.get(fields.get("refresh_token", ""))
            return account is not None, account
        if method == "POST":
            user, password = fields.get("username", ""), fields.get("password", "")
        elif authorization is None:
            return True, None
        else:
            kind, _, encoded = authorization.partition(" ")
            if kind.lower() != "basic":
                return False, None
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        return (True, user) if self.users.get(user) == password else (False, None)

    def _sign(self, account: str, access: Iterable[Mapping[str, Any]]) -> str:
        """A JSON Web Token, ES256: https://distribution.github.io/distribution/spec/auth/jwt/."""
        now = time.time()
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": self.issuer,
            "sub": account,
            "aud": self.service,
            "exp": int(now + self.lifetime - LEEWAY),
            "nbf": int(now) - LEEWAY,
            "iat": int(now),
            "jti": secrets.token_hex(8),
            "access": list(access),
        }
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@contextmanager
def serving_tokens(tokens: TokenServer, *, host: str = "127.0.0.1") -> Iterator[TokenServer]:
    """Serve ``tokens`` at ``tokens.realm``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self._answer(parse_qs(form))

        def _answer(self, fields: Mapping[str, list[str]]) -> None:
            status, answer = tokens.answer(self.command, fields, self.headers["Authorization"])
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    tokens.realm = f"http://{host}:{server.server_address[1]}/token"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield tokens
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _parsed(scope: str) -> dict[str, Any]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _granted(access: Mapping[str, Any], account: str | None) -> dict[str, Any]:
    everyones = [] if access["name"].startswith("private/") else ["pull"]
    allowed = ["pull", "push", "delete"] if account else everyones
    return {**access, "actions": [action for action in access["actions"] if action in allowed]}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kit tokens")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
