"""Channels as the user's configuration says that they are reached."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme
from msgspec.structs import replace

from envsync.conda_config.network import Network, make_client, network_variables
from envsync.errors import BuildError, UsageError
from envsync.model import CondaPackage, Snapshot
from tests.build.conda.making import make, only_md5, with_packages
from tests.imagekit.conda_channel import BASE, Served, channel_folder, serve

pytestmark = pytest.mark.network


def test_offline_takes_all_from_the_cache_or_says_what_is_not_there(
    lock: Snapshot, served: Served, tmp_path: Path
) -> None:
    with pytest.raises(BuildError) as caught:
        make(with_packages(lock, only_md5), tmp_path / "twin", served, network=Network(offline=True))
    assert caught.value.message == (
        "ca-certificates, demo-hook, demo-lib, demo-tool, openssl, pip, python, setuptools and 4 more: "
        "not in the package cache, and the network is not to be used"
    )
    assert served.paths == []
    for one in (lock, with_packages(lock, only_md5)):
        make(one, tmp_path / "fetched", served, anew=True)
        asked = len(served.paths)
        make(one, tmp_path / "twin", served, anew=True, network=Network(offline=True))
        assert len(served.paths) == asked


def test_certificates_and_a_proxy_of_the_users_configuration(lock: Snapshot, tmp_path: Path) -> None:
    """A proxy that is not there shows that it was asked; the variables are gone afterwards."""
    before = dict(os.environ)
    network = Network(proxies={"http": "http://127.0.0.1:1"}, certificates=str(tmp_path / "none.pem"))
    with pytest.raises(BuildError, match="Connection refused"):
        make(lock, tmp_path / "twin", places=lambda _channel: ("http://192.0.2.1/main",), network=network)
    assert dict(os.environ) == before


def test_an_own_certificate_authority(lock: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with _https(authority) as url:

        def places(channel: str) -> tuple[str, ...]:
            return (channel.replace(BASE, url),)

        with pytest.raises(BuildError) as caught:
            make(lock, tmp_path / "twin", places=places)
        assert "invalid peer certificate" in caught.value.message
        assert caught.value.hint is not None
        assert "SSL_CERT_FILE" in caught.value.hint
        make(lock, tmp_path / "known", places=places, network=Network(certificates=str(tmp_path / "ca.pem")))
        monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "empty"))
        make(lock, tmp_path / "any", places=places, network=Network(insecure=True))


def test_each_channel_of_a_host_has_its_own_login(lock: Snapshot, two_channels: Path, tmp_path: Path) -> None:
    with serve(two_channels, user={"main": "anna:one", "other": "bert:two"}) as server:

        def places(channel: str) -> tuple[str, ...]:
            user = "bert:two" if channel.endswith("/other") else "anna:one"
            return (channel.replace(BASE, server.url.replace("//", f"//{user}@")),)

        make(with_packages(lock, _six_elsewhere), tmp_path / "twin", places=places)
    assert any(path.startswith("/other/") for path in server.paths)


def test_a_login_is_not_for_other_channels_of_the_host(lock: Snapshot, two_channels: Path, tmp_path: Path) -> None:
    with serve(two_channels, user={"main": "anna:one"}) as server:

        def places(channel: str) -> tuple[str, ...]:
            user = "" if channel.endswith("/other") else "anna:one@"
            return (channel.replace(BASE, server.url.replace("//", f"//{user}")),)

        make(with_packages(lock, _six_elsewhere), tmp_path / "twin", places=places)
    assert {path.split("/")[1] for path in server.paths} == {"main", "other"}
    assert {path.split("/")[1] for path in server.logged_in} == {"main"}


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "%31%32%37.0.0.1"])
def test_a_login_goes_to_no_other_port_of_its_host(
    lock: Snapshot, two_channels: Path, tmp_path: Path, host: str
) -> None:
    with serve(two_channels, user="anna:s3cret") as server, serve(two_channels) as other:
        elsewhere = other.url.replace("127.0.0.1", host)

        def places(channel: str) -> tuple[str, ...]:
            if channel.endswith("/other"):
                return (channel.replace(BASE, elsewhere),)
            return (channel.replace(BASE, server.url.replace("//", "//anna:s3cret@")),)

        with pytest.raises(UsageError) as caught:
            make(with_packages(lock, _six_elsewhere), tmp_path / "twin", places=places)
    assert caught.value.message == (
        f"127.0.0.1: channels at {server.url} and {other.url}, and a login for one of them"
        " (expected one scheme and port of a host with a login)"
    )
    assert caught.value.hint is not None
    assert "custom_channels" in caught.value.hint
    assert server.paths == other.paths == []
    assert not (tmp_path / "twin").exists()


def test_a_login_does_not_go_in_clear_text_where_it_was_for_tls() -> None:
    places = {f"{BASE}/main": "https://anna:s3cret@h.example/main", f"{BASE}/other": "http://h.example/other"}
    with pytest.raises(UsageError, match=r"^h\.example: channels at https://h\.example and http://h\.example, and a "):
        make_client(places, Network())
    make_client({**places, f"{BASE}/other": "https://H.example:443/other"}, Network())


def test_a_login_is_not_sent_where_certificates_are_not_verified(lock: Snapshot, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with _https(authority) as url:

        def places(channel: str) -> tuple[str, ...]:
            return (channel.replace(BASE, url.replace("//", "//anna:s3cret@")),)

        with pytest.raises(UsageError) as caught:
            make(lock, tmp_path / "twin", places=places, network=Network(insecure=True))
        make(lock, tmp_path / "known", places=places, network=Network(certificates=str(tmp_path / "ca.pem")))
    assert caught.value.message == (
        "ssl_verify: false, and a login for localhost"
        " (expected certificates that are verified where a password is sent)"
    )
    assert caught.value.hint == (
        "Let ssl_verify of .condarc, or CONDA_SSL_VERIFY, name the file of the channel's authority,"
        " or take user and password out of the URL."
    )
    assert not (tmp_path / "twin").exists()


def test_a_proxy_for_one_host_does_not_count() -> None:
    before = dict(os.environ)
    with network_variables(Network(proxies={"http://192.0.2.1": "http://127.0.0.1:1"})):
        assert dict(os.environ) == before


@pytest.fixture(scope="module")
def two_channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same packages as ``main`` and as ``other``."""
    folder = tmp_path_factory.mktemp("channels")
    for name in ("main", "other"):
        (folder / name).symlink_to(channel_folder() / "main")
    return folder


def _six_elsewhere(package: CondaPackage) -> CondaPackage:
    if package.name != "six":
        return package
    return replace(package, channel=f"{BASE}/other", url=package.url.replace("/main/", "/other/"))


@contextmanager
def _https(authority: trustme.CA) -> Iterator[str]:
    """The channel by TLS, with a certificate of ``authority``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    handler = partial(_Quiet, directory=str(channel_folder()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing."""
