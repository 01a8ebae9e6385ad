"""Whose settings count, and which: https://pip.pypa.io/en/stable/topics/configuration/ and uv's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from envsync.errors import UsageError
from envsync.index.access import PYPI, Index, IndexSettings, Login, parse_place
from envsync.index.settings import load_settings, uv_environment, uv_options


class Machine:
    """A home and an ``/etc``, with files in them."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.etc = root / "etc"

    def write(self, path: str, text: str) -> Path:
        target = self.home.parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def load(self, **environ: str) -> IndexSettings:
        return load_settings(environ, self.home, etc=self.etc)

    def refused(self, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(UsageError) as caught:
            self.load(**(environ or {}))
        return caught.value.message


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def urls(settings: IndexSettings) -> list[str]:
    return [index.url for index in settings.indexes]


def test_nothing_is_configured(machine: Machine) -> None:
    assert machine.load() == IndexSettings()
    assert uv_environment(machine.load()) == {"UV_DEFAULT_INDEX": PYPI, "UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_files_of_pip(machine: Machine) -> None:
    machine.write("etc/xdg/pip/pip.conf", "[global]\nindex-url = https://a/simple\nextra-index-url = https://xdg/\n")
    machine.write("etc/pip.conf", "[install]\nfind_links = https://links/x/\n[global]\nindex-url = https://b/simple\n")
    machine.write("home/.pip/pip.conf", "[global]\nindex-url = https://c/simple\ntrusted-host = c d:81\n")
    assert urls(machine.load()) == ["https://c/simple", "https://xdg"]
    machine.write(
        "home/.config/pip/pip.conf", "[global]\n--index-url = https://d/simple/\n[freeze]\nindex-url=https://x\n"
    )
    settings = machine.load()
    assert urls(settings) == ["https://d/simple", "https://xdg"]
    assert settings.find_links == ("https://links/x/",)
    assert settings.trusted_hosts == ("c", "d:81")
    assert (settings.source, settings.first_index_only) == ("pip", False)


def test_the_section_counts_more_than_the_file_and_variables_more_than_both(machine: Machine) -> None:
    machine.write("etc/pip.conf", "[install]\nindex-url = https://install/simple\n")
    machine.write("home/.config/pip/pip.conf", "[global]\nindex-url = https://global/simple\nno-index = true\n")
    settings = machine.load()
    assert (urls(settings), settings.no_index) == (["https://install/simple"], True)
    assert uv_options(settings) == ["--no-index"]
    settings = machine.load(PIP_INDEX_URL="https://variable/simple", PIP_NO_INDEX="off", PIP_FIND_LINKS="")
    assert (urls(settings), settings.no_index, settings.find_links) == (["https://variable/simple"], False, ())


def test_the_file_that_a_variable_names(machine: Machine) -> None:
    machine.write("etc/pip.conf", "[global]\nextra-index-url = https://one/simple\n    https://two/simple\n")
    machine.write("home/.config/pip/pip.conf", "[global]\nindex-url = https://user/simple\n")
    named = machine.write("named.conf", "[global]\nindex-url = https://named/simple\n")
    assert urls(machine.load(PIP_CONFIG_FILE=str(named))) == [
        "https://named/simple",
        "https://one/simple",
        "https://two/simple",
    ]
    missing = str(named.with_name("missing.conf"))
    assert urls(machine.load(PIP_CONFIG_FILE=missing))[0] == "https://user/simple"
    assert urls(machine.load(PIP_CONFIG_FILE=os.devnull)) == [PYPI]


def test_how_pip_reaches_indexes(machine: Machine, tmp_path: Path) -> None:
    bundle = machine.write("home/authority.pem", "")
    settings = machine.load(
        PIP_CERT=str(bundle),
        PIP_PROXY="user:secret@proxy:3128",
        PIP_KEYRING_PROVIDER="subprocess",
        PIP_TRUSTED_HOST="h",
    )
    assert settings.proxy is not None
    assert settings.proxy.url == "http://proxy:3128"
    assert "secret" not in repr(settings)
    assert uv_environment(settings) == {
        "HTTPS_PROXY": "http://user:secret@proxy:3128",
        "HTTP_PROXY": "http://user:secret@proxy:3128",
        "SSL_CERT_FILE": str(bundle),
        "UV_DEFAULT_INDEX": PYPI,
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "h",
        "UV_KEYRING_PROVIDER": "subprocess",
    }


def test_logins_are_for_child_processes_and_the_host_alone(machine: Machine) -> None:
    settings = machine.load(
        PIP_INDEX_URL="https://user:p%40ss@host:8443/simple/",
        PIP_EXTRA_INDEX_URL="https://token@other/simple https://third/simple",
        PIP_FIND_LINKS="/wheels https://a:b@links/x/",
    )
    assert urls(settings) == ["https://host:8443/simple", "https://other/simple", "https://third/simple"]
    assert settings.login("https://host:8443/simple") == Login(
        url="https://host:8443/simple", user="user", password="p@ss"
    )
    assert settings.find_links == ("file:///wheels", "https://links/x/")
    assert "p@ss" not in repr(settings)
    assert "p%40ss" not in repr(settings)
    found = uv_environment(settings)
    assert found["UV_DEFAULT_INDEX"] == "https://user:p%40ss@host:8443/simple"
    assert found["UV_INDEX"] == "https://token@other/simple https://third/simple"
    assert found["UV_FIND_LINKS"] == "file:///wheels,https://a:b@links/x/"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index-url = x", "not a configuration of pip: File contains no section headers."),
        ("[global]\nindex-url = ftp://x", "pip: index-url: ftp://x: not the URL of a package index"),
        (
            "[global]\nindex-url = https://a:b@x:99999",
            "pip: index-url: https://x:99999: not the URL of a package index",
        ),
        ("[global]\nindex-url = https://é", "pip: index-url: https://é: not the URL of a package index"),
        ("[global]\nno-index = maybe\x07", "pip: no-index: maybe\\x07 (expected true or false)"),
        ("[global]\ncert = ~nobody-at-all/x", "pip: cert: ~nobody-at-all/x: no such file or folder"),
        ("[global]\nproxy = socks5://x:1", "pip: proxy: a proxy of the kind socks5 (expected http or https)"),
        ("[global]\nproxy = http://", "pip: proxy: not the URL of a proxy (expected http://HOST:PORT)"),
        ("[global]\na = 1\na = 2", "option 'a' in section 'global' already exists"),
    ],
)
def test_settings_of_pip_that_cannot_be_meant(text: str, message: str, machine: Machine) -> None:
    machine.write("etc/pip.conf", text)
    assert message in machine.refused()


def test_a_file_of_pip_that_is_no_text(machine: Machine) -> None:
    path = machine.write("etc/pip.conf", "")
    path.write_bytes(b"[global]\nindex-url = \xff")
    assert machine.refused() == f"{path}: cannot be read: not text in UTF-8"


def test_variables_of_uv_count_more_than_all_of_pip(machine: Machine) -> None:
    machine.write("etc/pip.conf", "[global]\nindex-url = https://pip/simple\n")
    settings = machine.load(
        UV_DEFAULT_INDEX="main=https://main/simple",
        UV_INDEX="own=https://user:secret@own/simple https://second/simple",
        UV_EXTRA_INDEX_URL="https://extra/simple",
        UV_INDEX_OWN_USERNAME="me",
        UV_INDEX_OWN_PASSWORD="mine",
        UV_FIND_LINKS="/wheels, https://links/",
        UV_INSECURE_HOST="host:1",
        UV_KEYRING_PROVIDER="subprocess",
        PIP_INDEX_URL="https://x/simple",
    )
    assert settings.indexes == (
        Index(url="https://own/simple", name="own"),
        Index(url="https://second/simple"),
        Index(url="https://extra/simple"),
        Index(url="https://main/simple", name="main"),
    )
    assert settings.login("https://own/simple") == Login(url="https://own/simple", user="me", password="mine")
    assert settings.find_links == ("file:///wheels", "https://links/")
    assert (settings.first_index_only, settings.keyring, settings.trusted_hosts) == (True, True, ("host:1",))
    assert (settings.source, uv_environment(settings), uv_options(settings)) == ("uv", {}, [])


def test_files_of_uv(machine: Machine) -> None:
    user = """
    find-links = ["house"]
    index-strategy = "unsafe-best-match"
    [[index]]
    name = "own"
    url = "https://own/simple"
    [[index]]
    url = "https://explicit/simple"
    name = "explicit"
    explicit = true
    [[index]]
    url = "https://flat/"
    format = "flat"
    [pip]
    extra-index-url = ["https://section/simple"]
    """
    machine.write("home/.config/uv/uv.toml", user)
    shared = '[[index]]\nname = "own"\nurl = "https://x/simple"\n[[index]]\nurl = "https://m/simple"\ndefault = true\n'
    machine.write("etc/uv/uv.toml", f'exclude-newer = "2020-01-01"\n{shared}')
    settings = machine.load()
    assert urls(settings) == ["https://own/simple", "https://section/simple", "https://m/simple"]
    assert settings.find_links == ("https://flat/", (machine.home / ".config" / "uv" / "house").as_uri())
    assert not settings.first_index_only
    assert urls(machine.load(UV_NO_CONFIG="1")) == [PYPI]
    named = machine.write("named.toml", 'index-url = "https://named/simple"')
    assert urls(machine.load(UV_CONFIG_FILE=str(named))) == ["https://named/simple"]
    assert urls(machine.load(UV_CONFIG_FILE=str(named), UV_INDEX_URL="https://v/simple")) == ["https://v/simple"]
    named.write_text('[[index]]\nurl = "https://named/simple"\ndefault = true\n')
    assert urls(machine.load(UV_CONFIG_FILE=str(named), UV_INDEX_URL="https://v/simple")) == ["https://v/simple"]


def test_pypi_comes_last_where_nothing_replaces_it(machine: Machine) -> None:
    assert urls(machine.load(UV_INDEX="https://own/simple")) == ["https://own/simple", PYPI]


def test_settings_of_uv_that_cannot_be_meant(machine: Machine) -> None:
    assert machine.refused({"UV_INDEX": "https://a:b@[x"}) == (
        "UV_INDEX: https://[x: not the URL of a package index (expected http, https or file)"
    )
    missing = str(machine.home / "uv.toml")
    assert machine.refused({"UV_CONFIG_FILE": missing}) == f"UV_CONFIG_FILE: {missing}: no such file"
    path = machine.write("home/.config/uv/uv.toml", "index-url = 5")
    assert machine.refused().startswith(f"{path}: not a configuration of uv: Expected `str | null`, got `int`")
    path.write_text("[")
    assert machine.refused().startswith(f"{path}: not a configuration of uv: ")


def test_netrc(machine: Machine) -> None:
    assert machine.load().netrc is None
    path = machine.write("home/.netrc", "")
    assert machine.load().netrc == path
    named = machine.write("named", "")
    assert machine.load(NETRC=str(named)).netrc == named
    assert machine.load(NETRC=str(named.with_name("none"))).netrc is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://host/simple/", "https://host/simple"),
        ("file:///a/b/", "file:///a/b"),
        ("file:///", "file:///"),
        ("a b", "file:///here/a%20b"),
        ("~nobody-at-all/x", "file:///here/~nobody-at-all/x"),
        ("http://[::1]:80/x#y", "http://[::1]:80/x"),
    ],
)
def test_places(text: str, expected: str) -> None:
    assert parse_place(text, where="x", relative_to=Path("/here")) == (expected, None)
