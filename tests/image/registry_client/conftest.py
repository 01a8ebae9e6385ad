"""No proxy, certificate or login of this machine has a part in these tests."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from envsync.image.registry.access import Access
from envsync.image.registry.image import RegistryImage, open_image
from envsync.image.registry.retry import Clock
from envsync.reference import ImageName, Platform
from tests.image.registry_client.proxy import Proxy, proxying
from tests.image.registry_client.server import Respond, Server, serving

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: str) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    (tmp_path / "docker").mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file that tells of the tests' own authority."""
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """For servers that are called 127.0.0.1, or by a name that only a proxy knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "registry.test", "registry-1.docker.io").configure_cert(context)
    return context


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers, which end with the test."""
    with ExitStack() as stack:

        def start(respond: Respond, tls: ssl.SSLContext | None = None) -> Server:
            return stack.enter_context(serving(respond, tls))

        yield start


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy, and name it to all that follows."""
    with ExitStack() as stack:

        def start(
            routes: Mapping[str, int], login: str = "", credentials: str = "", tls: ssl.SSLContext | None = None
        ) -> Proxy:
            proxy = stack.enter_context(proxying(routes, credentials, tls))
            at = f"{login}@" if login else ""
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"{'https' if tls else 'http'}://{at}127.0.0.1:{proxy.port}")
            return proxy

        yield start


@pytest.fixture
def log_in(tmp_path: Path) -> Callable[..., None]:
    """Do as ``docker login`` does."""

    def write(host: str, user: str = "", password: str = "", identity_token: str = "") -> None:
        entry = {"auth": b64encode(f"{user}:{password}".encode()).decode()}
        if identity_token:
            entry["identitytoken"] = identity_token
        (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}), encoding="utf-8")

    return write


class Opener:
    """Opens images without waiting between tries; keeps what was said and how long it would have slept."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.slept: list[float] = []
        self.clock = Clock(sleep=self.slept.append, jitter=lambda: 0.5)
        self.images: list[RegistryImage] = []

    def __call__(
        self,
        name: str,
        platform: Platform | None = None,
        access: Access | None = None,
        *,
        known: object = None,
        defaults: tuple[Platform, ...] = (AMD64,),
    ) -> RegistryImage:
        image = open_image(
            ImageName.parse(name),
            platform,
            access or Access(),
            known=known,  # type: ignore[arg-type]
            say=self.said.append,
            defaults=defaults,
            clock=self.clock,
        )
        self.images.append(image)
        return image


@pytest.fixture
def opened() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    for image in opener.images:
        image.close()
