"""Rattler takes the kit's packages, channel and server for real ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
import rattler
from rattler.platform import SubdirLiteral

from tests.imagekit.conda_channel import BASE, Served, channel_folder, install, records, serve, solve
from tests.imagekit.conda_package import PLACEHOLDER, Entry, Package, build_package, script, write_package
from tests.imagekit.faulty import Answer, Corrupt, Truncate, on
from tests.imagekit.machine import MissingToolError

NAMES = [
    *("python", "openssl", "ca-certificates", "tzdata", "demo-lib", "demo-tool", "demo-hook"),
    *("pip", "setuptools", "wheel", "six", "tabulate"),
]

SMALL = Package(
    name="small",
    version="1.0",
    build="0",
    depends=("python",),
    files={"share/small.txt": Entry(data=PLACEHOLDER.encode()), "bin/small": script("#!/bin/sh\n")},
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    try:
        channel_folder()
    except MissingToolError as error:
        pytest.skip(str(error))
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def prefix(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("conda") / "prefix"
    install(prefix, records(*NAMES), served, requested=["python=3.9", "demo-tool"])
    return prefix


def say(*words: str | Path) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize("form", [".conda", ".tar.bz2"])
def test_a_package_is_what_rattler_takes_for_one(form: str, tmp_path: Path) -> None:
    package = Package(name="small", version="1.0", build="0", files=SMALL.files, format=form)  # type: ignore[arg-type]
    assert build_package(package) == build_package(package)
    path = write_package(package, tmp_path)
    assert path.relative_to(tmp_path).as_posix() == f"linux-64/small-1.0-0{form}"
    record = asyncio.run(rattler.RepoDataRecord.from_package_archive(path))
    assert (record.name.normalized, str(record.version), str(record.build)) == ("small", "1.0", "0")


@pytest.mark.network
def test_the_index_knows_every_package(served: Served) -> None:
    found = {one.url.removeprefix(BASE): one for one in records()}
    folder = channel_folder()
    files = {f"/{path.relative_to(folder)}": path for path in folder.rglob("*") if path.suffix in (".conda", ".bz2")}
    assert files.keys() - found.keys() == {path for path in files if "/osx-arm64/" in path}
    assert [str(one.version) for one in records("six", "six=1.17.0", "demo-lib")] == ["1.16.0", "1.17.0", "1.1"]
    assert all(one.size == files[path].stat().st_size for path, one in found.items())


@pytest.mark.network
@pytest.mark.parametrize(("platform", "machine"), [("linux-64", "__glibc=2.36"), ("osx-arm64", "__osx=12")])
def test_a_solver_has_a_choice_and_other_platforms(platform: SubdirLiteral, machine: str, served: Served) -> None:
    def versions(*specs: str) -> dict[str, str]:
        found = solve(specs, served, platform=platform, virtual=[machine])
        assert {one.subdir for one in found} == {platform, "noarch"}
        return {one.name.normalized: str(one.version) for one in found}

    newest = versions("demo-tool", "pip")
    assert newest["demo-lib"] == "1.1"
    assert {"python", "openssl", "ca-certificates", "tzdata", "setuptools", "wheel"} < newest.keys()
    assert versions("demo-tool", "demo-lib=1.0")["demo-lib"] == "1.0"


@pytest.mark.network
def test_programs_of_a_prefix_run(prefix: Path) -> None:
    program = "import bz2, ctypes, six, sqlite3, ssl, sys, zlib; print(sys.prefix)"
    for name in ("python", "demo-tool", "demo-tool-2"):
        assert say(prefix / "bin" / name, "-c", program) == str(prefix)
    assert say(prefix / "bin" / "demo-prefix") == str(prefix)
    assert say(prefix / "bin" / "demo-where") == f"{prefix}/share/demo-tool"
    assert say(prefix / "bin" / "pip", "list", "--format=freeze").splitlines() == [
        "pip==23.0.1",
        "setuptools==68.2.2",
        "six==1.16.0",
        "tabulate==0.9.0",
        "wheel==0.42.0",
    ]
    assert say(prefix / "bin" / "tabulate", "--help").startswith("Usage: tabulate")


@pytest.mark.network
def test_the_prefix_is_written_into_files_of_both_kinds(prefix: Path) -> None:
    assert f"'{prefix}/share'" in (prefix / "etc/conda/activate.d/demo-tool.sh").read_text()
    library = (prefix / "lib/libdemo.so").read_bytes()
    tail = f"\0{prefix}/lib/demo\0".encode()
    assert tail in library
    record = json.loads((prefix / "conda-meta/demo-lib-1.1-h2_0.json").read_text())
    (row,) = (row for row in record["paths_data"]["paths"] if row["_path"] == "lib/libdemo.so.1.1")
    assert row["size_in_bytes"] == len(library)
    assert row["sha256"] != row["sha256_in_prefix"] == hashlib.sha256(library).hexdigest()
    for path in prefix.rglob("*"):
        if path.is_file():
            assert PLACEHOLDER.encode() not in path.read_bytes() or path.parent.name == "conda-meta", path


@pytest.mark.network
def test_a_prefix_shares_no_file_with_another(prefix: Path) -> None:
    assert {path.lstat().st_nlink for path in prefix.rglob("*") if path.is_file() and not path.is_symlink()} == {1}


@pytest.mark.network
def test_scripts_of_packages_are_run_when_asked(served: Served, prefix: Path, tmp_path: Path) -> None:
    assert not (prefix / "share/demo-hook/linked.txt").exists()
    install(tmp_path / "other", records("demo-hook"), served, link_scripts=True)
    assert (tmp_path / "other/share/demo-hook/linked.txt").read_text() == "linked\n"


@pytest.mark.network
def test_a_prefix_can_be_made_for_another_place(served: Served, tmp_path: Path) -> None:
    install(tmp_path / "made", records("demo-lib", "openssl"), served, target="/opt/conda", requested=["demo-lib"])
    assert (tmp_path / "made/ssl/openssl.cnf").read_text() == "HOME = /opt/conda/ssl\n"
    assert (tmp_path / "made/lib/libdemo.so").readlink() == Path("libdemo.so.1.1")
    history = (tmp_path / "made/conda-meta/history").read_text().splitlines()
    assert history[3:] == [
        f"+{BASE}/main/linux-64::demo-lib-1.1-h2_0",
        f"+{BASE}/main/linux-64::openssl-3.0.13-h7f8727e_0",
        "# update specs: ['demo-lib']",
    ]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write_package(SMALL, tmp_path / "channel")
    return tmp_path / "channel"


def fetch(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        data: bytes = answer.read()
        return data


PATH = "/linux-64/small-1.0-0.conda"


def test_a_server_counts(small: Path) -> None:
    with serve(small) as served:
        assert fetch(served.url + PATH) == (small / PATH[1:]).read_bytes()
        assert (served.count("small-1.0-0.conda"), served.count("repodata.json")) == (1, 0)
        assert served.paths == [PATH]


def test_a_server_goes_wrong_as_it_is_told(small: Path) -> None:
    right = (small / PATH[1:]).read_bytes()
    script = on(r"\.conda$", Answer(status=500), Corrupt(at=100), Truncate(after=50, admitted=True))
    with serve(small, script) as served:
        with pytest.raises(HTTPError, match="500"):
            fetch(served.url + PATH)
        spoilt = fetch(served.url + PATH)
        assert len(spoilt) == len(right)
        assert spoilt != right
        assert fetch(served.url + PATH) == right[:50]
        assert fetch(served.url + PATH) == right


def test_a_server_demands_a_password(small: Path) -> None:
    with serve(small, user="someone:secret") as served:
        with pytest.raises(HTTPError, match="401"):
            fetch(served.url + PATH)
        assert fetch(served.url + PATH, Authorization="Basic " + b64encode(b"someone:secret").decode())


def test_a_server_demands_a_token(small: Path) -> None:
    with serve(small, token="tk-secret") as served:
        assert served.url.endswith("/t/tk-secret")
        assert fetch(served.url + PATH)
        with pytest.raises(HTTPError, match="404"):
            fetch(re.sub("/t/.*", "", served.url) + PATH)


@pytest.mark.network
def test_rattler_refuses_a_package_of_another_hash(served: Served, tmp_path: Path) -> None:
    with (
        serve(script=on("tzdata", ever_after=Corrupt(at=500))) as bad,
        pytest.raises(Exception, match="Invalid checksum"),
    ):
        install(tmp_path / "prefix", records("tzdata"), bad, cache=tmp_path / "cache")
