"""Who gets a login, and who does not."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import uv

from envsync.index import Listed, Pin, Unanswered
from envsync.index.access import Index, IndexSettings, Login
from envsync.index.settings import load_settings, uv_environment
from tests.image.registry_client.server import Reply, Respond, Server, scripted
from tests.imagekit.index_server import ServedIndex
from tests.imagekit.wheels import make_wheel
from tests.index.conftest import Opener

Serve = Callable[[Respond], Server]
FOO = Pin(name="foo", version="1.0")
WHEEL = make_wheel("foo", "1.0", {"foo.py": ""})
SECRET = "me:s3cret"


def basic(login: str) -> str:
    return f"Basic {b64encode(login.encode()).decode()}"


def shelf(**how: object) -> ServedIndex:
    index = ServedIndex(**how)  # type: ignore[arg-type]
    index.add("foo", WHEEL)
    return index


def settings_for(*servers: Server, login: str | None = SECRET, **more: object) -> IndexSettings:
    places = [f"{server.url}/simple" for server in servers]
    user, _, password = (login or "").partition(":")
    logins = (Login(url=places[0], user=user, password=password or None),) if login else ()
    return IndexSettings(indexes=tuple(Index(url=url) for url in places), logins=logins, **more)  # type: ignore[arg-type]


def seen(server: Server) -> list[str | None]:
    return [request.authorization for request in server.requests]


def test_the_login_of_a_url_is_for_its_host(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    files = serve(shelf())
    index, other = serve(shelf(login=SECRET, files_at=files.url)), serve(shelf())
    client = opened(settings=settings_for(index, other))
    found = client.find([FOO])[FOO]
    assert isinstance(found, Listed)
    client.download(found.files[0], tmp_path)
    assert (seen(index), seen(other), seen(files)) == ([basic(SECRET)], [None], [None])


def test_files_beside_the_index_get_its_login(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    index = serve(shelf(login=SECRET))
    client = opened(settings=settings_for(index))
    found = client.find([FOO])[FOO]
    assert isinstance(found, Listed)
    assert client.download(found.files[0], tmp_path).read_bytes() == WHEEL[1]
    assert seen(index) == [basic(SECRET)] * 2


@pytest.mark.parametrize("login", [None, "me:wrong"])
def test_a_login_that_is_missing_or_wrong(login: str | None, serve: Serve, opened: Opener) -> None:
    index = serve(shelf(login=SECRET))
    found = opened(settings=settings_for(index, login=login)).find([FOO])[FOO]
    assert found == Unanswered(
        reason=f"{index.url}/simple: needs a login, or does not accept the one that it got", absent=False
    )
    assert len(index.requests) == 1


def test_redirects_to_another_place_get_no_login(serve: Serve, opened: Opener) -> None:
    away = serve(scripted(Reply(status=302, headers={"Location": "/simple/foo/"}), then=shelf()))
    back = Reply(status=302, headers={"Location": f"{away.url}/simple/elsewhere/"})
    index = serve(lambda _request: back)
    found = opened(settings=settings_for(index)).find([FOO])[FOO]
    assert isinstance(found, Listed)
    assert found.files[0].url == f"{away.url}/files/{WHEEL[0]}"
    assert found.files[0].index == f"{index.url}/simple"
    assert (seen(index), seen(away)) == ([basic(SECRET)], [None, None])


def test_a_login_that_left_does_not_come_back(serve: Serve, opened: Opener) -> None:
    away = serve(lambda _request: Reply(status=302, headers={"Location": f"{index.url}/simple/other/"}))
    index = serve(scripted(Reply(status=307, headers={"Location": f"{away.url}/x"}), then=shelf()))
    found = opened(settings=settings_for(index)).find([FOO])[FOO]
    assert isinstance(found, Unanswered)
    assert (seen(index), seen(away)) == ([basic(SECRET), None], [None])


def test_redirects_within_the_index_keep_the_login(serve: Serve, opened: Opener) -> None:
    index = serve(scripted(Reply(status=301, headers={"Location": "/simple/foo/#x"}), then=shelf(login=SECRET)))
    assert isinstance(opened(settings=settings_for(index)).find([Pin(name="bar", version="1")]), dict)
    assert seen(index) == [basic(SECRET)] * 2


def test_netrc(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password s3cret\nmachine other login x password y\n")
    files = serve(shelf())
    index = serve(shelf(login=SECRET))
    client = opened(settings=settings_for(index, login=None, netrc=path))
    assert isinstance(client.find([FOO])[FOO], Listed)
    assert (seen(index), seen(files)) == ([basic(SECRET)], [])
    other = opened(settings=settings_for(index, login="another", netrc=path))
    assert isinstance(other.find([FOO])[FOO], Unanswered)  # the URL says another user


def test_a_netrc_that_is_none(serve: Serve, opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1\nlogin me password s3cret s3cret2\n")
    index = serve(shelf())
    assert isinstance(opened(settings=settings_for(index, login=None, netrc=path)).find([FOO])[FOO], Listed)
    (said,) = opened.said
    assert re.fullmatch(rf"{path}: line [23]: not in the form of netrc: no login is taken from it", said)
    path.unlink()
    opened.said.clear()
    opened(settings=settings_for(index, login=None, netrc=path)).find([FOO])
    assert opened.said == [f"{path}: cannot be read: no login is taken from it"]


def keyring(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ``keyring`` command of PATH; what it was asked is in the file that is returned."""
    folder.mkdir()
    asked = folder / "asked"
    program = folder / "keyring"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{asked}'\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


def test_the_keyring_is_asked_once_it_is_needed(
    serve: Serve, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = keyring(tmp_path / "bin", 'echo \'{"username": "me", "password": "s3cret"}\'', monkeypatch)
    index, free = serve(shelf(login=SECRET)), serve(shelf())
    client = opened(settings=settings_for(index, free, login=None, keyring=True))
    client.find([FOO, Pin(name="bar", version="1")])
    assert asked.read_text() == f"--mode creds --output json get {index.url}/simple\n"
    assert set(seen(index)) == {None, basic(SECRET)}
    assert set(seen(free)) == {None}
    assert opened.said == []


def test_the_keyring_is_told_the_user(
    serve: Serve, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = keyring(tmp_path / "bin", 'case "$2" in http*) exit 1;; *) echo s3cret;; esac', monkeypatch)
    index = serve(shelf(login=SECRET))
    client = opened(settings=settings_for(index, login="me", keyring=True))
    assert isinstance(client.find([FOO])[FOO], Listed)
    assert asked.read_text() == f"get {index.url}/simple me\nget {index.address} me\n"
    assert seen(index) == [basic("me:"), basic(SECRET)]


@pytest.mark.parametrize("body", ["exit 1", "echo no json", "echo '{}'"])
def test_a_keyring_without_that_login(
    body: str, serve: Serve, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring(tmp_path / "bin", body, monkeypatch)
    index = serve(shelf(login=SECRET))
    client = opened(settings=settings_for(index, login=None, keyring=True))
    assert isinstance(client.find([FOO])[FOO], Unanswered)


def test_there_is_no_keyring(serve: Serve, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    index = serve(shelf(login=SECRET))
    client = opened(settings=settings_for(index, login=None, keyring=True))
    assert isinstance(client.find([FOO])[FOO], Unanswered)
    assert opened.said[0].startswith("keyring: ")


def test_uv_asks_where_pip_is_configured_to(serve: Serve, tmp_path: Path) -> None:
    first, second = serve(ServedIndex()), serve(shelf(login=SECRET))
    environ = {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": f"{first.url}/simple",
        "PIP_EXTRA_INDEX_URL": f"http://{SECRET}@{second.address}/simple",
    }
    told = uv_environment(load_settings(environ, tmp_path, etc=tmp_path / "etc"))
    words = ["pip", "install", "--no-cache", "--no-config", "--target", str(tmp_path / "target"), "foo==1.0"]
    done = subprocess.run(
        [uv.find_uv_bin(), *words, "--python", sys.executable],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **told},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "target" / "foo.py").exists()
    assert basic(SECRET) in seen(second)
    assert set(seen(first)) <= {None}
