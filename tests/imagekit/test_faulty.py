"""The faulty proxy spoils what it is told to, and nothing else."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.imagekit.faulty import (
    Answer,
    Corrupt,
    Delay,
    Drop,
    Fault,
    IgnoreRange,
    Redirect,
    Request,
    Stall,
    Truncate,
    WrongDigest,
    WrongRange,
    faulty,
    first_of,
    on,
)

BODY = bytes(range(256)) * 4096
"""A megabyte: more than the proxy handles at once."""


class _Behind(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") :].partition("-")[0])
        self.send_response(206 if "Range" in self.headers else 200)
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Docker-Content-Digest", "sha256:true")
        self.send_header("X-Twice", "1")
        self.send_header("X-Twice", "2")
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(BODY[start:])

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[::-1])

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def behind() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Behind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test(behind: str) -> Iterator[None]:
    before = threading.active_count()
    yield
    end = time.monotonic() + 5  # those of the server behind end by themselves, when their client is gone
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before


class Client:
    """One connection."""

    def __init__(self, address: str, timeout: float = 20) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def begin(self, method: str, path: str = "/v2/a/blobs/b", *, body: bytes = b"", **headers: str) -> None:
        self.connection.request(method, path, body or None, headers)
        self.answer = self.connection.getresponse()

    def get(self, path: str = "/v2/a/blobs/b", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        return self.answer.status, self.answer.headers, self.answer.read()


def test_everything_else_passes_unchanged(behind: str) -> None:
    with faulty(behind) as proxy, Client(proxy.address) as client:
        status, headers, body = client.get("/v2/a/blobs/b?c=d")
        assert (status, body, headers["Docker-Content-Digest"]) == (200, BODY, "sha256:true")
        assert client.answer.headers.get_all("X-Twice") == ["1", "2"]
        status, headers, body = client.get(Range="bytes=1000000-", Authorization="Basic x")
        assert (status, body) == (206, BODY[1000000:])
        assert headers["Content-Range"] == f"bytes 1000000-{len(BODY) - 1}/{len(BODY)}"
        client.begin("PUT", "/up", body=b"abc")
        assert (client.answer.status, client.answer.read()) == (201, b"cba")
        client.begin("HEAD")
        assert (client.answer.headers["Content-Length"], client.answer.read()) == (str(len(BODY)), b"")
        assert client.get("/chunked")[2] == b"abc"
    assert proxy.requests == [
        Request(method="GET", path="/v2/a/blobs/b?c=d", range=None, authorized=False),
        Request(method="GET", path="/v2/a/blobs/b", range="bytes=1000000-", authorized=True),
        Request(method="PUT", path="/up", range=None, authorized=False),
        Request(method="HEAD", path="/v2/a/blobs/b", range=None, authorized=False),
        Request(method="GET", path="/chunked", range=None, authorized=False),
    ]


@pytest.mark.parametrize("after", [1, 70_000, len(BODY) - 1])
def test_drop_resets_after_exactly_so_many_bytes(behind: str, after: int) -> None:
    with faulty(behind, on("/blobs/", Drop(after=after))) as proxy, Client(proxy.address) as client:
        client.begin("GET")
        assert client.answer.headers["Content-Length"] == str(len(BODY))
        received = b""
        with pytest.raises(ConnectionResetError):
            while piece := client.answer.read1(1 << 16):
                received += piece
        assert received == BODY[:after]


def test_drop_at_once(behind: str) -> None:
    script = on("", Drop())
    with faulty(behind, script) as proxy, Client(proxy.address) as client, pytest.raises(ConnectionResetError):
        client.get()


def test_truncate_that_shows(behind: str) -> None:
    with (
        faulty(behind, on("", Truncate(after=100_000))) as proxy,
        Client(proxy.address) as client,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        client.get()
    assert caught.value.partial == BODY[:100_000]


def test_truncate_that_does_not_show(behind: str) -> None:
    with faulty(behind, on("", Truncate(after=100_000, admitted=True))) as proxy, Client(proxy.address) as client:
        status, headers, body = client.get()
    assert (status, headers["Content-Length"], body) == (200, "100000", BODY[:100_000])


@pytest.mark.parametrize("after", [0, 100_000])
def test_stall_ends_with_the_clients_patience(behind: str, after: int) -> None:
    with faulty(behind, on("", Stall(after=after))) as proxy, Client(proxy.address, timeout=0.3) as client:
        client.begin("GET")
        received = b""
        with pytest.raises(TimeoutError):
            while piece := client.answer.read1(1 << 16):
                received += piece
        assert received == BODY[:after]


def test_stall_and_delay_end_with_the_proxy(behind: str) -> None:
    with faulty(behind, on("", Stall(after=1), Delay(seconds=600))) as proxy:
        stalled, delayed = Client(proxy.address), Client(proxy.address)
        stalled.begin("GET")
        delayed.connection.request("GET", "/")
        while len(proxy.requests) < 2:
            time.sleep(0.01)
    with stalled, delayed:
        with pytest.raises(http.client.IncompleteRead):
            stalled.answer.read()
        with pytest.raises(http.client.RemoteDisconnected):
            delayed.connection.getresponse()


def test_delay_comes_before_the_answer(behind: str) -> None:
    with faulty(behind, on("", Delay(seconds=0.4))) as proxy:
        with Client(proxy.address, timeout=0.1) as client, pytest.raises(TimeoutError):
            client.get()
        with Client(proxy.address) as client:
            assert client.get()[2] == BODY


@pytest.mark.parametrize("at", [0, 65_536, 700_001])
def test_corrupt_changes_one_byte(behind: str, at: int) -> None:
    with faulty(behind, on("", Corrupt(at=at))) as proxy, Client(proxy.address) as client:
        _, _, body = client.get()
    assert len(body) == len(BODY)
    assert [n for n, (got, sent) in enumerate(zip(body, BODY, strict=True)) if got != sent] == [at]


def test_answer_stands_in_for_what_is_behind(behind: str) -> None:
    too_many = Answer(status=429, headers={"Retry-After": "1"}, body=b'{"errors": []}')
    with faulty(behind, on("", too_many, Answer(status=503))) as proxy, Client(proxy.address) as client:
        status, headers, body = client.get()
        assert (status, headers["Retry-After"], body) == (429, "1", b'{"errors": []}')
        assert client.get()[0] == 503
        assert client.get()[0] == 200


def test_redirect_to_another_host(behind: str) -> None:
    with faulty(behind, host="127.0.0.2") as other, faulty(behind, on("", Redirect(to=other.address))) as proxy:
        with Client(proxy.address) as client:
            status, headers, _ = client.get("/v2/a/blobs/b?c=d", Authorization="Basic x")
        assert (status, headers["Location"]) == (307, f"http://{other.address}/v2/a/blobs/b?c=d")
        with Client(other.address) as client:
            assert client.get()[2] == BODY
        assert [request.authorized for request in (*proxy.requests, *other.requests)] == [True, False]


def test_redirect_loop(behind: str) -> None:
    with faulty(behind, on("", ever_after=Redirect())) as proxy, Client(proxy.address) as client:
        places = {client.get("/a")[1]["Location"] for _ in range(5)}
    assert places == {f"http://{proxy.address}/a"}


@pytest.mark.parametrize(
    ("fault", "status", "part"),
    [
        (IgnoreRange(), 200, None),
        (WrongRange(), 206, f"bytes 11-{len(BODY)}/{len(BODY)}"),
        (WrongRange(off_by=-10), 206, f"bytes 0-{len(BODY) - 11}/{len(BODY)}"),
    ],
)
def test_parts(behind: str, fault: Fault, status: int, part: str | None) -> None:
    with faulty(behind, on("", fault)) as proxy, Client(proxy.address) as client:
        got, headers, body = client.get(Range="bytes=10-")
    assert (got, headers["Content-Range"]) == (status, part)
    assert body == (BODY[10:] if status == 206 else BODY)


def test_wrong_digest(behind: str) -> None:
    with faulty(behind, on("", WrongDigest())) as proxy, Client(proxy.address) as client:
        _, headers, body = client.get()
    assert (headers["Docker-Content-Digest"], body) == ("sha256:" + "0" * 64, BODY)


def test_scripts_take_their_own_requests_in_turn() -> None:
    def asked(method: str, path: str) -> Fault | None:
        return script(Request(method=method, path=path, range=None, authorized=False))

    script = first_of(
        on(r"/blobs/sha256:a", Drop(after=1), None, ever_after=Drop(after=3)),
        on("/blobs/", Drop(after=9)),
        on("/manifests/", WrongDigest(), method="HEAD"),
    )
    assert [asked("GET", "/v2/x/blobs/sha256:a") for _ in range(4)] == [
        Drop(after=1),
        Drop(after=9),
        Drop(after=3),
        Drop(after=3),
    ]
    assert asked("GET", "/v2/x/blobs/sha256:b") is None
    assert asked("GET", "/v2/x/manifests/1") is None
    assert asked("HEAD", "/v2/x/manifests/1") == WrongDigest()


def test_what_is_behind_may_be_gone() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{free.getsockname()[1]}"
        with faulty(gone) as proxy, Client(proxy.address) as client, pytest.raises(http.client.RemoteDisconnected):
            client.get()
