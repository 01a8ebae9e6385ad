"""Answers that are hardly HTTP: whatever comes, the end is an image or an error of ours, within the time allowed."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from envsync.errors import EnvsyncError
from envsync.image.registry.access import Access, Timeouts
from tests.image.layers import MadeImage, tar_layer
from tests.image.registry_client.conftest import Opener

MANIFEST = MadeImage(layers=[tar_layer({"file": b"one"})]).manifest
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def saying(answer: Callable[[], bytes]) -> Iterator[int]:
    """A port where each connection gets ``answer()`` after its first bytes, and then its end."""

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(5)
            client.recv(65536)
            client.sendall(answer())

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def failure(opened: Opener, port: int, total: float = 20) -> EnvsyncError:
    address = f"127.0.0.1:{port}"
    access = Access(mirrors={address: (f"http://{address}",)}, timeouts=Timeouts(total=total, idle=2))
    with pytest.raises(EnvsyncError) as caught:
        opened(f"{address}/app:1", access=access)
    return caught.value


BROKE = "HOST cannot be reached: it was closed before the end"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", BROKE),
        (b"\0" * 100, BROKE),
        (b"SSH-2.0-OpenSSH_9.6\r\n", BROKE),
        (b"HTTP/1.1 abc\r\n\r\n", BROKE),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", BROKE),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", BROKE),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n12345", "HOST"),
        (
            HEAD + b"Content-Length: -5\r\n\r\n{}",
            "neither an index nor a manifest (no `manifests`, no `config` and `layers`)",
        ),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}", "the connection to HOST broke off"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            "the connection to HOST broke off: it was closed before the end",
        ),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
            "the connection to HOST broke off: it was closed before the end",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "HOST answers 204"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "HOST answers 304"),
        (b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", "HOST answers 999"),
        (
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: \xff\xfe="\r\nContent-Length: 0\r\n\r\n',
            "HOST wants a login by nothing (expected Bearer or Basic)",
        ),
        (
            b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\xff\r\nContent-Length: 0\r\n\r\n",
            "http://HOST/v2/app/manifests/1 redirects to a place that is no URL (expected one of http or https)",
        ),
        (
            b"HTTP/1.1 429 No\r\nRetry-After: \xff\r\nConnection: close\r\nContent-Length: 3\r\n\r\n\x1b[m",
            "HOST lets no more pulls through for now: \\x1b[m",
        ),
        (HEAD + b"Content-Length: 4\r\n\r\n" + b"\xff\xfe\0\0", "JSON is malformed"),
    ],
    ids=range(18),
)
def test_an_answer(answer: bytes, message: str, opened: Opener) -> None:
    with saying(lambda: answer) as port:
        error = failure(opened, port)
    told = error.message.replace(f"127.0.0.1:{port}", "HOST")
    assert told.startswith(f"HOST/app:1: {message}")
    assert told.isprintable()


def test_promises_without_end(opened: Opener) -> None:
    """``100 Continue`` after ``100 Continue``, for as long as one listens."""
    with saying(lambda: b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000_000) as port:
        error = failure(opened, port, total=0.5)
    assert error.message == f"127.0.0.1:{port}/app:1: not done after 0.5 s (expected to be done by then)"


@pytest.mark.parametrize("seed", range(8))
def test_damaged_answers(seed: int, opened: Opener) -> None:
    dice = random.Random(seed)
    whole = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(MANIFEST), MANIFEST)

    def damaged() -> bytes:
        answer = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            answer[dice.randrange(len(answer))] = dice.randrange(256)
        return bytes(answer[: dice.choice([len(answer), dice.randrange(len(answer))])])

    with saying(damaged) as port:
        for _ in range(6):
            failure(opened, port)
