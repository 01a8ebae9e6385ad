from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync import probe
from envsync.catalog import os_packages
from envsync.files import HostTree
from envsync.model import OsPackage
from envsync.probe.packages import Listed, parse_apk_list, parse_dpkg_query, parse_rpm_query
from tests.catalog.rpm.stores import installed, query

LINES = st.lists(st.text(alphabet="ab1-.:{}()[] \tiUhc~\n\x00é", max_size=40)).map("\n".join)


def listed(found: Listed) -> list[tuple[str, str, str, str]]:
    return [(one.name, one.version, one.architecture, one.source) for one in found[0]]


def test_dpkg_query() -> None:
    found = parse_dpkg_query(
        "libc6\t2.36-9+deb12u10\tamd64\tglibc\tii \n"
        "adduser\t3.134\tall\tadduser\thi \n"
        "gone\t1\tall\tgone\trc \n"
        "half\t1\tall\thalf\tiU \n"
        "old-tool\t2:1~rc1\tamd64\t\tii \n"
    )
    assert listed(found) == [
        ("libc6", "2.36-9+deb12u10", "amd64", "glibc"),
        ("adduser", "3.134", "all", "adduser"),
        ("half", "1", "all", "half"),
        ("old-tool", "2:1~rc1", "amd64", "old-tool"),
    ]
    assert found[1] == ()


@pytest.mark.parametrize("line", ["libc6", "a\tb\tc\td", "a\tb\tc\td\ti", "a\t1 2\tall\ta\tii ", "\t1\tall\ta\tii "])
def test_lines_of_dpkg_query_that_make_no_sense(line: str) -> None:
    packages, (skipped,) = parse_dpkg_query(line + "\n")
    assert packages == ()
    assert skipped.place == "dpkg-query"
    assert skipped.reason.startswith("a line that makes no sense: ")
    assert skipped.reason.isprintable()


def test_apk_list() -> None:
    found = parse_apk_list(
        "WARNING: opening from cache https://example.com: No such file or directory\n"
        "musl-1.2.4-r2 x86_64 {musl} (MIT) [installed]\n"
        "py3-pip-23.1.2-r0 x86_64 {py3-pip} (MIT) [installed]\n"
        "libcrypto3-3.1.4-r5 x86_64 {openssl} (Apache-2.0) [upgradable from: openssl-3.1.0-r0] [installed]\n"
        ".python-rundeps-20240101.123456 noarch {} () [installed]\n"
        "ca-certificates-bundle-20230506-r0 x86_64 {ca-certificates} (MPL-2.0 AND MIT) [installed]\n"
    )
    assert listed(found) == [
        ("musl", "1.2.4-r2", "x86_64", "musl"),
        ("py3-pip", "23.1.2-r0", "x86_64", "py3-pip"),
        ("libcrypto3", "3.1.4-r5", "x86_64", "openssl"),
        (".python-rundeps", "20240101.123456", "noarch", ".python-rundeps"),
        ("ca-certificates-bundle", "20230506-r0", "x86_64", "ca-certificates"),
    ]
    assert found[1] == ()
    assert {one.manager for one in found[0]} == {"apk"}


def test_rpm_query() -> None:
    packages, skipped = parse_rpm_query(
        "bash\t0:5.2-1.fc40\tx86_64\tbash-5.2-1.fc40.src.rpm\n"
        "openssl-libs\t1:3.2.1-2.fc40\tx86_64\topenssl-3.2.1-2.fc40.src.rpm\n"
        "gpg-pubkey\ta-b\t(none)\t(none)\nlocal\t1-1\tnoarch\t(none)\nodd\t1 1\tnoarch\t(none)\n"
    )
    assert listed((packages, ())) == [
        ("bash", "5.2-1.fc40", "x86_64", "bash"),
        ("openssl-libs", "1:3.2.1-2.fc40", "x86_64", "openssl"),
        ("local", "1-1", "noarch", "local"),
    ]
    assert [(note.place, note.reason) for note in skipped] == [
        ("rpm", "a line that makes no sense: odd\\t1 1\\tnoarch\\t(none)")
    ]


def test_rpm_in_a_container_and_its_store_say_the_same(tmp_path: Path) -> None:
    installed(tmp_path / "root", {"a": ["/a"], "b": ["/b"]})
    source = Path(probe.__file__).with_name("find.py").read_text(encoding="utf-8")
    form = ast.literal_eval(source.partition("RPM_FORMAT = ")[2].partition("\n")[0])
    listed = parse_rpm_query("\n".join(query(tmp_path / "root", form)))
    found, _ = os_packages.find(HostTree(str(tmp_path / "root")))
    assert set(listed[0]) == set(found or ())
    assert len(listed[0]) == 2


@given(LINES)
def test_anything_can_be_read(text: str) -> None:
    for parse in (parse_dpkg_query, parse_apk_list, parse_rpm_query):
        packages, skipped = parse(text)
        for package in packages:
            assert isinstance(package, OsPackage)
            assert all(value.isprintable() and value for value in (package.name, package.version, package.source))
        assert all(one.reason.isprintable() for one in skipped)
