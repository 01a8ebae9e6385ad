"""Locks that somebody edited: nothing of them leads rattler elsewhere than to the packages they name."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from envsync.build.conda.checks import check_packages
from envsync.errors import BuildError, EnvsyncError, UnsafeValueError
from envsync.lock.codec import decode_snapshot
from envsync.model import CondaPackage, Snapshot
from tests.build.conda.making import make, with_packages
from tests.imagekit.conda_channel import BASE, Served, serve
from tests.imagekit.conda_package import Entry, Package, write_package

pytestmark = pytest.mark.network

FILE = "six-1.16.0-pyhd3eb1b0_0.tar.bz2"
OWN = f"{BASE}/main/noarch/{FILE}"


def edited(lock: Snapshot, **fields: object) -> Snapshot:
    """The lock with other values for its package six, read as ``create`` reads it."""

    def change(package: CondaPackage) -> CondaPackage:
        return replace(package, **fields) if package.name == "six" else package

    return decode_snapshot(msgspec.json.encode(with_packages(lock, change), enc_hook=str), "snapshot.json")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "../../evil"}, "conda package '../../evil': unsafe name '../../evil'"),
        ({"version": "1/../../x"}, "conda package 'six': unsafe version '1/../../x'"),
        ({"build": "../x"}, "conda package 'six': unsafe build '../x'"),
        ({"md5": "../../../x"}, "conda package 'six': unsafe md5 '../../../x'"),
        ({"md5": "ab" * 15}, f"conda package 'six': unsafe md5 '{'ab' * 15}'"),
        ({"sha256": "abc"}, "conda package 'six': unsafe sha256 'abc'"),
        ({"size": -1}, f"conda package six: size -1 (expected 0 to {2**53})"),
        ({"build_number": 2**60}, f"conda package six: build number {2**60} (expected 0 to {2**53})"),
        (
            {"url": "file:///etc/passwd"},
            "conda package 'six': unsafe URL 'not the URL of a package: file:///etc/passwd'",
        ),
        ({"url": ""}, "conda package 'six': unsafe URL 'not the URL of a package: '"),
        (
            {"url": f"{OWN}\nX: y"},
            f"conda package 'six': unsafe URL 'not the URL of a package: {OWN}\\\\nX: y'",
        ),
        (
            {"url": OWN.replace("://", "://me:word@")},
            f"conda package six: its URL has a user, a token or a query (expected {OWN})",
        ),
        (
            {"url": f"https://repo.anaconda.com/pkgs/main/noarch/{FILE}"},
            f"conda package six: its URL is not of its channel: https://repo.anaconda.com/pkgs/main/noarch/{FILE}"
            f" (expected {BASE}/main/noarch/…)",
        ),
        (
            {"subdir": "../x"},
            f"conda package six: its URL is not of its channel: {OWN} (expected {BASE}/main/../x/…)",
        ),
        (
            {"channel": "https://x\x1b[31m"},
            f"conda package six: its URL is not of its channel: {OWN} (expected https://x\\x1b[31m/noarch/…)",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_package_that_leads_elsewhere(
    lock: Snapshot, served: Served, tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(UnsafeValueError) as caught:
        make(edited(lock, **fields), tmp_path / "twin", served)
    assert caught.value.message == message
    assert served.paths == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda packages: (), "the lock has no conda packages (expected at least one)"),
        (lambda packages: packages * 2, "more than once in the lock's conda packages (expected once)"),
        (lambda packages: packages[:1] * 5001, "the lock has 5001 conda packages (expected 5000 at most)"),
    ],
    ids=["none", "twice", "too many"],
)
def test_packages_that_make_no_environment(
    lock: Snapshot, change: Callable[[tuple[CondaPackage, ...]], tuple[CondaPackage, ...]], message: str
) -> None:
    with pytest.raises(BuildError) as caught:
        check_packages(change(lock.conda[0].packages))
    assert message in caught.value.message
    check_packages(lock.conda[0].packages)


def test_a_pinned_spec_of_two_lines(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    forged = replace(lock, conda=(replace(lock.conda[0], pinned=("six\nnumpy 1.*",)),))
    with pytest.raises(UnsafeValueError) as caught:
        make(forged, tmp_path / "twin", served)
    assert caught.value.message == "pinned: six\\nnumpy 1.* (expected one line)"
    assert list(tmp_path.iterdir()) == []


def test_names_of_missing_files_lead_nowhere_else(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("mine")
    make(edited(lock, missing=("../own", str(own), "lib/../../own")), tmp_path / "twin", served)
    assert own.read_text() == "mine"


def package_of(path: Path, name: str) -> CondaPackage:
    return CondaPackage(
        name=name,
        version="1.0",
        build="0",
        channel=f"{BASE}/main",
        subdir="linux-64",
        url=f"{BASE}/main/linux-64/{path.name}",
        sha256=sha256(path.read_bytes()).hexdigest(),
    )


def test_a_package_that_is_another_one_is_an_error_not_a_bug(lock: Snapshot, tmp_path: Path) -> None:
    """rattler panics where two packages bring a file, and one of them has another name than its record."""
    folder = tmp_path / "channel" / "main"
    paths = [
        write_package(Package(name=name, version="1.0", build="0", files={"share/one": Entry(data=b"1")}), folder)
        for name in ("one", "two")
    ]
    packages = (package_of(paths[0], "one"), package_of(paths[1], "other"))
    forged = replace(lock, conda=(replace(lock.conda[0], packages=packages),))
    (tmp_path / "made").mkdir()
    with serve(tmp_path / "channel") as server, pytest.raises(EnvsyncError) as caught:
        make(forged, tmp_path / "made" / "twin", server)
    assert caught.value.message == "conda packages: rattler broke down"
    assert list((tmp_path / "made").iterdir()) == []


def test_two_packages_with_one_file(lock: Snapshot, tmp_path: Path) -> None:
    folder = tmp_path / "channel" / "main"
    paths = [
        write_package(
            Package(name=name, version="1.0", build="0", files={"share/one": Entry(data=name.encode())}), folder
        )
        for name in ("one", "two")
    ]
    packages = (package_of(paths[0], "one"), package_of(paths[1], "two"))
    both = replace(lock, conda=(replace(lock.conda[0], packages=packages),))
    with serve(tmp_path / "channel") as server:
        make(both, tmp_path / "twin", server)
    assert (tmp_path / "twin" / "share" / "one").read_text() in ("one", "two")
