"""Logins: tokens and passwords, whose they are, how long they last, and what is said where they do not do."""

from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from envsync.errors import EnvsyncError, RegistryError, UsageError
from envsync.image.registry.access import Access
from envsync.image.registry.retry import Clock
from tests.image.layers import MadeImage, sha, tar_layer
from tests.image.registry_client.conftest import Opener
from tests.image.registry_client.server import Reply, Request, Respond, Server, closed_port
from tests.image.registry_client.shelf import JSON, Passwords, Shelf, Tokens, basic, problem, query
from tests.image.registry_client.test_image import tars

LAYERS = [tar_layer({"file": bytes([number]) * 50_000}) for number in range(6)]
IMAGE = MadeImage(layers=LAYERS)
SPELLING = "Check the spelling. For a private image: docker login"


def shelf() -> Shelf:
    found = Shelf()
    found.add("team/app:1", IMAGE)
    return found


def guarded(serve: Any, **options: Any) -> tuple[Server, Tokens]:
    """A registry with a token server of its own."""
    tokens = Tokens(shelf(), **options)
    server = serve(tokens)
    tokens.realm = f"{server.url}/token"
    return server, tokens


def name_of(server: Server) -> str:
    return f"{server.address}/team/app:1"


def failure(opened: Opener, name: str, access: Access | None = None) -> EnvsyncError:
    with pytest.raises(EnvsyncError) as caught:
        opened(name, access=access)
    return caught.value


# --- tokens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_a_token_for_everybody(key: str, serve: Any, opened: Opener) -> None:
    server, _ = guarded(serve, key=key)
    assert tars(opened(name_of(server))) == LAYERS
    (asked,) = server.asked("/token")
    assert query(asked) == {"service": ["shelf, the"], "scope": ["repository:team/app:pull"]}
    assert asked.authorization is None
    refused, *rest = [each.authorization for each in server.asked("/v2/")]
    assert refused is None
    assert set(rest) == {"Bearer token-1"}


def test_a_login_is_for_the_token_server_alone(serve: Any, opened: Opener, log_in: Any) -> None:
    server, _ = guarded(serve, users={"ann": "p:w"})
    log_in(server.address, "ann", "p:w")
    assert tars(opened(name_of(server))) == LAYERS
    assert [each.authorization for each in server.asked("/token")] == [basic("ann", "p:w")]
    assert {each.authorization for each in server.asked("/v2/")} == {None, "Bearer token-1"}


def test_identity_tokens_are_changed_for_tokens(serve: Any, opened: Opener, log_in: Any) -> None:
    server, _ = guarded(serve, identity_token="refresh&me", key="access_token")
    log_in(server.address, "ann", identity_token="refresh&me")
    assert tars(opened(name_of(server))) == LAYERS
    (asked,) = server.asked("/token", "POST")
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["shelf, the"],
        "client_id": ["envsync"],
        "scope": ["repository:team/app:pull"],
        "refresh_token": ["refresh&me"],
    }
    assert (asked.path, asked.headers["content-type"]) == ("/token", "application/x-www-form-urlencoded")


def test_a_refresh_token_is_not_sent_on(serve: Any, opened: Opener, log_in: Any) -> None:
    other = serve(lambda request: Reply(body=b'{"token": "x"}'))
    tokens = Tokens(shelf())
    server = serve(
        lambda request: (
            Reply(status=307, headers={"Location": other.url}) if request.method == "POST" else tokens(request)
        )
    )
    tokens.realm = f"{server.url}/token"
    log_in(server.address, identity_token="refresh")
    error = failure(opened, name_of(server))
    assert error.message == f"{name_of(server)}: the token server {server.address} answers 307"
    assert other.requests == []


def test_the_scope_is_that_of_the_registry_and_never_more_than_to_pull(serve: Any, opened: Opener) -> None:
    asked: list[dict[str, list[str]]] = []

    def respond(request: Request) -> Reply:
        if request.path.startswith("/token"):
            asked.append(query(request))
            return Reply(body=b'{"token": "abc"}')
        scope = "repository:behind/app:pull,push,delete repository:team/app:pull registry:catalog:* repository:x:push"
        challenge = f'Basic realm="a", Bearer realm="{server.url}/token?a=b#c",scope="{scope}"'
        return shelf()(request) if request.authorization else Reply(status=401, headers={"WWW-Authenticate": challenge})

    server = serve(respond)
    opened(name_of(server))
    assert asked == [{"a": ["b"], "scope": ["repository:team/app:pull", "repository:behind/app:pull"]}]


def test_a_mirror_has_its_own_scope_and_login(serve: Any, opened: Opener, log_in: Any) -> None:
    inside = Shelf()
    inside.add("hub/team/app:1", IMAGE)
    tokens = Tokens(inside, users={"ann": "pw"})
    mirror = serve(tokens)
    tokens.realm = f"{mirror.url}/token"
    log_in(mirror.address, "ann", "pw")
    access = Access(mirrors={"registry.test": (f"{mirror.url}/hub",)})
    assert tars(opened("registry.test/team/app:1", access=access)) == LAYERS
    assert [query(each)["scope"] for each in mirror.asked("/token")] == [["repository:hub/team/app:pull"]]


def test_the_login_of_the_registry_is_not_for_its_mirrors(serve: Any, opened: Opener, log_in: Any) -> None:
    home = serve(Passwords(shelf(), {"ann": "pw"}))
    mirror = serve(Passwords(shelf(), {"ann": "pw"}))
    log_in(home.address, "ann", "pw")
    access = Access(mirrors={home.address: (mirror.url, home.url)})
    assert tars(opened(name_of(home), access=access)) == LAYERS
    assert {each.authorization for each in mirror.requests} == {None}
    assert opened.said == [f"{name_of(home)}: mirror {mirror.url}: {mirror.address} needs a login: trying {home.url}"]


# --- how long tokens last ------------------------------------------------------------------------------


def test_a_token_that_is_over_is_renewed_when_refused(serve: Any, opened: Opener) -> None:
    server, tokens = guarded(serve, uses=3)
    assert tars(opened(name_of(server))) == LAYERS
    assert tokens.given == 3  # eight requests


def test_a_layer_is_taken_up_with_a_new_token(serve: Any, opened: Opener) -> None:
    inside = shelf()
    cuts = [20_000, 30_000]

    def cutting(request: Request) -> Reply:
        whole = inside(request)
        if sha(LAYERS[0]) not in request.path or not cuts:
            return whole
        tokens.used.clear()  # all tokens so far are over
        return Reply(**{**vars(whole), "cut": cuts.pop(0)})

    tokens = Tokens(cutting)
    server = serve(tokens)
    tokens.realm = f"{server.url}/token"
    assert tars(opened(name_of(server))) == LAYERS
    assert [(each.authorization, each.headers.get("range")) for each in server.asked(sha(LAYERS[0]))] == [
        ("Bearer token-1", None),
        ("Bearer token-1", "bytes=20000-"),
        ("Bearer token-2", "bytes=20000-"),
        ("Bearer token-2", "bytes=50000-"),
        ("Bearer token-3", "bytes=50000-"),
    ]


@pytest.mark.parametrize(("answer", "lifetime"), [({"expires_in": 300}, 295), ({}, 55), ({"expires_in": "4"}, 2)])
def test_a_token_is_renewed_before_it_ends(
    answer: dict[str, object], lifetime: int, serve: Any, opened: Opener
) -> None:
    now = [1000.0]
    opened.clock = Clock(monotonic=lambda: now[0], sleep=opened.slept.append)
    server, tokens = guarded(serve, answer=answer)
    image = opened(name_of(server))
    now[0] += lifetime - 0.1
    tars(image)
    assert tokens.given == 1
    now[0] += 0.1
    assert tars(image) == LAYERS
    assert tokens.given == 2
    assert [each.authorization for each in server.asked("/v2/")].count(None) == 1


def test_one_renewal_is_for_all_threads(serve: Any, opened: Opener) -> None:
    server, tokens = guarded(serve)
    image = opened(name_of(server))
    tokens.used.clear()
    together = threading.Barrier(len(LAYERS))

    def read(number: int) -> bytes:
        together.wait()
        with image.layers[number].open() as chunks:
            return b"".join(map(bytes, chunks))

    with ThreadPoolExecutor(len(LAYERS)) as pool:
        assert list(pool.map(read, range(len(LAYERS)))) == LAYERS
    assert tokens.given == 2


# --- passwords -----------------------------------------------------------------------------------------


def test_a_registry_that_takes_passwords(serve: Any, opened: Opener, log_in: Any) -> None:
    server = serve(Passwords(shelf(), {"änn": "p:w"}))
    log_in(server.address, "änn", "p:w")
    assert tars(opened(name_of(server))) == LAYERS
    assert [each.authorization for each in server.requests].count(None) == 1


def test_a_registry_that_wants_a_login(serve: Any, opened: Opener) -> None:
    server = serve(Passwords(shelf(), {"ann": "pw"}))
    error = failure(opened, name_of(server))
    assert isinstance(error, RegistryError)
    assert error.message == f"{name_of(server)}: {server.address} needs a login"
    assert error.hint == f"docker login {server.address}"
    assert len(server.requests) == 1


def test_a_login_that_is_not_good_enough(serve: Any, opened: Opener, log_in: Any) -> None:
    server = serve(Passwords(shelf(), {"ann": "pw"}))
    log_in(server.address, "ann", "old")
    error = failure(opened, name_of(server))
    assert error.message == (
        f"{name_of(server)}: {server.address} does not accept the login that is stored for it: authentication required"
    )
    assert error.hint == f"docker login {server.address}"
    assert len(server.requests) == 2


def test_a_refusal_by_https_is_not_carried_to_plain_http(
    serve: Any, opened: Opener, log_in: Any, tls: ssl.SSLContext
) -> None:
    server = serve(Passwords(shelf(), {"ann": "pw"}), tls)
    error = failure(opened, name_of(server))
    assert error.message == f"{name_of(server)}: {server.address} needs a login"
    log_in(server.address, "ann", "pw")
    assert tars(opened(name_of(server))) == LAYERS


@pytest.mark.parametrize(
    ("challenge", "asked"), [("Negotiate", "negotiate"), ("", "nothing"), ("Digest realm=a, NTLM", "digest, ntlm")]
)
def test_other_ways_to_log_in(challenge: str, asked: str, serve: Any, opened: Opener) -> None:
    server = serve(lambda request: Reply(status=401, headers={"WWW-Authenticate": challenge}))
    error = failure(opened, name_of(server))
    assert error.message == (f"{name_of(server)}: {server.address} wants a login by {asked} (expected Bearer or Basic)")


def test_a_damaged_file_of_logins_matters_where_a_login_is_wanted(serve: Any, opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "docker" / "config.json").write_text("{", encoding="utf-8")
    assert tars(opened(f"{serve(shelf()).address}/team/app:1")) == LAYERS
    error = failure(opened, name_of(serve(Passwords(shelf(), {}))))
    assert isinstance(error, UsageError)
    assert error.message == f"{tmp_path}/docker/config.json: Input data was truncated"


# --- what a token server answers -----------------------------------------------------------------------


def test_two_refusals_in_a_row_are_the_end(serve: Any, opened: Opener) -> None:
    server, tokens = guarded(serve, uses=0)
    error = failure(opened, name_of(server))
    assert error.message == f"{name_of(server)}: {server.address} needs a login: authentication required"
    assert error.hint == f"docker login {server.address}"
    assert (tokens.given, len(server.asked("/v2/"))) == (1, 2)


def test_docker_hub_says_so_of_what_there_is_not(serve: Any, through: Any, opened: Opener, tls: ssl.SSLContext) -> None:
    tokens = Tokens(shelf(), uses=0, realm="https://registry.test/token")
    server = serve(tokens, tls)
    through({"registry-1.docker.io:443": server.port, "registry.test:443": server.port})
    error = failure(opened, "team/nothing:1")
    assert error.message == "team/nothing:1: not on Docker Hub, or it needs a login: authentication required"
    assert error.hint == SPELLING
    assert [each.path for each in server.asked("/v2/")] == ["/v2/team/nothing/manifests/1"] * 2


def test_a_login_that_the_token_server_refuses(serve: Any, opened: Opener, log_in: Any) -> None:
    server, _ = guarded(serve, users={"ann": "pw"})
    log_in(server.address, "ann", "old")
    error = failure(opened, name_of(server))
    assert error.message == (
        f"{name_of(server)}: {server.address} does not accept the login that is stored for it: "
        "incorrect username or password"
    )
    assert len(server.asked("/token")) == 1


def answering(serve: Any, reply: Reply) -> Server:
    tokens = Tokens(shelf())
    server: Server = serve(lambda request: reply if request.path.startswith("/token") else tokens(request))
    tokens.realm = f"{server.url}/token"
    return server


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (problem(401, "UNAUTHORIZED", "who is it"), "HOST needs a login: who is it"),
        (problem(403, "DENIED", "not you"), "HOST denies it: not you"),
        (problem(404, "", "nothing here"), "the token server HOST answers 404: nothing here"),
        (problem(500, "", "a bad day"), "the token server HOST answers 500: a bad day"),
        (
            problem(429, "", "slow down", Retry_After="100"),
            "HOST lets no more pulls through for now; it asks to wait 100 s: slow down",
        ),
        *(
            (Reply(body=body, headers=JSON), "the token server http://HOST/token answers without a token")
            for body in (
                b"",
                b"{",
                b"{}",
                b"[]",
                b'{"token": ""}',
                b'{"token": 1}',
                b'{"token": "a\\r\\nX: y"}',
                b'{"token": "\xc3\xa4"}',
                b'{"token": "a b"}',
            )
        ),
        (Reply(body=b" " * ((1 << 20) + 1)), "the token server http://HOST/token: its answer is too long"),
    ],
)
def test_answers_without_a_token(reply: Reply, message: str, serve: Any, opened: Opener) -> None:
    server = answering(serve, reply)
    error = failure(opened, name_of(server))
    assert isinstance(error, RegistryError)
    told = error.message.partition("?")[0]
    assert told == f"{name_of(server)}: {message.replace('HOST', server.address)}"
    assert len(server.asked("/token")) == (5 if reply.status == 500 else 1)
    assert len(server.asked("/v2/")) == 1


def test_a_token_server_that_is_not_there(serve: Any, opened: Opener) -> None:
    tokens = Tokens(shelf(), realm=f"http://127.0.0.1:{closed_port()}/token")
    server = serve(tokens)
    error = failure(opened, name_of(server))
    assert error.message == (f"{name_of(server)}: {tokens.realm[7:-6]} cannot be reached: connection refused")
    assert opened.slept == [0.5, 1, 2, 4]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "realm",
    ["", "token", "ftp://host/", "https://ann:pw@host/", "https://ho st/", "https://host:99999/", "https://hö/"],
)
def test_token_servers_that_are_no_url(realm: str, serve: Any, opened: Opener) -> None:
    server = serve(Tokens(shelf(), realm=realm))
    error = failure(opened, name_of(server))
    assert error.message == (
        f"{name_of(server)}: {server.address} names a token server that is no URL "
        '(expected realm="https://…" in its challenge)'
    )


@pytest.mark.parametrize("realm", ["http://auth.test/token", "http://127.0.0.1:1/token", "http://registry.test/token"])
def test_token_servers_on_plain_http(
    realm: str, serve: Any, through: Any, opened: Opener, log_in: Any, tls: ssl.SSLContext
) -> None:
    log_in("registry.test", "ann", "pw")
    server = serve(Tokens(shelf(), realm=realm), tls)
    proxy = through({"registry.test:443": server.port})
    error = failure(opened, "registry.test/team/app:1")
    host = realm.split("/")[2]
    assert error.message == (
        f"registry.test/team/app:1: registry.test names a token server on plain http, {host}: "
        "not asked (expected https)"
    )
    assert all(head.startswith("CONNECT registry.test:443 ") for head in proxy.heads)


def test_a_registry_that_is_plain_http_by_choice_may_have_its_token_server_there(
    serve: Any, through: Any, opened: Opener, log_in: Any
) -> None:
    log_in("registry.test", "ann", "pw")
    tokens = Tokens(shelf(), realm="http://registry.test/token", users={"ann": "pw"})
    through({"registry.test": serve(tokens).port})
    access = Access(mirrors={"registry.test": ("http://registry.test",)})
    assert tars(opened("registry.test/team/app:1", access=access)) == LAYERS


def test_what_a_registry_was_told_it_cannot_make_us_say(serve: Any, opened: Opener, log_in: Any) -> None:
    def respond(request: Request) -> Reply:
        if request.authorization is None:
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return problem(403, "DENIED", f"{request.authorization} is not welcome, nor is hunter2")

    server = serve(respond)
    log_in(server.address, "ann", "hunter2")
    error = failure(opened, name_of(server))
    assert error.message == (
        f"{name_of(server)}: {server.address} denies it: Basic withheld is not welcome, nor is withheld"
    )


def test_tokens_are_kept_out_of_what_is_said(serve: Any, opened: Opener) -> None:
    inside: Respond = lambda request: problem(403, "DENIED", f"{request.authorization} may not")  # noqa: E731
    tokens = Tokens(inside)
    server = serve(tokens)
    tokens.realm = f"{server.url}/token"
    error = failure(opened, name_of(server))
    assert error.message == f"{name_of(server)}: {server.address} denies it: Bearer withheld may not"
