"""Logging in to registries: tokens and passwords, each for the place that it belongs to.

https://distribution.github.io/distribution/spec/auth/token/ and https://distribution.github.io/distribution/spec/auth/oauth/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from threading import RLock
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from envsync.errors import CorruptImageError
from envsync.http.urls import host, is_loopback, origin, shown
from envsync.image.registry.challenge import Challenge
from envsync.image.registry.credentials import Login
from envsync.image.registry.endpoints import Endpoint
from envsync.image.registry.problems import (
    PlaceError,
    RefusedError,
    UnreachableError,
    forbidden,
    limited,
    needs_login,
    unexpected,
    words_of,
)
from envsync.image.registry.retry import TRIES, Clock, Patience
from envsync.image.registry.transport import Answer, Transport
from envsync.redaction import printable

_LIMIT = 1 << 20
_LIFETIME = 60.0
"""Seconds that a token lives where its server does not say."""
_SPARE = 5.0
_CLIENT = "envsync"
_FIT_FOR_A_HEADER = re.compile(r"[!-~]+")
_SCOPE = re.compile(r"repository:([a-z0-9._/-]+):(?:[a-z*]+,)*pull(?:,[a-z*]+)*")


class _TokenAnswer(Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


class _Grant(Struct, frozen=True, kw_only=True):
    """What is sent to a place until it says no."""

    header: str
    challenges: tuple[Challenge, ...]
    ends: float


class Authorizer:
    """The header ``Authorization`` for each place; safe to use from several threads, of which one renews it."""

    def __init__(
        self, where: str, transport: Transport, logins: Callable[[str], Login | None], patience: Patience, clock: Clock
    ) -> None:
        """``logins`` looks up the login for a registry; it is not asked before one is wanted."""
        self._where = where
        self._transport = transport
        self._logins = logins
        self._patience = patience
        self._clock = clock
        self._lock = RLock()
        self._grants: dict[Endpoint, _Grant] = {}
        self._secrets: set[str] = set()

    def header(self, endpoint: Endpoint) -> str | None:
        """What to send to ``endpoint``; ``None`` until it asks for something. A token that is over is renewed.

        Raises:
            PlaceError: its token server refuses, or is out of reach.
        """
        with self._lock:
            grant = self._grants.get(endpoint)
            if grant is None:
                return None
            if self._clock.monotonic() < grant.ends:
                return grant.header
            return self.renew(endpoint, grant.challenges, grant.header)

    def renew(self, endpoint: Endpoint, challenges: Sequence[Challenge], rejected: str | None) -> str:
        """What to send after ``endpoint`` refused ``rejected``: what another thread got meanwhile, or something new.

        Raises:
            PlaceError: there is no way to log in, the token server refuses or is out of reach.
            UsageError: the stored logins cannot be read.
        """
        with self._lock:
            grant = self._grants.get(endpoint)
            if grant is not None and grant.header != rejected:
                return grant.header
            self._grants[endpoint] = grant = self._new(endpoint, tuple(challenges))
            return grant.header

    def logged_in(self, endpoint: Endpoint) -> bool:
        """Whether there is a login for ``endpoint``."""
        with self._lock:
            return self._logins(endpoint.host) is not None

    def without_secrets(self, text: str) -> str:
        """``text`` of a registry, which may say again what it was told."""
        with self._lock:
            for secret in sorted(self._secrets, key=len, reverse=True):
                text = text.replace(secret, "withheld")
        return text

    def _new(self, endpoint: Endpoint, challenges: tuple[Challenge, ...]) -> _Grant:
        for challenge in challenges:
            if challenge.scheme == "bearer":
                return self._bearer(endpoint, challenge, challenges)
        login = self._logins(endpoint.host)
        if not any(challenge.scheme == "basic" for challenge in challenges):
            asked = ", ".join(printable(challenge.scheme)[:40] for challenge in challenges[:5]) or "nothing"
            raise RefusedError(
                self._where,
                f"{endpoint.host} wants a login by {asked} (expected Bearer or Basic)",
                hint="Ask who runs it for a way that docker login supports.",
            )
        if login is None or not login.username:
            raise needs_login(self._where, endpoint.host, "", logged_in=False)
        return _Grant(header=self._basic(login), challenges=challenges, ends=float("inf"))

    def _basic(self, login: Login) -> str:
        encoded = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        self._secrets |= {encoded, login.password} - {""}
        return f"Basic {encoded}"

    def _bearer(self, endpoint: Endpoint, challenge: Challenge, challenges: tuple[Challenge, ...]) -> _Grant:
        realm = self._realm(endpoint, challenge)
        login = self._logins(endpoint.host)
        service = challenge.parameters.get("service")
        fields = [("service", service)] if service else []
        scopes = _scopes(endpoint, challenge)
        if login is not None and login.identity_token:
            self._secrets.add(login.identity_token)
            fields += [("grant_type", "refresh_token"), ("client_id", _CLIENT), ("scope", " ".join(scopes))]
            fields.append(("refresh_token", login.identity_token))
            answer = self._ask("POST", realm, body=urlencode(fields).encode())
        else:
            query = urlencode([*fields, *(("scope", scope) for scope in scopes)])
            joined = f"{realm}{'&' if urlsplit(realm).query else '?'}{query}"
            answer = self._ask("GET", joined, authorization=self._basic(login) if login else None)
        if answer.status != 200:
            raise self._refusal(answer, endpoint, logged_in=login is not None)
        token, lifetime = self._token(answer)
        self._secrets.add(token)
        ends = self._clock.monotonic() + max(lifetime - _SPARE, lifetime / 2)
        return _Grant(header=f"Bearer {token}", challenges=challenges, ends=ends)

    def _realm(self, endpoint: Endpoint, challenge: Challenge) -> str:
        """The URL of the token server, which the registry chooses: never one where a password could be read."""
        realm = challenge.parameters.get("realm", "").partition("#")[0]
        try:
            scheme, name, _ = place = origin(realm)
            named = urlsplit(realm).username is not None
        except ValueError:
            named = True
        if named or not _FIT_FOR_A_HEADER.fullmatch(realm):
            raise RefusedError(
                self._where,
                f'{endpoint.host} names a token server that is no URL (expected realm="https://…" in its challenge)',
            )
        home = origin(endpoint.base)
        if scheme == "http" and place != home and not (is_loopback(name) and is_loopback(home[1])):
            raise RefusedError(
                self._where,
                f"{endpoint.host} names a token server on plain http, {host(realm)}: not asked (expected https)",
            )
        return realm

    def _ask(self, method: str, url: str, *, authorization: str | None = None, body: bytes | None = None) -> Answer:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"

        def once() -> Answer:
            answer = self._transport.send(method, url, headers, authorization=authorization, body=body)
            if answer.status == 200:
                answer.load(_LIMIT)
            else:
                answer.load_error()
            return answer

        try:
            return self._patience.answer(once, tries=TRIES)
        except UnreachableError as error:
            # Enough was tried: the request that wanted a token is not to be made again for this.
            raise UnreachableError(error.where, error.reason, hint=error.hint, transient=False) from error
        except CorruptImageError as error:
            raise RefusedError(self._where, f"the token server {shown(url)}: its answer is too long") from error

    def _refusal(self, answer: Answer, endpoint: Endpoint, *, logged_in: bool) -> PlaceError:
        words = self.without_secrets(words_of(answer.body, answer.content_type))
        match answer.status:
            case 400 | 401 if logged_in:
                return needs_login(self._where, endpoint.host, words, logged_in=True)
            case 401:
                return needs_login(self._where, endpoint.host, words, logged_in=False)
            case 403:
                return forbidden(self._where, endpoint.host, words)
            case 429:
                return limited(self._where, host(answer.url), words, self._patience.asked_to_wait(answer))
        return unexpected(self._where, f"the token server {host(answer.url)}", answer.status, words)

    def _token(self, answer: Answer) -> tuple[str, float]:
        try:
            found = msgspec.json.decode(answer.body, type=_TokenAnswer, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = _TokenAnswer()
        token = found.token or found.access_token or ""
        if not _FIT_FOR_A_HEADER.fullmatch(token):
            raise RefusedError(self._where, f"the token server {shown(answer.url)} answers without a token")
        return token, _LIFETIME if found.expires_in is None else max(0.0, found.expires_in)


def _scopes(endpoint: Endpoint, challenge: Challenge) -> list[str]:
    """To pull this repository, also by the name that the registry has for it behind another's path; never more."""
    asked = (_SCOPE.fullmatch(each) for each in challenge.parameters.get("scope", "").split())
    names = [endpoint.repository, *(found[1] for found in asked if found)]
    return [f"repository:{name}:pull" for name in dict.fromkeys(names)]
