from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.model import OsPackage
from envsync.probe.packages import Listed, parse_apk_list, parse_dpkg_query

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


@given(LINES)
def test_anything_can_be_read(text: str) -> None:
    for parse in (parse_dpkg_query, parse_apk_list):
        packages, skipped = parse(text)
        for package in packages:
            assert isinstance(package, OsPackage)
            assert all(value.isprintable() and value for value in (package.name, package.version, package.source))
        assert all(one.reason.isprintable() for one in skipped)
