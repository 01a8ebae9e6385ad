"""Whether somebody asked for an OS package; and the databases of pacman and Homebrew, which say it themselves."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog import apk, dpkg, homebrew, os_packages, pacman
from envsync.catalog.os_packages import joined, of_same_managers, with_reasons
from envsync.files import HostTree
from envsync.model import OsPackage, Skipped
from tests.catalog.trees import write

DATA = Path(__file__).with_name("data")
STATUS = "".join(
    f"Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: {architecture}\n\n"
    for name, architecture in (("curl", "amd64"), ("libc6", "amd64"), ("libc6", "i386"), ("tzdata", "all"))
)
STATES = """\
Package: libc6
Architecture: amd64
Auto-Installed: 1

Package: curl
Architecture: amd64
Auto-Installed: 0

Package: tzdata
Architecture: amd64
Auto-Installed: 1
"""


def explicit(root: Path) -> dict[str, bool | None]:
    packages, skipped = os_packages.find(HostTree(str(root)))
    assert skipped == ()
    return {f"{package.name}:{package.architecture}": package.explicit for package in packages or ()}


def test_apt_remembers_what_it_installed_for_others(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/dpkg/status", STATUS)
    assert set(explicit(tmp_path).values()) == {None}
    write(tmp_path, "var/lib/apt/extended_states", STATES)
    assert explicit(tmp_path) == {"curl:amd64": True, "libc6:amd64": False, "libc6:i386": True, "tzdata:all": False}


def test_apt_mark_says_the_same_of_this_machine() -> None:
    if shutil.which("apt-mark") is None or not Path(dpkg.EXTENDED_STATES).exists():
        pytest.skip("no apt on this machine")
    told = subprocess.run(["apt-mark", "showauto"], capture_output=True, text=True, check=True).stdout.split()
    packages, _ = os_packages.find(HostTree())
    automatic = {p.name for p in packages or () if p.manager == "dpkg" and p.explicit is False}
    assert automatic == {name.partition(":")[0] for name in told}


INSTALLED = """\
P:busybox
V:1
p:cmd:sh=1 cmd:ash=1

P:zlib
V:1
p:so:libz.so.1=1.3

P:musl
V:1
"""


def test_apk_has_a_world_of_what_somebody_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "lib/apk/db/installed", INSTALLED)
    assert set(explicit(tmp_path).values()) == {None}
    write(tmp_path, "etc/apk/world", "musl@edge>=1\nso:libz.so.1\n!busybox\nabsent\n")
    assert explicit(tmp_path) == {"busybox:noarch": False, "musl:noarch": True, "zlib:noarch": True}


def test_pacman_keeps_a_folder_for_each_package(tmp_path: Path) -> None:
    for name in ("demo-tools-2.0rc1-3", "libdemo-1:2.0rc1-3"):
        write(tmp_path, f"var/lib/pacman/local/{name}/desc", (DATA / "pacman" / name / "desc").read_bytes())
    write(tmp_path, "var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    packages, skipped = os_packages.find(HostTree(str(tmp_path)))
    assert skipped == ()
    assert [(p.manager, p.name, p.version, p.architecture, p.source, p.explicit) for p in packages or ()] == [
        ("pacman", "demo-tools", "2.0rc1-3", "any", "demo", True),
        ("pacman", "libdemo", "1:2.0rc1-3", "x86_64", "demo", False),
    ]


def test_damaged_records_of_pacman_are_told(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/pacman/local/a-1-1/desc", "%NAME%\na\n\n%VERSION%\n1-1 \x1b\n")
    (tmp_path / "var/lib/pacman/local/b-1-1").mkdir()
    assert os_packages.find(HostTree(str(tmp_path))) == (
        (),
        (
            Skipped(
                subject="a-1-1",
                place="/var/lib/pacman/local/a-1-1/desc",
                reason="a damaged record: no usable %NAME%, %VERSION%, %ARCH% or %BASE%",
            ),
            Skipped(
                subject="b-1-1",
                place="/var/lib/pacman/local/b-1-1/desc",
                reason="/var/lib/pacman/local/b-1-1/desc: cannot be read: No such file or directory",
            ),
        ),
    )


@pytest.mark.parametrize("prefix", homebrew.PREFIXES)
def test_homebrew_has_a_keg_for_each_version_and_one_in_use(tmp_path: Path, prefix: str) -> None:
    cellar = f"{prefix}/Cellar"
    for keg, receipt in {
        "libomp/18.1.8": {"installed_on_request": False, "arch": "arm64", "source": {"spec": "stable"}},
        "openssl@3/3.4.0": {"installed_on_request": True},
        "openssl@3/3.5.0_1": {},
        "wget/1.25": {"installed_on_request": True, "arch": "arm64"},
    }.items():
        write(tmp_path, f"{cellar}/{keg}/INSTALL_RECEIPT.json", json.dumps(receipt))
    opt = tmp_path / prefix.lstrip("/") / "opt"
    opt.mkdir()
    (opt / "openssl@3").symlink_to("../Cellar/openssl@3/3.4.0")
    packages, skipped = os_packages.find(HostTree(str(tmp_path)))
    assert skipped == ()
    assert [(p.manager, p.name, p.version, p.architecture, p.explicit) for p in packages or ()] == [
        ("brew", "libomp", "18.1.8", "arm64", False),
        ("brew", "openssl@3", "3.4.0", "unknown", True),
        ("brew", "wget", "1.25", "arm64", True),
    ]


def test_a_keg_without_a_receipt_is_there_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, "opt/homebrew/Cellar/a/1/INSTALL_RECEIPT.json", "[")
    write(tmp_path, "opt/homebrew/Cellar/b\x1b/1/INSTALL_RECEIPT.json", "{}")
    packages, skipped = os_packages.find(HostTree(str(tmp_path)))
    assert packages == (OsPackage(manager="brew", name="a", version="1", architecture="unknown", source="a"),)
    assert skipped == (
        Skipped(
            subject="a",
            place="/opt/homebrew/Cellar/a/1/INSTALL_RECEIPT.json",
            reason="INSTALL_RECEIPT.json: not what Homebrew writes",
        ),
        Skipped(subject="b\\x1b", place="/opt/homebrew/Cellar/b\\x1b/1", reason="no name of a formula"),
    )


def package(manager: str, name: str, explicit: bool | None = None) -> OsPackage:
    return OsPackage(
        manager=manager,  # type: ignore[arg-type]
        name=name,
        version="1",
        architecture="x",
        source=name,
        explicit=explicit,
    )


def test_what_a_container_listed_is_joined_with_what_only_files_tell() -> None:
    read = (package("brew", "a", True), package("apk", "b", True))
    assert joined((package("apk", "b"),), read) == read
    assert joined((package("apk", "b"),), None) == (package("apk", "b"),)
    assert joined(None, read) == read
    assert joined(None, None) is None


def test_what_was_listed_is_marked_by_the_same_files(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/apt/extended_states", STATES.replace("amd64", "x"))
    write(tmp_path, "etc/apk/world", "curl\n")
    write(tmp_path, "var/lib/zypp/AutoInstalled", "curl\n")
    listed = tuple(package(manager, name) for manager in ("dpkg", "apk", "rpm", "brew") for name in ("curl", "libc6"))
    marked = with_reasons(HostTree(str(tmp_path)), listed)
    assert [one.explicit for one in marked] == [True, False, True, False, False, True, None, None]


def test_only_of_managers_that_answered_in_a_container_can_it_disagree() -> None:
    read = (package("brew", "a"), package("apk", "b"))
    assert of_same_managers(read, (package("apk", "c"),)) == (package("apk", "b"),)
    assert of_same_managers(read, None) is None
    assert of_same_managers(None, read) is None


LINES = st.lists(
    st.sampled_from(["%NAME%", "%VERSION%", "a", "Package: a", "P:a", "p:b=1 c", "Auto-Installed: 1", "", "!a", "b>1"])
)


@given(LINES.map("\n".join).map(str.encode) | st.binary())
def test_any_bytes_give_something_or_nothing(data: bytes) -> None:
    apk.parse_installed(data, world=apk.parse_world(data) | {"b"})
    dpkg.parse_status(data, automatic=dpkg.parse_extended_states(data))
    package = pacman.parse_desc(data)
    assert package is None or package.name.isprintable()
    with contextlib.suppress(homebrew.ReceiptError):
        homebrew.parse_receipt(data)
