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

from envsync.conda_config.network import Network
from envsync.errors import BuildError
from envsync.model import Snapshot
from tests.build.conda.making import make, only_md5, with_packages
from tests.imagekit.conda_channel import BASE, Served, channel_folder

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
