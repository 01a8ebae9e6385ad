"""What the indexes have of pinned versions: asked over HTTP, put together, kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envsync.cache import Cache
from envsync.errors import PackageIndexError
from envsync.index import Listed, Pin, Unanswered
from envsync.index.access import Index, IndexSettings
from envsync.index.client import Indexes
from envsync.index.transport import Timeouts
from tests.image.registry_client.server import Reply, Respond, Server, closed_port, scripted
from tests.imagekit.index_server import ServedIndex
from tests.imagekit.wheels import make_sdist, make_wheel
from tests.index.conftest import Opener

Serve = Callable[[Respond], Server]
FOO = Pin(name="Foo", version="1.0.0")


def foo(version: str = "1.0", text: str = "") -> tuple[str, bytes]:
    return make_wheel("foo", version, {"foo.py": text})


def served(**how: object) -> ServedIndex:
    index = ServedIndex(**how)  # type: ignore[arg-type]
    index.add("foo", foo(), requires_python=">=3.7", upload_time="2019-03-01T00:00:00Z")
    index.add("foo", make_sdist("foo", "1.0", {}), yanked="broken")
    index.add("foo", foo("1.1"))
    index.add("foo", foo("0.9"))
    return index


def listed(indexes: Indexes, pin: Pin = FOO) -> Listed:
    found = indexes.find([pin])[pin]
    assert isinstance(found, Listed), found
    return found


def unanswered(indexes: Indexes, pin: Pin = FOO) -> Unanswered:
    found = indexes.find([pin])[pin]
    assert isinstance(found, Unanswered), found
    return found


@pytest.mark.parametrize("speaks_html", [False, True])
@pytest.mark.parametrize("packs", [False, True])
def test_the_files_of_a_version(speaks_html: bool, packs: bool, serve: Serve, opened: Opener) -> None:
    server = serve(served(speaks_html=speaks_html, packs=packs))
    found = listed(opened(server))
    wheel, sdist = found.files
    assert (wheel.filename, sdist.filename) == ("foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz")
    assert (wheel.url, wheel.index) == (f"{server.url}/files/{wheel.filename}", f"{server.url}/simple")
    assert (wheel.requires_python, sdist.yanked) == (">=3.7", "broken")
    assert wheel.upload_time == (None if speaks_html else "2019-03-01T00:00:00Z")
    assert found.other_versions == ("0.9", "1.1")
    assert [request.headers["accept-encoding"] for request in server.requests] == ["gzip"]


def test_each_project_is_asked_for_once(serve: Serve, opened: Opener) -> None:
    index = served()
    index.add("bar-baz", make_wheel("bar_baz", "2", {}))
    server = serve(index)
    client = opened(server)
    pins = [FOO, Pin(name="foo", version="1.1"), Pin(name="Bar.Baz", version="2"), Pin(name="none", version="1")]
    found = client.find([*pins, Pin(name="../x", version="1")])
    assert [len(each.files) for each in found.values() if isinstance(each, Listed)] == [2, 1, 1]
    assert found[pins[3]] == Unanswered(reason=f"not on {server.url}/simple", absent=True)
    assert found[Pin(name="../x", version="1")] == Unanswered(
        reason="../x: not a name that an index can have", absent=True
    )
    assert sorted(request.path for request in server.requests) == ["/simple/bar-baz/", "/simple/foo/", "/simple/none/"]
    assert client.stats.requests == 3
    assert client.stats.received > 500
    assert opened.said == []


def test_no_index(opened: Opener) -> None:
    client = opened(settings=IndexSettings(no_index=True))
    assert unanswered(client) == Unanswered(reason="no index is configured", absent=True)


def test_all_indexes_count_alike(serve: Serve, opened: Opener) -> None:
    first, second = served(), ServedIndex()
    second.add("foo", foo())
    second.add("foo", foo(text="another"))
    second.add("foo", foo("1.2"))
    one, two = serve(first), serve(second)
    found = listed(opened(one, two))
    assert [file.url.startswith(one.url) for file in found.files] == [True, True, False]
    assert found.other_versions == ("0.9", "1.1", "1.2")


def test_the_first_index_that_knows_the_project(serve: Serve, opened: Opener) -> None:
    second = ServedIndex()
    second.add("foo", foo("1.0"))
    servers = serve(ServedIndex()), serve(served()), serve(second)
    indexes = tuple(Index(url=f"{server.url}/simple") for server in servers)
    found = listed(opened(settings=IndexSettings(indexes=indexes, first_index_only=True)), Pin(name="foo", version="5"))
    assert found == Listed(files=(), other_versions=("0.9", "1.0", "1.1"))
    assert [len(server.requests) for server in servers] == [1, 1, 0]


def test_what_counts_less_does_not_stand_in_for_what_fails(serve: Serve, opened: Opener) -> None:
    broken, good = serve(lambda _request: Reply(status=403)), serve(served())
    indexes = tuple(Index(url=f"{server.url}/simple") for server in (broken, good))
    found = unanswered(opened(settings=IndexSettings(indexes=indexes, first_index_only=True)))
    assert found == Unanswered(reason=f"{broken.url}/simple: denies access", absent=False)
    assert good.requests == []


def test_one_of_two_does_not_answer(serve: Serve, opened: Opener) -> None:
    broken, good = serve(lambda _request: Reply(status=401)), serve(served())
    found = listed(opened(broken, good))
    message = f"{broken.url}/simple: needs a login, or does not accept the one that it got"
    assert len(found.files) == 2
    assert found.unanswered == (message,)
    assert opened.said == [message]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=410), None),
        (Reply(status=418), "answers 418"),
        (Reply(status=304), "answers 304"),
        (Reply(status=429, headers={"Retry-After": "3600"}), "answers no more for now: too many requests"),
        (Reply(body=b"x", headers={"Content-Encoding": "gzip", "Retry-After": "99"}), "compressed body is damaged"),
        (Reply(body=b"{", headers={"Content-Type": "application/json"}), "not JSON (expected the page of a project)"),
        (Reply(status=302, headers={"Location": "/simple/foo/"}), "redirects in a circle"),
        (Reply(status=302, headers={"Location": "ftp://x/"}), "redirects to a place that is no URL"),
        (Reply(status=302), "redirects to a place that is no URL"),
    ],
)
def test_pages_that_are_none(reply: Reply, reason: str | None, serve: Serve, opened: Opener) -> None:
    found = unanswered(opened(serve(lambda _request: reply)))
    assert found.absent == (reason is None)
    assert (reason or "not on") in found.reason


def test_a_server_that_has_bad_moments(serve: Serve, opened: Opener) -> None:
    busy = Reply(status=429, headers={"Retry-After": "0"})
    server = serve(scripted(busy, Reply(hang_up=True), Reply(body=b"12345", cut=3), then=served()))
    assert len(listed(opened(server)).files) == 2
    assert len(server.requests) == 4


def test_a_server_that_is_not_there(opened: Opener) -> None:
    settings = IndexSettings(indexes=(Index(url=f"http://127.0.0.1:{closed_port()}/simple"),))
    found = unanswered(opened(settings=settings))
    assert found.reason.endswith(": cannot be reached: connection refused")
    assert not found.absent


def test_a_server_that_never_ends(serve: Serve, opened: Opener) -> None:
    server = serve(lambda _request: Reply(body=b"x" * 1000, drip=0.05))
    settings = IndexSettings(indexes=(Index(url=f"{server.url}/simple"),))
    with Indexes(settings, timeouts=Timeouts(total=0.5)) as client:
        assert "/simple/foo/: " in unanswered(client).reason


def test_closing_ends_what_waits(serve: Serve, opened: Opener) -> None:
    server = serve(lambda _request: Reply(wait=600))
    client = opened(server)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(unanswered(client)))
    thread.start()
    while not server.requests:
        time.sleep(0.01)
    client.close()
    thread.join(20)
    assert len(results) == 1


def test_pages_are_kept(serve: Serve, opened: Opener, cache: Cache) -> None:
    server = serve(served())
    first = listed(opened(server, cache=cache))
    assert listed(opened(server, cache=cache)) == first
    assert listed(opened(server, cache=cache, offline=True)) == first
    assert len(server.requests) == 1


@pytest.mark.parametrize("etags", [True, False])
def test_pages_that_are_not_fresh(etags: bool, serve: Serve, opened: Opener, cache: Cache) -> None:
    index = served(cache_control="no-cache", etags=etags)
    server = serve(index)
    client = opened(server, cache=cache)
    first = listed(client)
    received = client.stats.received
    assert listed(client) == first
    assert (client.stats.received == received) == etags
    index.add("foo", foo("1.2"))
    assert listed(client).other_versions == ("0.9", "1.1", "1.2")
    assert listed(opened(server, cache=cache, offline=True)).other_versions == ("0.9", "1.1", "1.2")


def test_pages_that_may_not_be_kept(serve: Serve, opened: Opener, cache: Cache) -> None:
    server = serve(served(cache_control="private, no-store"))
    listed(opened(server, cache=cache))
    assert cache.info().entries == 0


def test_what_an_index_does_not_know_is_kept_too(serve: Serve, opened: Opener, cache: Cache) -> None:
    server = serve(ServedIndex())
    assert unanswered(opened(server, cache=cache)).absent
    assert unanswered(opened(server, cache=cache)).absent
    assert len(server.requests) == 1


def test_without_the_network(serve: Serve, opened: Opener, cache: Cache) -> None:
    server = serve(served())
    found = unanswered(opened(server, cache=cache, offline=True))
    reason = f"{server.url}/simple: not asked: without the network, and it was not asked before"
    assert found == Unanswered(reason=reason, absent=False)
    assert server.requests == []


def test_a_cache_of_another_time(serve: Serve, opened: Opener, cache: Cache) -> None:
    server = serve(served())
    listed(opened(server, cache=cache))
    (entry,) = (path for path in cache.folder.iterdir() if path.name.startswith("index-1"))
    cache.put("index-1", entry.name.split(".")[1], b"something else")
    assert len(listed(opened(server, cache=cache)).files) == 2


def test_links_of_a_folder_and_of_a_page(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "wheel house"
    folder.mkdir()
    for filename, data in (foo(), foo("2.0"), make_sdist("foo-bar", "3", {})):
        (folder / filename).write_bytes(data)
    (folder / "notes.txt").write_text("no distribution")
    (folder / "foo-3.0.tar.gz").mkdir()
    page = ServedIndex(speaks_html=True)
    page.add("foo", foo(text="another"))
    server = serve(page)
    links = (folder.as_uri(), f"{server.url}/links/", (tmp_path / "missing").as_uri())
    client = opened(settings=IndexSettings(find_links=links, no_index=True))
    found = listed(client)
    local, remote = found.files
    assert (local.url, local.size) == ((folder / local.filename).as_uri(), len(foo()[1]))
    assert local.sha256 == page_hash(foo()[1])
    assert remote.url == f"{server.url}/files/{remote.filename}"
    assert remote.project == "foo"
    assert found.other_versions == ("2.0",)
    message = f"{tmp_path / 'missing'}: cannot be read: No such file or directory"
    assert found.unanswered == (message,)
    assert opened.said == [message]
    other = listed(client, Pin(name="foo_bar", version="3.0"))
    assert [file.filename for file in other.files] == ["foo_bar-3.tar.gz"]
    assert len(server.requests) == 1


def page_hash(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def test_a_page_of_links_that_is_not_there(serve: Serve, opened: Opener) -> None:
    server = serve(ServedIndex())
    settings = IndexSettings(find_links=(f"{server.url}/nothing",), no_index=True)
    assert unanswered(opened(settings=settings)).reason == f"{server.url}/nothing: there is no such page"


def test_an_index_of_this_machine(opened: Opener, tmp_path: Path) -> None:
    place = tmp_path / "index" / "foo"
    place.mkdir(parents=True)
    filename, data = foo()
    (place / filename).write_bytes(data)
    (place / "index.html").write_text(f'<a href="{filename}">{filename}</a>')
    settings = IndexSettings(indexes=tuple(Index(url=(tmp_path / name).as_uri()) for name in ("index", "none")))
    client = opened(settings=settings)
    found = listed(client)
    assert [file.url for file in found.files] == [(place / filename).as_uri()]
    assert found.files[0].sha256 == page_hash(data)
    assert found.unanswered == (f"{tmp_path / 'none'}: no such folder (expected a package index)",)
    assert client.stats.requests == 0
    assert client.members(found.files[0], lambda name: name == "foo.py") == {"foo.py": b""}


def test_only_so_many_versions_are_told(serve: Serve, opened: Opener) -> None:
    index = ServedIndex()
    for minor in range(520):
        index.add("foo", (f"foo-1.{minor}.tar.gz", b""))
    index.add("foo", ("foo-oddly.tar.gz", b""))
    found = listed(opened(serve(index)), Pin(name="foo", version="oddly"))
    assert [file.filename for file in found.files] == ["foo-oddly.tar.gz"]
    assert (len(found.other_versions), found.other_versions[0], found.other_versions[-1]) == (500, "1.20", "1.519")


@pytest.mark.network
def test_a_long_page_of_the_real_index(opened: Opener, cache: Cache) -> None:
    pins = [
        Pin(name="NumPy", version="1.26.4"),
        Pin(name="zope.interface", version="5.0"),
        Pin(name="six", version="99"),
    ]
    client = opened(settings=IndexSettings(), cache=cache)
    found = client.find(pins)
    numpy = found[pins[0]]
    assert isinstance(numpy, Listed)
    assert any(not file.is_wheel for file in numpy.files)
    assert all(file.sha256 and file.upload_time and file.size for file in numpy.files)
    assert all(isinstance(each, Listed) for each in found.values())
    assert client.stats.requests == 3
    again = opened(settings=IndexSettings(), cache=cache, offline=True)
    assert again.find(pins) == found


def test_a_fault_is_a_package_index_error(serve: Serve, opened: Opener) -> None:
    client = opened(serve(served()))
    (file, _) = listed(client).files
    missing = file.__class__(filename=file.filename, project="foo", url=f"{file.url}x", index=file.index)
    with pytest.raises(PackageIndexError) as caught:
        client.members(missing, lambda _name: True)
    assert caught.value.message == f"{file.url}x: answers 404"
