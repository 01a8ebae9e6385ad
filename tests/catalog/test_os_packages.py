from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog import apk, dpkg, os_packages, os_release
from envsync.files import HostTree
from envsync.model import OperatingSystem, OsPackage, Skipped

STATUS = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.2.13.dfsg-1)
Version: 1:1.2.13.dfsg-1
Description: a library
 Package: not-this
 .
 Version: 9

package: held
status: hold ok installed
version: 2
architecture: all

Package: waiting
Status: install ok triggers-awaited
Version: 1
Architecture: all

Package: removed
Status: deinstall ok config-files
Version: 1
Architecture: all

Package: no-version
Status: install ok installed
Architecture: all

Package: two words
Status: install ok installed
Version: 1
Architecture: all

Package: odd
Status: what
Version: 1
Architecture: all
"""

INSTALLED = """\
C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
o:musl
F:lib
R:libc.so
a:0:0:755

P:.build-deps
V:20240101.120000

P:
V:1
"""


def test_dpkg_lists_what_is_in_place() -> None:
    packages, skipped = dpkg.parse_status(STATUS.encode())
    assert [(p.name, p.version, p.architecture, p.source) for p in packages] == [
        ("held", "2", "all", "held"),
        ("waiting", "1", "all", "waiting"),
        ("zlib1g", "1:1.2.13.dfsg-1", "amd64", "zlib"),
    ]
    assert skipped == tuple(
        Skipped(subject=name, place="/var/lib/dpkg/status", reason=f"a damaged stanza: {reason}")
        for name, reason in (
            ("no-version", "no usable Version"),
            ("two words", "no usable Package"),
            ("odd", "no state that dpkg knows"),
        )
    )


def test_apk_lists_packages_also_virtual_ones() -> None:
    packages, skipped = apk.parse_installed(INSTALLED.encode())
    assert packages == (
        OsPackage(
            manager="apk", name=".build-deps", version="20240101.120000", architecture="noarch", source=".build-deps"
        ),
        OsPackage(manager="apk", name="musl", version="1.2.5-r0", architecture="x86_64", source="musl"),
    )
    reason = "a damaged record: no usable P:, V:, A: or o:"
    assert skipped == (Skipped(subject="a package", place="/lib/apk/db/installed", reason=reason),)


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_distroless_keeps_a_file_for_each_package(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all\n")
    write(tmp_path, "var/lib/dpkg/status.d/tzdata.md5sums", "0123  usr/share/zoneinfo/UTC\n")
    packages, skipped = os_packages.find(HostTree(str(tmp_path)))
    assert packages == (OsPackage(manager="dpkg", name="tzdata", version="2024a", architecture="all", source="tzdata"),)
    assert skipped == ()


def test_one_database_under_two_names_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/apk/db/installed", INSTALLED)
    (tmp_path / "lib").symlink_to("usr/lib")
    packages, skipped = os_packages.find(HostTree(str(tmp_path)))
    assert packages is not None
    assert len(packages) == 2
    assert len(skipped) == 1


def test_without_a_database_nothing_is_known(tmp_path: Path) -> None:
    assert os_packages.find(HostTree(str(tmp_path))) == (None, ())


def test_a_database_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg/status").mkdir(parents=True)
    packages, skipped = os_packages.find(HostTree(str(tmp_path)))
    assert packages is None
    assert skipped[0].place == "/var/lib/dpkg/status"
    assert skipped[0].reason.startswith("/var/lib/dpkg/status: cannot be read: ")


def test_dpkg_query_says_the_same_of_this_machine() -> None:
    form = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
    try:
        done = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("no dpkg on this machine")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    packages, skipped = os_packages.find(HostTree())
    assert skipped == ()
    assert {(p.name, p.version, p.architecture, p.source) for p in packages or () if p.manager == "dpkg"} == {
        tuple(row[1:]) for row in rows if row[0] in dpkg.IN_PLACE
    }


TEXT = st.lists(
    st.sampled_from(
        ["Package: a", "P:a", "V:1", "Version: 1", "Architecture: b", "Status: x", "Status:", " y", "", ":"]
    )
).map("\n".join) | st.text("Pp:\n \t\rVA=1'\"\\", max_size=30)


@given(TEXT.map(str.encode) | st.binary())
def test_any_bytes_give_packages_or_notes(data: bytes) -> None:
    for packages, skipped in (dpkg.parse_status(data), apk.parse_installed(data)):
        for package in packages:
            line = f"{package.name} {package.version} {package.architecture} {package.source}"
            assert len(line.split()) == 4
            assert line.isascii()
            assert line.isprintable()
        assert all(note.subject.isprintable() for note in skipped)


@given(TEXT | st.text())
def test_any_os_release_gives_text_for_a_terminal(text: str) -> None:
    found = os_release.parse(text)
    assert f"{found.label}{found.id_like}{found.codename}{found.version_id}".isprintable()


@pytest.mark.parametrize("parse", [dpkg.parse_status, apk.parse_installed])
def test_lines_of_blanks_take_linear_time(parse: object) -> None:
    assert callable(parse)
    parse(b"Package: a" + b" " * 300_000 + b"b\n" + b"\n \t" * 300_000 + b"P:a" + b" " * 300_000 + b"b")


def test_os_release_quotes_and_escapes(tmp_path: Path) -> None:
    write(
        tmp_path,
        "usr/lib/os-release",
        '# comment\nID=debian\nID_LIKE=\'a b\'\nVERSION_ID="9"\nVERSION="9 (stretch)"\n'
        'PRETTY_NAME="A \\"good\\" \\$ix \\\\ \\`x\\`\x1b[31m"\nnot a line\nID_LIKE2\n',
    )
    assert os_release.find(HostTree(str(tmp_path))) == OperatingSystem(
        id="debian",
        id_like=("a", "b"),
        version_id="9",
        codename="stretch",
        pretty_name='A "good" $ix \\ `x`\\x1b[31m',
    )


def test_etc_goes_before_usr_and_its_own_codename_before_the_version(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/os-release", "ID=wrong\n")
    write(tmp_path, "etc/os-release", 'ID=ubuntu\nVERSION="22.04 (Jammy Jellyfish)"\nVERSION_CODENAME=jammy\n')
    found = os_release.find(HostTree(str(tmp_path)))
    assert found == OperatingSystem(id="ubuntu", codename="jammy")
    assert os_release.find(HostTree(str(tmp_path / "nothing"))) is None
