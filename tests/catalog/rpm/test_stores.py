from __future__ import annotations

import sqlite3
import struct
from pathlib import Path, PurePosixPath
from zlib import adler32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envsync.catalog import os_packages
from envsync.catalog.owners import condense, find_owners
from envsync.catalog.rpm import parse_store
from envsync.catalog.rpm.sqlite import Database
from envsync.files import HostTree
from envsync.image_tree import wanted
from envsync.model import OsPackage, Skipped
from tests.catalog.rpm.stores import DATA, NAMES, installed, put, query
from tests.catalog.trees import write

DEMO = (
    OsPackage(manager="rpm", name="demo-tools", version="2.0~rc1-3", architecture="noarch", source="libdemo"),
    OsPackage(manager="rpm", name="libdemo", version="1:2.0~rc1-3", architecture="x86_64", source="libdemo"),
)
FILES = {"/usr/bin/demo": "demo-tools", "/usr/lib64/libdemo.so.2.0": "libdemo"}


def found(root: Path) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    return os_packages.find(HostTree(str(root)))


def owners(root: Path, *paths: str) -> dict[str, str]:
    told = find_owners(HostTree(str(root)), [PurePosixPath(path) for path in paths])
    return {str(path): package for path, package in told.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"])
def test_each_store_holds_the_same_packages(tmp_path: Path, name: str, folder: str) -> None:
    put(tmp_path, name, folder)
    assert found(tmp_path) == (DEMO, ())
    assert owners(tmp_path, *FILES, "/usr/bin/other") == FILES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_of_a_store_in_an_image_says_the_same(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name)
    inside = f"/{path.relative_to(tmp_path)}"
    assert wanted()(inside)
    shorten = condense(inside, path.stat().st_size)
    assert shorten is not None
    path.write_bytes(shorten(path.read_bytes()) or b"")
    assert path.stat().st_size < 1_000
    assert found(tmp_path) == (DEMO, ())
    assert owners(tmp_path, *FILES) == FILES


def test_one_store_counts_and_the_newest_kind_first(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/rpm/Packages", b"left behind")
    put(tmp_path, "rpmdb.sqlite", "usr/lib/sysimage/rpm")
    assert found(tmp_path)[0] is None
    put(tmp_path, "rpmdb.sqlite")
    assert found(tmp_path) == (DEMO, ())


def test_rpm_itself_says_the_same_of_what_it_installed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    files = {f"p{n}": [f"/opt/p{n}/{'long' * (n % 40)}{i}" for i in range(n * 3)] for n in range(0, 60, 7)}
    installed(root, files)
    packages, skipped = found(root)
    assert skipped == ()
    assert {f"{p.name} {p.version} {p.architecture} {p.source}" for p in packages or ()} == {
        line.removesuffix("-1.5~rc1-2.src.rpm")
        for line in query(root, "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE} %{ARCH} %{SOURCERPM}\n")
    }
    assert len(packages or ()) == len(files)
    assert owners(root, *(path for paths in files.values() for path in paths)) == {
        path: name for name, paths in files.items() for path in paths
    }


def test_keys_are_no_packages(tmp_path: Path) -> None:
    header = _header({1000: b"gpg-pubkey\0", 1001: b"1\0", 1002: b"2\0"})
    write(tmp_path, "var/lib/rpm/rpmdb.sqlite", _store(tmp_path, [header]))
    assert found(tmp_path) == ((), ())


def test_a_damaged_header_is_one_package_less(tmp_path: Path) -> None:
    sound = _header({1000: b"a\0", 1001: b"1\0", 1002: b"2\0", 1022: b"noarch\0"})
    odd = _header({1000: b"\x1b[31m\0", 1001: b"1\0", 1002: b"2\0"})
    write(tmp_path, "var/lib/rpm/rpmdb.sqlite", _store(tmp_path, [odd, sound[:-1], sound]))
    packages, skipped = found(tmp_path)
    assert packages == (OsPackage(manager="rpm", name="a", version="1-2", architecture="noarch", source="a"),)
    assert skipped == tuple(
        Skipped(subject="a package", place="/var/lib/rpm/rpmdb.sqlite", reason=reason)
        for reason in (
            "a header without a usable name, version or architecture",
            "a header that is not as long as it says",
        )
    )


def _header(texts: dict[int, bytes]) -> bytes:
    index, data = b"", b""
    for tag, text in texts.items():
        index += struct.pack(">IIiI", tag, 6, len(data), 1)
        data += text
    return struct.pack(">II", len(texts), len(data)) + index + data


def _store(folder: Path, headers: list[bytes]) -> bytes:
    file = folder / "made.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
    connection.close()
    return file.read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("Packages", b"\0" * 12 + struct.pack("<I", 0x053162) + b"\0" * 500, "a store of Berkeley DB that is no hash"),
        ("Packages", b"nothing of the kind", "an rpm store of an unknown kind"),
        ("Packages", (DATA / "rpm/Packages").read_bytes()[:12_000], "a damaged store: "),
        ("Packages.db", (DATA / "rpm/Packages.db").read_bytes()[:5_000], "a damaged store: it is cut off"),
        ("Packages.db", b"RpmP", "a damaged store: no table of packages"),
        ("rpmdb.sqlite", (DATA / "rpm/rpmdb.sqlite").read_bytes()[:5_000], "a SQLite database that is cut off"),
        ("rpmdb.sqlite", (DATA / "dnf/history.sqlite").read_bytes(), "a SQLite database without the table Packages"),
    ],
)
def test_a_damaged_store_is_told(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    write(tmp_path, f"var/lib/rpm/{name}", data)
    packages, skipped = found(tmp_path)
    assert packages is None
    assert [(note.subject, note.place) for note in skipped] == [("OS packages", f"/var/lib/rpm/{name}")]
    assert skipped[0].reason.startswith(reason)
    assert owners(tmp_path, "/usr/bin/demo") == {}


def test_keys_that_are_as_long_as_the_store_are_not_put_together(tmp_path: Path) -> None:
    """Each of a few bytes, and of 8 MB where it is read: pages that lead in a circle."""
    pages = [bytearray(4096) for _ in range(2048)]
    pages[0][12:24] = struct.pack("<III", 0x061561, 9, 4096)
    pages[1][20:22] = struct.pack("<H", 2)
    pages[1][25] = 13
    pages[1][26:30] = struct.pack("<2H", 4000, 3900)
    pages[1][4000:4012] = pages[1][3900:3912] = struct.pack("<B3xII", 3, 2, 8 << 20)
    pages[2][16:20], pages[2][22:24], pages[2][25] = struct.pack("<I", 2), struct.pack("<H", 4000), 7
    path = write(tmp_path, "var/lib/rpm/Packages", b"".join(pages))
    place = f"/{path.relative_to(tmp_path)}"
    reason = "a damaged store: a key of an unknown kind"
    assert found(tmp_path) == (None, (Skipped(subject="OS packages", place=place, reason=reason),))


def test_packages_that_lie_upon_one_another_are_not_read_again_and_again(tmp_path: Path) -> None:
    blocks = 60_000
    blob = struct.pack("<4s3I", b"BlbS", 1, 0, 0) + bytes(blocks * 16 - 28)
    blob += struct.pack("<2I4s", adler32(blob), 0, b"BlbE")
    slots = struct.pack("<4s3I", b"Slot", 1, 256, blocks) * 254
    data = struct.pack("<4s3I", b"RpmP", 0, 0, 1).ljust(32, b"\0") + slots + blob
    path = write(tmp_path, "var/lib/rpm/Packages.db", data)
    place = f"/{path.relative_to(tmp_path)}"
    packages, notes = found(tmp_path)
    assert packages is None
    reason = "a damaged store: packages that lie upon one another"
    assert notes[-1] == Skipped(subject="OS packages", place=place, reason=reason)


def test_headers_without_end() -> None:
    packages, notes = parse_store(b"envsync: rpm headers\n" + bytes(4 * 300_000))
    assert packages is None
    assert "a damaged store: more headers than any system has" in {note.reason for note in notes}


def test_a_store_of_another_kind_is_told_and_so_is_a_log_that_was_left(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/rpm/Packages.lmdb", b"x")
    write(tmp_path, "var/lib/rpm/.rpm.lock", b"")
    reason = "an rpm store of an unknown kind, or an empty one"
    assert found(tmp_path) == (
        None,
        (Skipped(subject="OS packages", place="/var/lib/rpm/Packages.lmdb", reason=reason),),
    )
    place = "/var/lib/rpm/rpmdb.sqlite"
    put(tmp_path, "rpmdb.sqlite")
    write(tmp_path, f"{place}-wal", b"x")
    reason = "its write-ahead log is not empty: what rpm did last is not read"
    assert found(tmp_path) == (DEMO, (Skipped(subject="OS packages", place=place, reason=reason),))


ROWS = st.lists(
    st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(), st.binary())
)


@settings(max_examples=30)
@given(rows=ROWS, size=st.sampled_from([512, 1024, 4096, 65536]), fill=st.integers(0, 70_000))
def test_tables_are_read_as_sqlite_reads_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]], size: int, fill: int
) -> None:
    file = tmp_path_factory.mktemp("db") / "a.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA page_size = {size}")
        connection.execute("CREATE TABLE other (a)")
        connection.execute("CREATE TABLE t (a, b, c, d)")
        rows = [*rows, *((n, 0.5, "x" * (fill % (n + 1)), b"y" * (fill // (n + 1))) for n in range(60))]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
        told = connection.execute("SELECT rowid, * FROM t").fetchall()
    connection.close()
    assert [tuple(row) for row in Database(file.read_bytes()).rows("t")] == told


@given(
    name=st.sampled_from(NAMES),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=5),
    end=st.floats(0, 1) | st.just(1),
)
def test_any_damage_gives_packages_or_notes(
    tmp_path_factory: pytest.TempPathFactory, name: str, edits: list[tuple[float, bytes]], end: float
) -> None:
    root = tmp_path_factory.mktemp("root")
    path = put(root, name)
    data = bytearray(path.read_bytes())
    for place, patch in edits:
        at = int(place * len(data))
        data[at : at + len(patch)] = patch
    path.write_bytes(data[: int(end * len(data))])
    packages, skipped = found(root)
    for package in packages or ():
        assert f"{package.name}{package.version}{package.architecture}{package.source}".isprintable()
    assert all(note.reason.isprintable() for note in skipped)
    owners(root, *FILES)


@pytest.mark.parametrize(
    ("file", "content", "explicit"),
    [
        ("var/lib/dnf/history.sqlite", (DATA / "dnf/history.sqlite").read_bytes(), (True, False)),
        (
            "usr/lib/sysimage/libdnf5/packages.toml",
            b'version = "1.0"\n[packages]\n"libdemo.x86_64" = {reason = "Weak Dependency"}\n'
            b'"demo-tools.noarch" = {reason = "User"}\n"other.noarch" = {reason = "?"}\n',
            (True, False),
        ),
        ("usr/lib/sysimage/libdnf5/packages.toml", b"[packages]\n", (None, None)),
        ("var/lib/zypp/AutoInstalled", b"# names\nlibdemo\n", (True, False)),
    ],
)
def test_why_a_package_is_there(
    tmp_path: Path, file: str, content: bytes, explicit: tuple[bool | None, bool | None]
) -> None:
    put(tmp_path, "rpmdb.sqlite")
    write(tmp_path, file, content)
    packages, skipped = found(tmp_path)
    assert skipped == ()
    assert tuple(package.explicit for package in packages or ()) == explicit


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("var/lib/dnf/history.sqlite", "no SQLite database"),
        ("usr/lib/sysimage/libdnf5/packages.toml", "it is no packages.toml of dnf 5"),
    ],
)
def test_without_knowing_why_the_packages_are_still_there(tmp_path: Path, file: str, reason: str) -> None:
    put(tmp_path, "rpmdb.sqlite")
    write(tmp_path, file, b"x")
    note = Skipped(subject="why OS packages are there", place=f"/{file}", reason=reason)
    assert found(tmp_path) == (DEMO, (note,))
