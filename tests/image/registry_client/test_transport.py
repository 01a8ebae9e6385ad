"""TLS, proxies and redirects; where credentials go, and where they do not."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from envsync.errors import EnvsyncError, RegistryError, UsageError
from envsync.http.proxies import proxy_for
from envsync.image.registry.access import Access, Timeouts
from tests.image.layers import MadeImage, sha, tar_layer
from tests.image.registry_client.conftest import Opener
from tests.image.registry_client.server import Reply, Request, Respond, closed_port, scripted
from tests.image.registry_client.shelf import Passwords, Shelf, basic
from tests.image.registry_client.test_image import tars

TAR = tar_layer({"file": b"one"})
IMAGE = MadeImage(layers=[TAR])
BLOB = f"/blobs/{sha(TAR)}"


def shelf() -> Shelf:
    found = Shelf()
    found.add("app:1", IMAGE)
    return found


def failure(opened: Opener, name: str, access: Access | None = None) -> EnvsyncError:
    with pytest.raises(EnvsyncError) as caught:
        for layer in opened(name, access=access).layers:
            with layer.open() as chunks:
                list(chunks)
    return caught.value


# --- certificates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authorities_of_the_environment(
    variable: str, serve: Any, opened: Opener, tls: ssl.SSLContext, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(variable, certificate)
    assert tars(opened(f"{serve(shelf(), tls).address}/app:1")) == [TAR]


def test_an_authority_that_is_not_trusted(serve: Any, opened: Opener) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = serve(shelf(), context)
    error = failure(opened, f"{server.address}/app:1")
    assert isinstance(error, RegistryError)
    told = f"{server.address}: its certificate is not trusted: unable to get local issuer certificate"
    assert error.message == f"{server.address}/app:1: {told}"
    assert error.hint == (
        "Where a company's own authority signs, name its certificate: SSL_CERT_FILE=/path/to/authority.pem"
    )
    assert opened.slept == []
    assert server.requests == []  # above all, none by plain HTTP


def test_a_certificate_for_another_host(serve: Any, opened: Opener, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.test").configure_cert(context)
    server = serve(shelf(), context)
    error = failure(opened, f"{server.address}/app:1")
    assert "its certificate is not trusted: IP address mismatch" in error.message


@pytest.mark.parametrize(
    ("variable", "content", "problem"),
    [
        ("SSL_CERT_FILE", None, "no such file or folder (expected certificates of authorities)"),
        ("REQUESTS_CA_BUNDLE", None, "no such file or folder (expected certificates of authorities)"),
        ("CURL_CA_BUNDLE", None, "no such file or folder (expected certificates of authorities)"),
        ("SSL_CERT_DIR", None, "no such file or folder (expected certificates of authorities)"),
        ("REQUESTS_CA_BUNDLE", "nonsense", "holds no certificates (expected those of authorities, as PEM)"),
    ],
)
def test_authorities_that_cannot_be_read(
    variable: str,
    content: str | None,
    problem: str,
    opened: Opener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    monkeypatch.setenv(variable, str(path))
    error = failure(opened, "127.0.0.1:1/app:1")
    assert isinstance(error, UsageError)
    assert error.message == f"{variable}: {path}: {problem}"
    assert error.hint == (None if content else f"Correct or unset {variable}.")


# --- proxies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "https://host/", None),
        ({"https_proxy": "http://proxy:3128"}, "https://host/", "http://proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://host/", "http://proxy:3128"),
        ({"https_proxy": "https://proxy"}, "https://host/", "https://proxy"),
        ({"https_proxy": "http://proxy"}, "http://host/", None),
        ({"http_proxy": "http://proxy"}, "http://host/", "http://proxy"),
        ({"all_proxy": "http://proxy"}, "https://host/", "http://proxy"),
        ({"https_proxy": "http://[::1]:1"}, "https://host/", "http://[::1]:1"),
        ({"https_proxy": "http://proxy", "no_proxy": "host"}, "https://host/", None),
        ({"https_proxy": "http://proxy", "no_proxy": "host:5000"}, "https://host:5000/", None),
        ({"https_proxy": "http://proxy", "no_proxy": ".corp,other"}, "https://host.corp/", None),
        ({"https_proxy": "http://proxy", "no_proxy": "*"}, "https://host/", None),
        ({"https_proxy": "http://proxy", "no_proxy": "other"}, "https://host/", "http://proxy"),
        ({"https_proxy": "http://proxy"}, "https://localhost:5000/", None),
        ({"https_proxy": "http://proxy"}, "https://127.0.0.1/", None),
        ({"https_proxy": "http://proxy"}, "https://[::1]/", None),
    ],
)
def test_the_proxy_for_a_url(
    environment: dict[str, str], url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(url)
    assert (found and found.url) == expected


def test_the_credentials_of_a_proxy_are_a_header_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ann:p%40%C3%9F@proxy:1")
    found = proxy_for("https://host/")
    assert found is not None
    assert (found.url, found.headers) == ("http://proxy:1", {"proxy-authorization": basic("ann", "p@ß")})
    assert repr(found) == "Proxy('http://proxy:1')"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks5://ann:pw@proxy", "a proxy of the kind socks5 (expected http or https)"),
        ("http://", "not the URL of a proxy (expected http://HOST:PORT)"),
        ("http://proxy:port", "not the URL of a proxy (expected http://HOST:PORT)"),
    ],
)
def test_proxies_that_cannot_be_used(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", value)
    with pytest.raises(UsageError) as caught:
        proxy_for("https://host/")
    assert caught.value.message == f"HTTPS_PROXY or ALL_PROXY: {message}"


def test_plain_http_through_a_proxy(serve: Any, through: Any, opened: Opener, log_in: Any) -> None:
    log_in("registry.test", "ann", "pw")
    server = serve(Passwords(shelf(), {"ann": "pw"}))
    proxy = through({"registry.test": server.port}, "prox:y", basic("prox", "y"))
    access = Access(mirrors={"registry.test": ("http://registry.test",)})
    assert tars(opened("registry.test/app:1", access=access)) == [TAR]
    assert all(head.startswith("GET http://registry.test/v2/app/") for head in proxy.heads)
    assert all(f"proxy-authorization: {basic('prox', 'y')}" in head for head in proxy.heads)
    assert not any("proxy-authorization" in request.headers for request in server.requests)


def test_https_through_a_proxy(serve: Any, through: Any, opened: Opener, log_in: Any, tls: ssl.SSLContext) -> None:
    log_in("registry.test", "ann", "pw")
    server = serve(Passwords(shelf(), {"ann": "pw"}), tls)
    proxy = through({"registry.test:443": server.port}, "prox:y", basic("prox", "y"))
    assert tars(opened("registry.test/app:1")) == [TAR]
    assert all(head.startswith("CONNECT registry.test:443 ") for head in proxy.heads)
    assert all(f"proxy-authorization: {basic('prox', 'y')}" in head for head in proxy.heads)
    assert not any("\r\nauthorization" in head.lower() for head in proxy.heads)
    assert not any("proxy-authorization" in request.headers for request in server.requests)


def test_a_proxy_that_speaks_tls(serve: Any, through: Any, opened: Opener, tls: ssl.SSLContext) -> None:
    plain, secure = serve(shelf()), serve(shelf(), tls)
    proxy = through({"registry.test:443": secure.port, "registry.test": plain.port}, tls=tls)
    assert tars(opened("registry.test/app:1")) == [TAR]
    access = Access(mirrors={"registry.test": ("http://registry.test",)})
    assert tars(opened("registry.test/app:1", access=access)) == [TAR]
    assert {head.partition(" HTTP")[0].partition("/v2")[0] for head in proxy.heads} == {
        "CONNECT registry.test:443",
        "GET http://registry.test",
    }


def test_loopback_needs_no_proxy(serve: Any, through: Any, opened: Opener) -> None:
    proxy = through({})
    assert tars(opened(f"{serve(shelf()).address}/app:1")) == [TAR]
    assert proxy.heads == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("credentials", "reason", "hint"),
    [
        (
            "Basic x",
            "Tunnel connection failed: 407 Proxy Authentication Required",
            "Its login belongs into its URL: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        ),
        (
            "",
            "Tunnel connection failed: 502 Bad Gateway",
            "HTTPS_PROXY and HTTP_PROXY name the proxy, NO_PROXY the hosts that are reached without one.",
        ),
    ],
)
def test_a_proxy_that_refuses(credentials: str, reason: str, hint: str, through: Any, opened: Opener) -> None:
    proxy = through({}, "ann:secret", credentials)
    error = failure(opened, "registry.test/app:1")
    assert error.message == (
        f"registry.test/app:1: registry.test cannot be reached through the proxy 127.0.0.1:{proxy.port}: {reason}"
    )
    assert error.hint == hint
    assert len(proxy.heads) == (1 if credentials else 2)
    del error
    gc.collect()  # Python 3.10 leaves the socket of a tunnel that failed to the garbage collector, and says so


def test_a_proxy_that_is_not_there(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    monkeypatch.setenv("https_proxy", f"http://ann:secret@127.0.0.1:{port}")
    error = failure(opened, "registry.test/app:1")
    assert error.message == (
        f"registry.test/app:1: registry.test cannot be reached through the proxy 127.0.0.1:{port}: connection refused"
    )
    assert opened.slept == [0.5]


# --- redirects -----------------------------------------------------------------------------------------


def sent_to(part: str, target: Callable[[Request], str], inside: Respond, status: int = 307) -> Respond:
    """Requests for ``part`` are redirected."""

    def respond(request: Request) -> Reply:
        if part in request.path:
            return Reply(status=status, headers={"Location": target(request)}, body=b"over there")
        return inside(request)

    return respond


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_blob_that_lies_elsewhere(status: int, serve: Any, opened: Opener, log_in: Any) -> None:
    storage = serve(shelf())
    there = f"{storage.url}/v2/app{BLOB}?X-Amz-Signature=secret"
    storage.respond = lambda request: Reply(body=TAR)
    server = serve(Passwords(sent_to(BLOB, lambda request: there, shelf(), status), {"ann": "pw"}))
    log_in(server.address, "ann", "pw")
    assert tars(opened(f"{server.address}/app:1")) == [TAR]
    assert [request.path for request in storage.requests] == [there.removeprefix(storage.url)]
    assert "authorization" not in storage.requests[0].headers
    assert [request.authorization for request in server.asked(BLOB)] == [basic("ann", "pw")]


def test_a_redirect_within_the_registry_keeps_the_login(serve: Any, opened: Opener, log_in: Any) -> None:
    inside = sent_to(
        BLOB, lambda request: "/elsewhere", lambda r: Reply(body=TAR) if "elsewhere" in r.path else shelf()(r)
    )
    server = serve(Passwords(inside, {"ann": "pw"}))
    log_in(server.address, "ann", "pw")
    assert tars(opened(f"{server.address}/app:1")) == [TAR]
    assert [request.authorization for request in server.asked("/elsewhere")] == [basic("ann", "pw")]


def test_a_login_that_left_does_not_come_back(serve: Any, opened: Opener, log_in: Any) -> None:
    server = serve(shelf())
    other = serve(sent_to("/", lambda request: f"{server.url}/back", shelf()))
    inside = sent_to(BLOB, lambda request: f"{other.url}/there", shelf())
    door = Passwords(inside, {"ann": "pw"})
    server.respond = lambda request: Reply(body=TAR) if request.path == "/back" else door(request)
    log_in(server.address, "ann", "pw")
    assert tars(opened(f"{server.address}/app:1")) == [TAR]
    assert [request.authorization for request in server.asked("/back")] == [None]


def test_what_storage_refuses_is_told_without_its_signature(serve: Any, opened: Opener) -> None:
    storage = serve(lambda request: Reply(status=403, body=b"<Error>", headers={"Content-Type": "application/xml"}))
    there = f"{storage.url}/b?sig=secret"
    server = serve(sent_to(BLOB, lambda request: there, shelf()))
    error = failure(opened, f"{server.address}/app:1")
    assert error.message == f"{server.address}/app:1: {storage.url}/b answers 403"
    storage.respond = lambda request: Reply(body=TAR + b"x")
    error = failure(opened, f"{server.address}/app:1")
    assert error.message == (
        f"{server.address}/app: layer 1 of 1: {storage.url}/b: {len(TAR) + 1} bytes (expected {len(TAR)}, {sha(TAR)})"
    )
    storage.respond = lambda request: Reply(hang_up=True)
    error = failure(opened, f"{server.address}/app:1")
    assert "secret" not in error.message
    assert f"{storage.address} cannot be reached: it was closed before the end" in error.message


def test_a_challenge_of_storage_is_not_answered(serve: Any, opened: Opener, log_in: Any) -> None:
    storage = serve(lambda request: Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
    server = serve(sent_to(BLOB, lambda request: f"{storage.url}/b", shelf()))
    log_in(server.address, "ann", "pw")
    error = failure(opened, f"{server.address}/app:1")
    assert error.message == f"{server.address}/app:1: {storage.url}/b answers 401"
    assert len(storage.requests) == 1


def test_redirects_are_made_again_after_a_break(serve: Any, opened: Opener) -> None:
    """A signed URL is good for some minutes: the next one is asked for, and not the old one again."""
    served = iter(
        [
            Reply(body=TAR, cut=100),
            Reply(status=206, body=TAR[100:], headers={"Content-Range": f"bytes 100-{len(TAR) - 1}/{len(TAR)}"}),
        ]
    )
    storage = serve(lambda request: next(served))
    number = iter(range(10))
    server = serve(sent_to(BLOB, lambda request: f"{storage.url}/b?sig={next(number)}", shelf()))
    assert tars(opened(f"{server.address}/app:1")) == [TAR]
    assert [(each.path, each.headers.get("range")) for each in storage.requests] == [
        ("/b?sig=0", None),
        ("/b?sig=1", "bytes=100-"),
    ]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (lambda request: request.path, "redirects in a circle"),
        (lambda request: request.path + "x", "redirects more than 10 times"),
    ],
)
def test_redirects_without_end(target: Any, problem: str, serve: Any, opened: Opener) -> None:
    server = serve(sent_to("/blobs/", target, shelf()))
    error = failure(opened, f"{server.address}/app:1")
    assert isinstance(error, RegistryError)
    url = f"{server.url}/v2/app/blobs/{sha(IMAGE.config)}"
    assert error.message == f"{server.address}/app:1: {url} {problem}"
    assert len(server.asked("/blobs/")) == (1 if "circle" in problem else 11)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "ftp://host/",
        "file:///etc/passwd",
        "https://",
        "https://u:pw@host/",
        "https://host:99999/",
        "//[",
        "https://hö/",
    ],
)
def test_redirects_to_nowhere(location: str, serve: Any, opened: Opener) -> None:
    server = serve(sent_to("/blobs/", lambda request: location, shelf()))
    error = failure(opened, f"{server.address}/app:1")
    url = f"{server.url}/v2/app/blobs/{sha(IMAGE.config)}"
    assert error.message == (
        f"{server.address}/app:1: {url} redirects to a place that is no URL (expected one of http or https)"
    )


def test_from_https_to_plain_http(serve: Any, through: Any, opened: Opener, tls: ssl.SSLContext) -> None:
    plain = serve(lambda request: Reply(body=TAR))
    server = serve(sent_to(BLOB, lambda request: f"{plain.url}/b?sig=secret", shelf()), tls)
    through({"registry.test:443": server.port})
    error = failure(opened, "registry.test/app:1")
    assert error.message == (
        f"registry.test/app:1: https://registry.test/v2/app{BLOB} redirects from https to plain http, "
        f"at {plain.address}: not followed"
    )
    assert plain.requests == []
    assert tars(opened(f"{server.address}/app:1")) == [TAR]  # both on loopback


# --- no answer -----------------------------------------------------------------------------------------


def test_no_answer_in_time(serve: Any, opened: Opener) -> None:
    server = serve(scripted(*[Reply(wait=5)] * 5, then=shelf()))
    access = Access(mirrors={server.address: (server.url,)}, timeouts=Timeouts(idle=0.1))
    error = failure(opened, f"{server.address}/app:1", access)
    assert error.message == f"{server.address}/app:1: {server.address} cannot be reached: no answer within 0.1 s"
    assert len(server.requests) == 5


def test_tls_where_there_is_none(serve: Any, opened: Opener) -> None:
    server = serve(shelf())
    access = Access(mirrors={server.address: (f"https://{server.address}",)})
    error = failure(opened, f"{server.address}/app:1", access)
    assert error.message.startswith(f"{server.address}/app:1: {server.address} cannot be reached: TLS fails (")
    assert opened.slept == []
