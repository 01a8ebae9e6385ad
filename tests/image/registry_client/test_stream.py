"""Layers over connections that break, lie about lengths, stall, or are shared by several threads."""

from __future__ import annotations

import gc
import random
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from envsync.errors import CorruptImageError, ImageError, RegistryError
from envsync.image.registry.access import Access, Timeouts
from envsync.image.registry.image import RegistryImage, RegistryLayer
from tests.image.layers import MadeImage, sha
from tests.image.registry_client.conftest import Opener
from tests.image.registry_client.server import Reply, Request, Respond, Server
from tests.image.registry_client.shelf import Shelf, problem

MIB = 1 << 20
BIG = random.Random(1).randbytes(5 * MIB + 123)
IMAGE = MadeImage(layers=[BIG])
LAYER = f"/blobs/{sha(BIG)}"


def shelf() -> Shelf:
    found = Shelf()
    found.add("app:1", IMAGE)
    return found


def layered(respond: Callable[[int, Request], Reply | None], inside: Respond | None = None) -> Respond:
    """``respond`` decides about the requests for the layer, which are counted from 1; ``None``: as it should be."""
    count = iter(range(1, 1000))
    rest = inside or shelf()

    def both(request: Request) -> Reply:
        special = respond(next(count), request) if LAYER in request.path else None
        return special or rest(request)

    return both


def layer_of(server: Server, opened: Opener, access: Access | None = None) -> RegistryLayer:
    return opened(f"{server.address}/app:1", access=access).layers[0]


def received(layer: RegistryLayer) -> bytes:
    with layer.open() as chunks:
        return b"".join(map(bytes, chunks))


def failure(layer: RegistryLayer) -> ImageError:
    with pytest.raises(ImageError) as caught:
        received(layer)
    return caught.value


def ranges(server: Server) -> list[str | None]:
    return [each.headers.get("range") for each in server.asked(LAYER)]


def test_chunks_are_of_about_a_mib(serve: Any, opened: Opener) -> None:
    with layer_of(serve(shelf()), opened).open() as chunks:
        sizes = [(type(chunk), len(chunk)) for chunk in chunks]
    assert sizes == [(memoryview, MIB)] * 5 + [(memoryview, 123)]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("with_ranges", [True, False])
def test_a_layer_that_breaks_off_is_taken_up(reset: bool, with_ranges: bool, serve: Any, opened: Opener) -> None:
    inside = shelf()
    inside.ranges = with_ranges

    def respond(number: int, request: Request) -> Reply | None:
        whole = inside(request)
        cut = 2 * MIB + 5 if number == 1 else len(whole.body) - 77
        return Reply(**{**vars(whole), "cut": cut, "reset": reset}) if number < 3 else None

    server = serve(layered(respond, inside))
    assert received(layer_of(server, opened)) == BIG
    first, second, third = ranges(server)
    assert first is None
    assert re.fullmatch(r"bytes=\d+-", second or "")
    assert re.fullmatch(r"bytes=\d+-", third or "")
    if not reset:
        assert (second, third) == (f"bytes={2 * MIB + 5}-", f"bytes={len(BIG) - 77}-")
    assert opened.slept in ([], [1])  # progress is not waited for


def test_what_has_no_length_is_taken_up_as_well(serve: Any, opened: Opener) -> None:
    def respond(number: int, request: Request) -> Reply | None:
        return Reply(body=BIG[:MIB], unmeasured=True) if number == 1 else None

    server = serve(layered(respond))
    assert received(layer_of(server, opened)) == BIG
    assert ranges(server) == [None, f"bytes={MIB}-"]


def test_small_steps_are_steps(serve: Any, opened: Opener) -> None:
    """Each connection is reset after 300 KB, less than what is received at a time."""
    inside = shelf()
    server = serve(layered(lambda number, request: Reply(**{**vars(inside(request)), "cut": 300_000, "reset": True})))
    assert received(layer_of(server, opened)) == BIG


def test_five_breaks_without_progress_are_enough(serve: Any, opened: Opener) -> None:
    inside = shelf()

    def respond(number: int, request: Request) -> Reply:
        return Reply(**{**vars(inside(request)), "cut": 3 * MIB if number == 1 else 1000})

    server = serve(layered(respond, inside))
    layer = layer_of(server, opened)
    error = failure(layer)
    assert isinstance(error, RegistryError)
    assert error.message == (
        f"{server.address}/app: layer 1 of 1: the connection to {server.address} broke off: "
        f"it was closed before the end, again and again: {3 * MIB + 5000} of {len(BIG)} bytes came"
    )
    assert error.hint == "Try again, or where the network is better: docker save, and docker-archive:FILE here."
    assert len(ranges(server)) == 6
    assert opened.slept == [1, 2, 4, 8]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=BIG[:-1]),
        Reply(body=BIG[:-1], chunked=True),
        Reply(body=BIG + b"x"),
        Reply(body=BIG + b"x", chunked=True),
        Reply(body=BIG + b"x", unmeasured=True),
        Reply(body=b""),
    ],
    ids=["short", "short chunked", "long", "long chunked", "long unmeasured", "empty"],
)
def test_a_blob_of_another_length(reply: Reply, serve: Any, opened: Opener) -> None:
    server = serve(layered(lambda number, request: reply))
    error = failure(layer_of(server, opened))
    assert isinstance(error, CorruptImageError)
    told = len(reply.body) < len(BIG) or not (reply.chunked or reply.unmeasured)
    found = len(reply.body) if told else f"more than {len(BIG)}"
    assert error.message == (
        f"{server.address}/app: layer 1 of 1: {server.url}/v2/app{LAYER}: {found} bytes "
        f"(expected {len(BIG)}, {sha(BIG)})"
    )
    assert error.hint == "The image in the registry is damaged: push it again."
    assert len(ranges(server)) == 1


@pytest.mark.parametrize(
    "content_range",
    [
        None,
        "bytes 0-9/10",
        f"bytes 7-{len(BIG) - 1}/{len(BIG)}",
        f"bytes {MIB}-{len(BIG)}/{len(BIG)}",
        "nonsense",
        f"bytes {MIB}-{len(BIG) - 1}/9",
    ],
)
def test_another_range_than_was_asked_for(content_range: str | None, serve: Any, opened: Opener) -> None:
    def respond(number: int, request: Request) -> Reply:
        headers = {"Content-Range": content_range} if content_range else {}
        return Reply(body=BIG, cut=MIB) if number == 1 else Reply(status=206, body=BIG[MIB:], headers=headers)

    server = serve(layered(respond))
    error = failure(layer_of(server, opened))
    assert isinstance(error, RegistryError)
    assert error.message == (
        f"{server.address}/app: layer 1 of 1: {server.url}/v2/app{LAYER}: another range than was asked for: "
        f"{content_range or 'none'} (expected bytes {MIB}-)"
    )


def test_a_part_of_the_range_is_progress(serve: Any, opened: Opener) -> None:
    def respond(number: int, request: Request) -> Reply:
        if number == 1:
            return Reply(body=BIG, cut=MIB)
        start, end = (MIB, 3 * MIB) if number == 2 else (3 * MIB, len(BIG))
        headers = {"Content-Range": f"bytes {start}-{end - 1}/*"}
        return Reply(status=206, body=BIG[start:end], headers=headers)

    server = serve(layered(respond))
    assert received(layer_of(server, opened)) == BIG
    assert ranges(server) == [None, f"bytes={MIB}-", f"bytes={3 * MIB}-"]


def test_a_range_that_there_is_not(serve: Any, opened: Opener) -> None:
    def respond(number: int, request: Request) -> Reply:
        return Reply(body=BIG, cut=MIB) if number == 1 else Reply(status=416)

    server = serve(layered(respond))
    error = failure(layer_of(server, opened))
    assert isinstance(error, CorruptImageError)
    assert error.message == (
        f"{server.address}/app: layer 1 of 1: {server.url}/v2/app{LAYER}: no bytes after the first {MIB} "
        f"(expected {len(BIG)}, {sha(BIG)})"
    )


def test_compression_on_the_way_is_not_undone(serve: Any, opened: Opener) -> None:
    """Some registries say ``Content-Encoding: gzip`` of blobs that are gzip files."""
    image = MadeImage(layers=[b"tar" * 1000], compression="gzip")
    inside = Shelf()
    inside.add("app:1", image)

    def respond(request: Request) -> Reply:
        whole = inside(request)
        return Reply(**{**vars(whole), "headers": {**whole.headers, "Content-Encoding": "gzip"}})

    server = serve(lambda request: respond(request) if "/blobs/" in request.path else inside(request))
    assert received(layer_of(server, opened)) == image.stored_layers[0]


def test_a_layer_can_be_opened_again(serve: Any, opened: Opener) -> None:
    layer = layer_of(serve(shelf()), opened)
    assert received(layer) == received(layer) == BIG


def test_nothing_is_asked_for_before_it_is_wanted(serve: Any, opened: Opener) -> None:
    server = serve(shelf())
    with layer_of(server, opened).open():
        pass
    assert ranges(server) == []


def test_an_abandoned_layer_leaves_nothing_open(serve: Any, opened: Opener) -> None:
    server = serve(shelf())
    layer = layer_of(server, opened)
    with layer.open() as chunks:
        assert bytes(next(chunks)) == BIG[:MIB]
    gc.collect()  # a socket that nobody closed would be a ResourceWarning, and that an error
    assert received(layer) == BIG


def test_several_threads_share_the_connections(serve: Any, opened: Opener) -> None:
    layers = [random.Random(number).randbytes(300_000) for number in range(8)]
    inside = Shelf()
    inside.add("app:1", MadeImage(layers=layers))
    server = serve(inside)
    image: RegistryImage = opened(f"{server.address}/app:1")
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(received, image.layers)) == layers
    assert server.connections <= 1 + 1 + 4  # one that spoke TLS, one for the manifest and config


def test_silence_is_a_break(serve: Any, opened: Opener) -> None:
    def respond(number: int, request: Request) -> Reply | None:
        return Reply(wait=30) if number == 1 else None

    server = serve(layered(respond))
    access = Access(timeouts=Timeouts(idle=0.3))
    assert received(layer_of(server, opened, access)) == BIG
    assert len(ranges(server)) == 2


def test_the_time_for_an_image_is_bounded_however_slowly_it_comes(serve: Any, opened: Opener) -> None:
    server = serve(layered(lambda number, request: Reply(body=BIG, drip=0.05)))
    layer = layer_of(server, opened, Access(timeouts=Timeouts(total=1)))
    began = time.monotonic()
    error = failure(layer)
    assert time.monotonic() - began < 20  # and not 5 MiB times 0.05 s
    assert error.message == f"{server.address}/app:1: not done after 1 s (expected to be done by then)"


def test_a_layer_that_is_not_there(serve: Any, opened: Opener) -> None:
    server = serve(layered(lambda number, request: problem(404, "BLOB_UNKNOWN", "blob unknown to registry")))
    error = failure(layer_of(server, opened))
    assert error.message == (
        f"{server.address}/app:1: {server.address} lacks a blob that its manifest names: blob unknown to registry"
    )
    assert error.hint == "Push the image again."
