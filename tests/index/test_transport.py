"""Connections to indexes: certificates, proxies, where they lead."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from envsync.errors import UsageError
from envsync.http.proxies import parse_proxy
from envsync.index import Listed, Pin, Unanswered
from envsync.index.access import Index, IndexSettings
from envsync.index.client import Indexes
from tests.image.registry_client.proxy import proxying
from tests.image.registry_client.server import Reply, Respond, Server, serving
from tests.imagekit.index_server import ServedIndex
from tests.imagekit.wheels import make_wheel

Serve = Callable[[Respond], Server]
_BASIC = f"Basic {b64encode(b'user:secret').decode()}"
FOO = Pin(name="foo", version="1.0")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "index.test").configure_cert(context)
    return context


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def shelf() -> ServedIndex:
    index = ServedIndex()
    index.add("foo", make_wheel("foo", "1.0", {}))
    return index


def found(url: str, **more: object) -> Listed | Unanswered:
    with Indexes(IndexSettings(indexes=(Index(url=f"{url}/simple"),), **more)) as client:  # type: ignore[arg-type]
        return client.find([FOO])[FOO]


def test_certificates(authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    with serving(shelf(), tls) as server:
        refused = found(server.url)
        assert isinstance(found(server.url, cert=path), Listed)
        assert isinstance(found(server.url, trusted_hosts=("127.0.0.1",)), Listed)
        assert isinstance(found(server.url, trusted_hosts=(server.address,)), Listed)
        assert isinstance(found(server.url, trusted_hosts=("127.0.0.1:1", "other")), Unanswered)
    assert isinstance(refused, Unanswered)
    assert not refused.absent
    assert refused.reason.startswith(f"{server.address}: its certificate is not trusted: ")


def test_certificates_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    path.write_text("nothing")
    with pytest.raises(UsageError) as caught:
        found("https://127.0.0.1:1", cert=path)
    assert caught.value.message == f"cert: {path}: holds no certificates (expected those of authorities, as PEM)"


def test_from_https_to_plain_http(tls: ssl.SSLContext) -> None:
    with serving(lambda _request: Reply(status=302, headers={"Location": "http://other.test/x"}), tls) as server:
        refused = found(server.url, trusted_hosts=("127.0.0.1",))
    assert isinstance(refused, Unanswered)
    assert refused.reason == (
        f"{server.url}/simple/foo/: redirects from https to plain http, at other.test: not followed"
    )


@pytest.mark.parametrize("secure", [True, False])
def test_the_proxy_of_the_settings(secure: bool, tls: ssl.SSLContext) -> None:
    with (
        serving(shelf(), tls if secure else None) as server,
        proxying(dict.fromkeys(("index.test", "index.test:443"), server.port), _BASIC) as proxy,
    ):
        named = parse_proxy(f"user:secret@127.0.0.1:{proxy.port}", "pip: proxy")
        url = "https://index.test" if secure else "http://index.test"
        assert isinstance(found(url, proxy=named, trusted_hosts=("index.test",)), Listed)
        assert isinstance(found(server.url, proxy=named, trusted_hosts=("127.0.0.1",)), Listed)  # loopback: none
        wrong = found(url, proxy=parse_proxy(f"127.0.0.1:{proxy.port}", "pip: proxy"))
    assert isinstance(wrong, Unanswered)
    assert "secret" not in wrong.reason
