"""Whole files: verified, and there only when they are right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from envsync.errors import PackageIndexError
from envsync.index import IndexFile
from tests.image.registry_client.server import Reply, Respond, Server, scripted
from tests.imagekit.index_server import ServedIndex
from tests.imagekit.wheels import make_wheel
from tests.index.conftest import Opener

Serve = Callable[[Respond], Server]
NAME, DATA = make_wheel("foo", "1.0", {"foo.py": "print()\n" * 1000})


def shelf() -> ServedIndex:
    index = ServedIndex()
    index.add("foo", (NAME, DATA))
    return index


def file_at(server: Server, *hashes: str, **more: object) -> IndexFile:
    url = f"{server.url}/files/{NAME}"
    return IndexFile(filename=NAME, project="foo", url=url, index=server.url, hashes=hashes, **more)  # type: ignore[arg-type]


def hashed(algorithm: str, data: bytes = DATA) -> str:
    return f"{algorithm}={hashlib.new(algorithm, data).hexdigest()}"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("hashes", [[], ["sha256"], ["md5"], ["blake2b"], ["md5", "sha512"]])
def test_a_file(hashes: list[str], serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(shelf())
    path = opened(server).download(file_at(server, *map(hashed, hashes)), tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / NAME
    assert path.read_bytes() == DATA
    assert names(path.parent) == [NAME]


def test_what_is_there_is_not_fetched_again(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(shelf())
    client = opened(server)
    file = file_at(server, hashed("sha256"))
    client.download(file, tmp_path)
    client.download(file, tmp_path)
    assert client.stats.requests == 1
    (tmp_path / NAME).write_bytes(b"altered")
    assert client.download(file, tmp_path).read_bytes() == DATA
    assert opened(offline=True).download(file, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("there", [True, False])
def test_a_file_with_another_hash(there: bool, serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(shelf())
    if there:
        (tmp_path / NAME).write_bytes(b"before")
    with pytest.raises(PackageIndexError) as caught:
        opened(server).download(file_at(server, hashed("md5"), hashed("sha256", b"other")), tmp_path)
    assert caught.value.message == f"{server.url}/files/{NAME}: its sha256 is not the one that the index tells"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("It was not kept.")
    assert names(tmp_path) == ([NAME] if there else [])
    assert not there or (tmp_path / NAME).read_bytes() == b"before"


@pytest.mark.parametrize(
    ("reply", "message"),
    [(Reply(status=403), "answers 403"), (Reply(body=DATA + b"more"), f"more than {len(DATA)} bytes")],
)
def test_a_file_that_is_not_had(reply: Reply, message: str, serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(lambda _request: reply)
    with pytest.raises(PackageIndexError) as caught:
        opened(server).download(file_at(server, hashed("sha256"), size=len(DATA)), tmp_path)
    assert caught.value.message == f"{server.url}/files/{NAME}: {message}"
    assert names(tmp_path) == []


def test_a_file_that_breaks_off_is_asked_for_again(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(scripted(Reply(body=DATA, cut=100), Reply(status=503), then=shelf()))
    assert opened(server).download(file_at(server, hashed("sha256")), tmp_path).read_bytes() == DATA


def test_a_file_that_always_breaks_off(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(lambda _request: Reply(body=DATA, cut=100))
    with pytest.raises(PackageIndexError) as caught:
        opened(server).download(file_at(server), tmp_path)
    assert caught.value.message == f"{server.url}/files/{NAME}: the connection broke off: it was closed before the end"
    assert len(server.requests) == 4
    assert names(tmp_path) == []


def test_without_the_network(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(shelf())
    with pytest.raises(PackageIndexError) as caught:
        opened(server, offline=True).download(file_at(server), tmp_path)
    assert caught.value.message == f"{NAME}: not fetched: without the network"


def test_a_folder_that_cannot_be_written(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    server = serve(shelf())
    (tmp_path / "file").write_text("")
    with pytest.raises(PackageIndexError) as caught:
        opened(server).download(file_at(server), tmp_path / "file" / "folder")
    assert caught.value.message == f"{tmp_path / 'file' / 'folder' / NAME}: cannot be written: Not a directory"


def test_a_file_of_this_machine(opened: Opener, tmp_path: Path) -> None:
    source = tmp_path / "with space" / NAME
    source.parent.mkdir()
    source.write_bytes(DATA)
    file = IndexFile(filename=NAME, project="foo", url=source.as_uri(), index="", hashes=(hashed("sha256"),))
    client = opened(offline=True)
    assert client.download(file, tmp_path / "to").read_bytes() == DATA
    source.write_bytes(b"other")
    with pytest.raises(PackageIndexError) as caught:
        client.download(file, tmp_path / "again")
    assert caught.value.message == f"{source.as_uri()}: its sha256 is not the one that the index tells"
    source.unlink()
    with pytest.raises(PackageIndexError) as caught:
        client.download(file, tmp_path / "again")
    assert caught.value.message == f"{source}: no such file"
