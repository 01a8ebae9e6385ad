"""Manifests and blobs of one repository, from wherever they are to be had.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from envsync.errors import CorruptImageError, ReferenceSyntaxError
from envsync.http.urls import shown
from envsync.image.blob import check_digest
from envsync.image.manifest import INDEX_TYPES, MANIFEST_LIMIT, MANIFEST_TYPES
from envsync.image.registry.access import Access
from envsync.image.registry.challenge import parse_challenges
from envsync.image.registry.credentials import Logins
from envsync.image.registry.endpoints import Endpoint, endpoints
from envsync.image.registry.problems import (
    PlaceError,
    RefusedError,
    UnreachableError,
    UntrustedError,
    absent,
    codes_of,
    forbidden,
    limited,
    needs_login,
    unexpected,
    words_of,
)
from envsync.image.registry.retry import FIRST_TRIES, MIRROR_TRIES, TRIES, Clock, Patience
from envsync.image.registry.tokens import Authorizer
from envsync.image.registry.transport import Answer, Transport
from envsync.reference import Digest, ImageName

_ACCEPT = ", ".join([*sorted(INDEX_TYPES), *sorted(MANIFEST_TYPES)])
_GOOD = frozenset({200, 206})
_OUT_OF_RANGE = 416


class Document(Struct, frozen=True, kw_only=True):
    """A manifest or index as it stands in the registry, its digest verified."""

    digest: Digest
    data: bytes


class Client:
    """Reads one repository, from several threads."""

    def __init__(
        self, name: ImageName, access: Access, *, say: Callable[[str], None], clock: Clock, logins: Logins
    ) -> None:
        """``say`` takes a line where a mirror fails; the time that an image may take begins.

        Raises:
            ReferenceSyntaxError: the registry's name leads nowhere.
        """
        self._where = str(name)
        self._say = say
        self._endpoints = endpoints(name, access)
        self.patience = Patience(access.timeouts.total, clock, where=self._where)
        self._transport = Transport(self._where, access.timeouts, self.patience)
        self._auth = Authorizer(self._where, self._transport, logins.find, self.patience, clock)
        self._gone: set[Endpoint] = set()
        self._met: set[Endpoint] = set()
        self._told: set[Endpoint] = set()

    def stop(self) -> None:
        """Make what other threads wait for end soon, with an error."""
        self.patience.stop()
        self._transport.cut()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def digest_of(self, reference: str) -> Digest | None:
        """What the registry says that a tag stands for, by a HEAD request; ``None`` where it does not say."""
        try:
            answer = self._get("manifests", reference, method="HEAD", accept=_ACCEPT, limit=0)
        except RefusedError:
            return None  # GET has a body that tells why
        return _digest(answer)

    def manifest(self, reference: str, *, size: int | None = None) -> Document:
        """A manifest or index by its tag or digest; ``size``: what an index says of it.

        Raises:
            RegistryError: it cannot be had.
            CorruptImageError: its bytes have another digest or size.
        """
        answer = self._get("manifests", reference, accept=_ACCEPT, limit=MANIFEST_LIMIT)
        place = f"{self._where}: {shown(answer.url)}"
        if "html" in answer.content_type:
            raise RefusedError(
                self._where,
                f"{shown(answer.url)} answers with a page for browsers (expected a manifest)",
                hint="It is no registry, or something between here and there wants a login in a browser first.",
            )
        said = _digest(answer)
        asked = Digest(reference) if ":" in reference else None
        for expected in filter(None, (asked, said)):
            check_digest(expected, hashlib.new(expected.algorithm, answer.body).hexdigest(), where=place)
        _check_size(answer.body, size, place)
        digest = asked or said or Digest(f"sha256:{hashlib.sha256(answer.body).hexdigest()}")
        return Document(digest=digest, data=answer.body)

    def small_blob(self, digest: Digest, size: int, *, limit: int) -> bytes:
        """A blob of ``size`` bytes.

        Raises:
            RegistryError: it cannot be had.
            CorruptImageError: its bytes are more than ``limit``, or have another digest or size.
        """
        if size > limit:
            raise CorruptImageError(f"{self._where}: blob {digest.short}: {size} bytes (expected at most {limit})")
        answer = self._get("blobs", digest, limit=limit)
        place = f"{self._where}: {shown(answer.url)}"
        _check_size(answer.body, size, place)
        check_digest(digest, hashlib.new(digest.algorithm, answer.body).hexdigest(), where=place)
        return answer.body

    def blob(self, digest: Digest, start: int) -> Answer:
        """The answer with a blob, from byte ``start`` on; or with status 200, all of it.

        Raises:
            RegistryError: it cannot be had.
        """
        return self._get("blobs", digest, start=start)

    def _get(
        self,
        kind: str,
        reference: str,
        *,
        method: str = "GET",
        accept: str = "*/*",
        start: int = 0,
        limit: int | None = None,
    ) -> Answer:
        """The first good answer. With ``limit``, its body is read; without, that is for the caller."""
        headers = {"Accept": accept} | ({"Range": f"bytes={start}-"} if start else {})
        places = [each for each in self._endpoints if each not in self._gone] or list(self._endpoints)
        failures: list[tuple[Endpoint, PlaceError]] = []
        for number, endpoint in enumerate(places, 1):
            last = number == len(places)
            url = endpoint.url(kind, reference)
            try:
                once = partial(self._once, method, endpoint, url, headers, limit)
                answer = self.patience.answer(
                    once,
                    tries=TRIES if last else MIRROR_TRIES,
                    connecting=(TRIES if endpoint in self._met else FIRST_TRIES) if last else 1,
                )
                self._met.add(endpoint)
                if answer.status in _GOOD or (answer.status == _OUT_OF_RANGE and start):
                    return answer
                raise self._problem(answer, endpoint, kind)
            except PlaceError as error:
                failures.append((endpoint, error))
                if last or not (endpoint.mirror or _speaks_no_tls(error)):
                    break
                self._next(endpoint, error, places[number])
        raise _all_together(failures)

    def _once(self, method: str, endpoint: Endpoint, url: str, headers: dict[str, str], limit: int | None) -> Answer:
        authorization = self._auth.header(endpoint)
        answer = self._transport.send(method, url, headers, authorization=authorization)
        if answer.status == 401 and answer.at_home:
            answer.load_error()
            challenges = parse_challenges(answer.headers("WWW-Authenticate"))
            authorization = self._auth.renew(endpoint, challenges, authorization)
            answer = self._transport.send(method, url, headers, authorization=authorization)
        if answer.status not in _GOOD:
            answer.load_error()
        elif limit is not None:
            answer.load(limit)
        return answer

    def _problem(self, answer: Answer, endpoint: Endpoint, kind: str) -> PlaceError:
        words = self._auth.without_secrets(words_of(answer.body, answer.content_type))
        wait = self.patience.asked_to_wait(answer)
        if not answer.at_home:
            return unexpected(self._where, shown(answer.url), answer.status, words, wait)
        match answer.status:
            case 401:
                return needs_login(self._where, endpoint.host, words, logged_in=self._auth.logged_in(endpoint))
            case 403:
                return forbidden(self._where, endpoint.host, words)
            case 404:
                return absent(self._where, endpoint.host, kind, codes_of(answer.body), words)
            case 429:
                return limited(self._where, endpoint.host, words, wait)
        return unexpected(self._where, endpoint.host, answer.status, words, wait)

    def _next(self, endpoint: Endpoint, error: PlaceError, following: Endpoint) -> None:
        if isinstance(error, UnreachableError):
            self._gone.add(endpoint)
        if endpoint.mirror and endpoint not in self._told:
            self._told.add(endpoint)
            self._say(f"{self._where}: mirror {endpoint.base}: {error.reason}: trying {following.base}")


def _digest(answer: Answer) -> Digest | None:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#legacy-docker-support-http-headers."""
    try:
        return Digest(answer.header("Docker-Content-Digest") or "")
    except ReferenceSyntaxError:
        return None


def _check_size(data: bytes, size: int | None, place: str) -> None:
    if size is not None and len(data) != size:
        raise CorruptImageError(
            f"{place}: {len(data)} bytes (expected {size})", hint="The image is damaged: push it again."
        )


def _speaks_no_tls(error: PlaceError) -> bool:
    """Whether a registry on loopback may be asked by plain HTTP: it did not answer, or not by TLS."""
    return isinstance(error, UnreachableError) and not isinstance(error, UntrustedError)


def _all_together(failures: list[tuple[Endpoint, PlaceError]]) -> PlaceError:
    """What the last place said, and why none of those before it helped."""
    last, error = failures[-1]
    silent = isinstance(error, UnreachableError) and error.connecting
    earlier = [
        f"{place.base}: {problem.reason}"
        for place, problem in failures[:-1]
        if place.mirror or silent or not (isinstance(problem, UnreachableError) and problem.connecting)
    ]
    if not earlier:
        return error
    reason = f"{last.base}: {error.reason} (before that: {'; '.join(earlier)})"
    return type(error)(error.where, reason, hint=error.hint)
