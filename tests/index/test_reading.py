"""Members of wheels that are elsewhere: how much is fetched for them, and what is refused."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.cache import Cache
from envsync.errors import PackageIndexError
from envsync.index import IndexFile, Listed, Pin
from envsync.index.access import IndexSettings
from envsync.index.client import Indexes
from envsync.index.wheel_tail import Span, WheelError, directory_span, parse_directory, unpack
from tests.image.registry_client.server import Reply, Request, Respond, Server
from tests.imagekit.index_server import ServedIndex
from tests.index.conftest import Opener

Serve = Callable[[Respond], Server]
NAME = "foo-1.0-py3-none-any.whl"
RECORD = "foo-1.0.dist-info/RECORD"


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data, method)
        archive.comment = comment
    return out.getvalue()


LARGE = zipped(("foo.py", b"first"), ("foo/big.so", noise(3 << 20)), (RECORD, b"record"))


def is_record(name: str) -> bool:
    return name.endswith(".dist-info/RECORD")


def file_at(server: Server, data: bytes, **more: object) -> IndexFile:
    known = {"hashes": (f"sha256={hashlib.sha256(data).hexdigest()}",), "size": len(data)}
    told = {**known, **more}
    url = f"{server.url}/files/{NAME}"
    return IndexFile(filename=NAME, project="foo", url=url, index=server.url, **told)  # type: ignore[arg-type]


def shelf(data: bytes, **how: object) -> ServedIndex:
    index = ServedIndex(**how)  # type: ignore[arg-type]
    index.add("foo", (NAME, data))
    return index


@pytest.mark.parametrize("size", [len(LARGE), None])
def test_one_request_for_the_tail(size: int | None, serve: Serve, opened: Opener) -> None:
    server = serve(shelf(LARGE))
    client = opened(server)
    assert client.members(file_at(server, LARGE, size=size), is_record) == {RECORD: b"record"}
    assert (client.stats.requests, client.stats.received) == (1, 64 << 10)


def test_what_lies_before_the_tail(serve: Serve, opened: Opener) -> None:
    server = serve(shelf(LARGE))
    client = opened(server)
    found = client.members(file_at(server, LARGE), lambda name: name != "foo/big.so")
    assert found == {"foo.py": b"first", RECORD: b"record"}
    assert client.stats.requests == 2
    assert client.stats.received < 140 << 10


def test_a_directory_that_is_longer_than_the_tail(serve: Serve, opened: Opener) -> None:
    data = zipped(("big", noise(1 << 20)), *((f"foo/{number:04}.py", b"x") for number in range(2000)), (RECORD, b"r"))
    server = serve(shelf(data))
    client = opened(server)
    assert client.members(file_at(server, data), is_record) == {RECORD: b"r"}
    assert client.stats.requests == 2
    assert client.stats.received < 500 << 10


@pytest.mark.parametrize(("data", "ranges"), [(LARGE, False), (zipped((RECORD, b"record")), True)])
def test_the_whole_file(data: bytes, ranges: bool, serve: Serve, opened: Opener) -> None:
    server = serve(shelf(data, ranges=ranges))
    client = opened(server)
    assert client.members(file_at(server, data), is_record) == {RECORD: b"record"}
    assert (client.stats.requests, client.stats.received) == (1, len(data))


def test_a_server_that_takes_no_offence_but_no_ranges(serve: Serve, opened: Opener) -> None:
    index = shelf(LARGE)
    server = serve(lambda request: Reply(status=416) if "range" in request.headers else index(request))
    client = opened(server)
    assert client.members(file_at(server, LARGE), is_record) == {RECORD: b"record"}
    assert client.stats.requests == 2


def test_a_short_file_whose_size_is_not_told(serve: Serve, opened: Opener) -> None:
    data = zipped((RECORD, b"record"))
    server = serve(shelf(data))
    assert opened(server).members(file_at(server, data, size=None), is_record) == {RECORD: b"record"}


def test_a_whole_file_is_verified(serve: Serve, opened: Opener) -> None:
    server = serve(shelf(LARGE, ranges=False))
    with pytest.raises(PackageIndexError) as caught:
        opened(server).members(file_at(server, b""), is_record)
    assert caught.value.message == f"{server.url}/files/{NAME}: its SHA-256 is not the one that the index tells"


def test_members_are_kept(serve: Serve, opened: Opener, cache: Cache) -> None:
    server = serve(shelf(LARGE))
    file = file_at(server, LARGE)
    opened(server, cache=cache).members(file, is_record)
    client = opened(server, cache=cache, offline=True)
    assert client.members(file, is_record) == {RECORD: b"record"}
    assert client.members(file, lambda name: name == "none") == {}
    assert client.stats.requests == 0
    with pytest.raises(PackageIndexError) as caught:
        client.members(file, lambda name: name == "foo.py")
    assert caught.value.message == f"{NAME}: not asked for: without the network, and it was not read before"
    both = opened(server, cache=cache).members(file, lambda name: name in ("foo.py", RECORD))
    assert both == client.members(file, lambda name: name in ("foo.py", RECORD))


def test_no_index_answers_for_the_files_of_another(serve: Serve, opened: Opener, cache: Cache) -> None:
    false = zipped((RECORD, b"false"), ("big", noise(1 << 20)))
    liar, honest = serve(shelf(false)), serve(shelf(LARGE))
    client = opened(honest, cache=cache)
    assert client.members(file_at(liar, LARGE, size=len(false)), is_record) == {RECORD: b"false"}
    assert client.members(file_at(honest, LARGE), is_record) == {RECORD: b"record"}


def test_several_at_once(serve: Serve, opened: Opener) -> None:
    server = serve(shelf(LARGE))
    good = file_at(server, LARGE)
    bad = IndexFile(filename=NAME, project="foo", url=f"{server.url}/files/none", index=server.url)
    found = opened(server).many_members({good: is_record, bad: is_record})
    assert found[good] == {RECORD: b"record"}
    error = found[bad]
    assert isinstance(error, PackageIndexError)
    assert error.message == f"{server.url}/files/none: answers 404"


def answering(headers: dict[str, str], body: bytes) -> Respond:
    return lambda _request: Reply(status=206, headers=headers, body=body)


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({}, b"x", "does not say which bytes it gives"),
        ({"Content-Range": "bytes 9-1/10"}, b"x", "does not say which bytes it gives"),
        ({"Content-Range": f"bytes 0-1/{10**30}"}, b"x", "does not say which bytes it gives"),
        ({"Content-Range": "bytes 0-1/10"}, b"xx", "gives other bytes than it was asked for"),
        ({"Content-Range": f"bytes 0-{1 << 20}/{(1 << 20) + 1}"}, b"", "gives other bytes than it was asked for"),
        ({"Content-Range": "bytes 0-4/5"}, b"xx", "gives fewer bytes than it says"),
        ({"Content-Range": "bytes 0-1/2"}, b"xxxxx", "more than 2 bytes"),
    ],
)
def test_pieces_that_were_not_asked_for(
    headers: dict[str, str], body: bytes, message: str, serve: Serve, opened: Opener
) -> None:
    server = serve(answering(headers, body))
    with pytest.raises(PackageIndexError) as caught:
        opened(server).members(file_at(server, LARGE), is_record)
    assert caught.value.message == f"{server.url}/files/{NAME}: {message}"


def test_a_file_that_becomes_another(serve: Serve, opened: Opener) -> None:
    index, asked = shelf(LARGE), 0

    def respond(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        found = index(request)
        return Reply(status=206, body=found.body, headers={**found.headers, "ETag": f'"{asked}"'})

    server = serve(respond)
    with pytest.raises(PackageIndexError) as caught:
        opened(server).members(file_at(server, LARGE), lambda name: name == "foo.py")
    assert caught.value.message == f"{server.url}/files/{NAME}: gives other bytes than it was asked for"


def read(data: bytes, wanted: Callable[[str], bool], tmp_path: Path) -> dict[str, bytes]:
    path = tmp_path / NAME
    path.write_bytes(data)
    with Indexes(IndexSettings()) as client:
        file = IndexFile(filename=NAME, project="foo", url=path.as_uri(), index=tmp_path.as_uri())
        return client.members(file, wanted)


def altered(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """``data`` with other bytes at an offset behind the last such mark."""
    place = data.rfind(mark) + offset
    return data[:place] + value + data[place + len(value) :]


SMALL = zipped(("foo.py", b"print()\n" * 100), (RECORD, b"record,,\n" * 100))
HEADER, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no zip file (expected a wheel)"),
        (SMALL[:-1], "no zip file (expected a wheel)"),
        (SMALL + b"x", "no zip file (expected a wheel)"),
        (altered(SMALL, END, 4, b"\1"), "one of several volumes (expected a whole wheel)"),
        (altered(SMALL, END, 12, b"\xff\xff\xff\x01"), "its directory is longer than the file"),
        (altered(SMALL, END, 12, b"\xff\xff\xff\x7f"), "a directory of 2 members (expected at most 200000)"),
        (altered(SMALL, END, 16, b"\xff\xff\xff\x7f"), "its directory is longer than the file"),
        (altered(SMALL, HEADER, 0, b"XX"), "its directory is damaged"),
        (altered(SMALL, HEADER, 28, b"\xff\xff"), "its directory is damaged"),
        (altered(SMALL, HEADER, 8, b"\1"), f"{RECORD}: encrypted, or of a name that is too long"),
        (altered(SMALL, HEADER, 42, b"\xff\xff\xff\x7f"), f"{RECORD}: not where the directory says"),
        (altered(SMALL, HEADER, 42, b"\1"), f"{RECORD}: not where the directory says"),
        (altered(SMALL, HEADER, 42, b"\0\0\0\0"), f"{RECORD}: its header is not what the directory says"),
        (altered(SMALL, HEADER, 10, b"\x0c"), f"{RECORD}: its header is not what the directory says"),
        (altered(SMALL, HEADER, 16, b"\0\0"), f"{RECORD}: damaged (its size or its checksum is another)"),
        (altered(SMALL, HEADER, 24, b"\1\0\0"), f"{RECORD}: damaged (its size or its checksum is another)"),
        (altered(SMALL, HEADER, 24, b"\0\0\0\3"), f"{RECORD}: 50331648 bytes (expected at most 33554432)"),
        (altered(SMALL, HEADER, 24, b"\0\0\0\x7f"), "more than 67108864 bytes in the members that are read"),
        (altered(SMALL, LOCAL, 30 + len(RECORD), b"\xff\xff"), f"{RECORD}: damaged (Error -3 while decompressing data"),
        (zipped((RECORD, b"x"), method=zipfile.ZIP_BZIP2), f"{RECORD}: compressed by method 12 (expected deflate)"),
        (zipped((RECORD, b"x"), ("foo.py", b"")).replace(b"foo.py", RECORD.encode()[:6]), None),
        (zipped((RECORD, b"x"), ("F" + RECORD[1:], b"")).replace(b"Foo-", b"foo-"), "has two members of one name"),
        (zipped((RECORD, b"x"), ("\x1b" * 1001, b"")), "\\x1b" * 25 + ": encrypted, or of a name that is too long"),
    ],
)
def test_hostile_wheels(data: bytes, message: str | None, tmp_path: Path) -> None:
    if message is None:
        assert read(data, is_record, tmp_path) == {RECORD: b"x"}
        return
    with pytest.raises(WheelError) as caught:
        read(data, is_record, tmp_path)
    assert caught.value.message.startswith(f"{NAME}: {message}")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    data = altered(zipped((RECORD, bytes(8 << 20))), HEADER, 24, struct.pack("<L", 100))
    with pytest.raises(WheelError, match="its size or its checksum is another"):
        read(data, is_record, tmp_path)


def test_what_lies_about_its_packed_size_is_not_fetched(serve: Serve, opened: Opener) -> None:
    data = zipped((RECORD, b"record"), method=zipfile.ZIP_STORED)
    mark = struct.pack("<L", 0x7FFFFFFF)
    data = altered(data, HEADER, 20, mark)
    start = 1 << 31  # where the server claims that the directory is
    data = altered(data, END, 16, struct.pack("<L", start))
    total = start + len(data) - data.index(HEADER)
    tail = noise((64 << 10) - len(data) + data.index(HEADER)) + data[data.index(HEADER) :]
    server = serve(answering({"Content-Range": f"bytes {total - len(tail)}-{total - 1}/{total}"}, tail))
    client = opened(server)
    with pytest.raises(WheelError) as caught:
        client.members(file_at(server, LARGE, size=total), is_record)
    assert caught.value.message == f"{NAME}: more than 134217728 packed bytes in the members that are read"
    assert client.stats.requests == 1


def test_wheels_as_other_tools_write_them(tmp_path: Path) -> None:
    stored = zipped((RECORD, b"record"), ("été.py", b"x"), method=zipfile.ZIP_STORED, comment=b"PK\x05\x06 a comment")
    assert read(stored, lambda _name: True, tmp_path) == {RECORD: b"record", "été.py": b"x"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open(RECORD, "w", force_zip64=True) as member:
        member.write(b"wide")
    assert read(out.getvalue(), is_record, tmp_path) == {RECORD: b"wide"}


def test_a_directory_of_zip64(tmp_path: Path) -> None:
    data = zipped((RECORD, b"record"))
    place, (count, size, start) = data.rfind(END), struct.unpack_from("<HLL", data, data.rfind(END) + 10)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    end = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert read(data[:place] + wide + locator + end, is_record, tmp_path) == {RECORD: b"record"}
    lost = data[:place] + wide + struct.pack("<4sLQL", b"PK\x06\x07", 0, 1 << 63, 1) + end
    with pytest.raises(WheelError) as caught:
        read(lost, is_record, tmp_path)
    assert caught.value.message == f"{NAME}: the end of its directory is not where it says"


def test_a_file_of_this_machine_that_is_gone(tmp_path: Path) -> None:
    file = IndexFile(filename=NAME, project="foo", url=(tmp_path / NAME).as_uri(), index="")
    with Indexes(IndexSettings()) as client, pytest.raises(PackageIndexError) as caught:
        client.members(file, is_record)
    assert caught.value.message == f"{tmp_path / NAME}: cannot be read: No such file or directory"


@given(
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.binary(min_size=1, max_size=8)), max_size=3), st.booleans()
)
def test_any_damage(changes: list[tuple[int, bytes]], cut: bool) -> None:
    data = SMALL
    for place, value in changes:
        data = (data[:place] + value + data[place + len(value) :])[: len(SMALL)]
    tail = data[len(data) // 3 :] if cut else data
    try:
        span = directory_span(tail, len(data), "x")
        for member in parse_directory(data[span.start : span.end], span, "x"):
            assert len(unpack(member, data[member.span.start : member.span.end], "x")) == member.size
            assert 0 <= member.span.start <= span.start
    except WheelError:
        pass


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    try:
        directory_span(data, len(data), "x")
        parse_directory(data, Span(0, len(data)), "x")
    except WheelError:
        pass


@pytest.mark.network
def test_a_wheel_of_the_real_index(opened: Opener, tmp_path: Path) -> None:
    pin = Pin(name="numpy", version="1.26.4")
    client = opened(settings=IndexSettings())
    listed = client.find([pin])[pin]
    assert isinstance(listed, Listed)
    (file,) = (f for f in listed.files if "cp311-cp311-manylinux" in f.filename and "x86_64" in f.filename)
    before = client.stats
    (record,) = client.members(file, is_record).values()
    after = client.stats
    assert after.requests - before.requests <= 3  # its dist-info lies in the middle
    assert after.received - before.received < 400 << 10
    with zipfile.ZipFile(client.download(file, tmp_path)) as whole:
        assert whole.read("numpy-1.26.4.dist-info/RECORD") == record
