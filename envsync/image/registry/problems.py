"""What can go wrong with a registry, in words, each with the next step."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from envsync.errors import RegistryError
from envsync.redaction import printable, without_credentials
from envsync.reference import DOCKER_HUB

_QUERY = re.compile(r"(?<=[^\s?])\?[^\s'\"<>]*=[^\s'\"<>]*")
_WITHOUT_NETWORK = "Where there is a network: docker pull and docker save; then envsync pull docker-archive:FILE here."


class PlaceError(RegistryError):
    """One place did not give what was asked for; another one may."""

    def __init__(self, where: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{where}: {reason}", hint=hint)
        self.where = where
        self.reason = reason


class UnreachableError(PlaceError):
    """No answer, or one that broke off."""

    def __init__(
        self, where: str, reason: str, *, hint: str | None = None, transient: bool = True, connecting: bool = False
    ) -> None:
        """``transient``: trying again may help. ``connecting``: there never was a connection."""
        super().__init__(where, reason, hint=hint)
        self.transient = transient
        self.connecting = connecting


class UntrustedError(UnreachableError):
    """Whoever answers there cannot prove who it is."""


class RefusedError(PlaceError):
    """An answer that is not what was asked for."""


class OutOfTimeError(RegistryError):
    """The time that an image may take is over."""


class _Problem(Struct):
    code: str = ""
    message: str = ""


class _Problems(Struct):
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes."""

    errors: list[_Problem] | None = None
    details: str = ""
    message: str = ""


def login_command(host: str) -> str:
    """What to type to log in."""
    return "docker login" if host == DOCKER_HUB else f"docker login {host}"


def unreachable(where: str, host: str, reason: str, *, transient: bool = True, connecting: bool = True) -> PlaceError:
    """There is no way to a host."""
    return UnreachableError(
        where,
        f"{host} cannot be reached: {reason}",
        hint=f"Behind a proxy: set HTTPS_PROXY. {_WITHOUT_NETWORK}",
        transient=transient,
        connecting=connecting,
    )


def proxy_fails(where: str, host: str, proxy: str, reason: str) -> PlaceError:
    """The proxy that is configured is in the way."""
    login = reason.endswith("407 Proxy Authentication Required")
    return UnreachableError(
        where,
        f"{host} cannot be reached through the proxy {proxy}: {reason}",
        hint="Its login belongs into its URL: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        if login
        else "HTTPS_PROXY and HTTP_PROXY name the proxy, NO_PROXY the hosts that are reached without one.",
        transient=not login,
        connecting=True,
    )


def not_trusted(where: str, host: str, reason: str) -> PlaceError:
    """A certificate does not verify; trying again does not help."""
    return UntrustedError(
        where,
        f"{host}: its certificate is not trusted: {reason}",
        hint="Where a company's own authority signs, name its certificate: SSL_CERT_FILE=/path/to/authority.pem",
        transient=False,
        connecting=True,
    )


def words_of(body: bytes, content_type: str) -> str:
    """What an answer says went wrong, on one line and fit for a terminal; empty where it is for browsers."""
    try:
        said = msgspec.json.decode(body, type=_Problems)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = "" if "html" in content_type or b"<" in body[:1] else body.decode("utf-8", "replace")
    else:
        listed = [each.message or each.code for each in said.errors or ()]
        text = "; ".join(dict.fromkeys(filter(None, [*listed, said.details, said.message])))
    return printable(without_credentials(_QUERY.sub("", " ".join(text.split()))))[:300]


def codes_of(body: bytes) -> frozenset[str]:
    """The codes of the errors in an answer: ``NAME_UNKNOWN``."""
    try:
        return frozenset(each.code for each in msgspec.json.decode(body, type=_Problems).errors or ())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()


def _with(reason: str, words: str) -> str:
    return f"{reason}: {words}" if words else reason


def needs_login(where: str, host: str, words: str, *, logged_in: bool) -> PlaceError:
    """401: without credentials, or with some that are not good enough."""
    if logged_in:
        return RefusedError(
            where, _with(f"{host} does not accept the login that is stored for it", words), hint=login_command(host)
        )
    if host == DOCKER_HUB:
        return RefusedError(
            where,
            _with("not on Docker Hub, or it needs a login", words),
            hint=f"Check the spelling. For a private image: {login_command(host)}",
        )
    return RefusedError(where, _with(f"{host} needs a login", words), hint=login_command(host))


def forbidden(where: str, host: str, words: str) -> PlaceError:
    """403: whoever asks may not have it. Some registries say so of what does not exist."""
    return RefusedError(
        where,
        _with(f"{host} denies it", words),
        hint=f"Check the spelling, and whether you may pull it; as another user: {login_command(host)}",
    )


def absent(where: str, host: str, kind: str, codes: frozenset[str], words: str) -> PlaceError:
    """404, of a manifest or a blob."""
    if kind == "blobs":
        return RefusedError(
            where, _with(f"{host} lacks a blob that its manifest names", words), hint="Push the image again."
        )
    if "NAME_UNKNOWN" in codes:
        return RefusedError(
            where,
            _with(f"{host} has no such repository", words),
            hint=f"Check the spelling. For a private image: {login_command(host)}",
        )
    # MANIFEST_UNKNOWN is also said of repositories that there are not.
    return RefusedError(
        where,
        _with(f"{host} has no such image", words),
        hint=f"Check the spelling of repository and tag. For a private image: {login_command(host)}",
    )


def limited(where: str, host: str, words: str, wait: float | None) -> PlaceError:
    """429: too many requests."""
    pause = f"; it asks to wait {wait:.0f} s" if wait is not None else ""
    return RefusedError(
        where,
        _with(f"{host} lets no more pulls through for now{pause}", words),
        hint=f"Wait, or log in to raise the limit: {login_command(host)}",
    )


def unexpected(where: str, host: str, status: int, words: str, wait: float | None = None) -> PlaceError:
    """Any other status."""
    pause = f"; it asks to wait {wait:.0f} s" if wait is not None else ""
    hint = "Try again later." if status >= 500 else f"See what {host} is: it does not answer as a registry does."
    return RefusedError(where, _with(f"{host} answers {status}{pause}", words), hint=hint)
