"""No proxy, certificate or login of this machine has a part in these tests."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from envsync.image.registry.access import Access
from envsync.image.registry.image import RegistryImage, open_image
from envsync.image.registry.retry import Clock
from envsync.reference import ImageName, Platform
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
    """For servers that are called 127.0.0.1 or registry.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "registry.test").configure_cert(context)
    return context


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers, which end with the test."""
    with ExitStack() as stack:

        def start(respond: Respond, tls: ssl.SSLContext | None = None) -> Server:
            return stack.enter_context(serving(respond, tls))

        yield start


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
