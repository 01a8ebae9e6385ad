from __future__ import annotations

import re
from pathlib import PurePosixPath

import msgspec
import pytest

from envsync.errors import DisagreementError
from envsync.gather import agree, with_files
from envsync.image_tree import wanted
from envsync.model import ImageSource, NeededBy, NeededLibrary, Needs, Skipped
from tests.factory import LAYER, distribution, snapshot, source

RAN = snapshot(distribution("six"), distribution("idna"))
READ = snapshot(
    distribution("six", layer=LAYER),
    distribution("idna", layer=LAYER),
    source=source(method="read", layer_sizes=(512,), layer_commands=("COPY . .",)),
)


PATHS = [
    "/etc/passwd",
    "/x/etc/passwd",
    "/etc/os-release",
    "/usr/lib/os-release",
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status.d/base",
    "/var/lib/dpkg/statusxd/base",
    "/var/lib/dpkg/status.d/a/b",
    "/lib/apk/db/installed",
    "/usr/bin/python3",
    "/usr/bin/python3.9",
    "/python",
    "/usr/bin/python3x",
    "/a/b-1.dist-info/METADATA",
    "/a/b-1.dist-info/METADATA2",
    "/a/METADATA",
    "/a/b.egg",
    "/a/.egg",
    "/a/b.egg/EGG-INFO/PKG-INFO",
    "/a/b.egg/x/PKG-INFO",
    "/a/b.egg-link",
    "/a/b-1.egg-info",
    "/a/b-1.egg-info/requires.txt",
    "/v/pyvenv.cfg",
    "/a/site-packages/x.pth",
    "/a/x.pth",
    "/a/python3.9/site.py",
    "/a/site.py",
    "/lib/x86_64-linux-gnu/libc.so.6",
]


def test_what_is_wanted_by_its_name_is_what_the_patterns_match() -> None:
    from envsync.catalog import distributions, interpreters, libc, os_packages, os_release

    patterns = [p for part in (distributions, interpreters, libc, os_packages, os_release) for p in part.PATTERNS]
    told = {path: wanted()(path) for path in PATHS}
    assert told == {path: any(re.fullmatch(pattern, path) for pattern in patterns) for path in PATHS}
    assert 10 < sum(told.values()) < len(PATHS) - 5


def test_two_equal_sides_become_one_that_knows_the_layers() -> None:
    both = agree(RAN, READ)
    assert isinstance(both.source, ImageSource)
    assert (both.source.method, both.source.layer_sizes) == ("both", (512,))
    assert both.distributions == READ.distributions


def test_what_was_run_is_told_the_sizes_of_its_layers_by_its_files() -> None:
    told = with_files(RAN, READ).source
    assert isinstance(told, ImageSource)
    assert (told.method, told.layer_sizes, told.layer_commands) == ("run", (512,), ("COPY . .",))


def test_what_only_reading_could_not_tell_is_kept_and_no_disagreement() -> None:
    note = Skipped(subject="x.pth", place="/x.pth", reason="runs code")
    both = agree(RAN, msgspec.structs.replace(READ, skipped=(note,)))
    assert both.skipped == (note,)


def test_what_a_container_cannot_say_of_os_packages_is_no_disagreement() -> None:
    packages = tuple(msgspec.structs.replace(package, explicit=True) for package in READ.os_packages or ())
    read = msgspec.structs.replace(READ, os_packages=packages)
    for ran in (RAN, msgspec.structs.replace(RAN, os_packages=None)):
        assert agree(ran, read).os_packages == packages
        assert with_files(ran, read).os_packages == packages


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (
            snapshot(distribution("six", "1.1"), distribution("idna")),
            'distributions/six in /usr/local/lib/python3.9/site-packages/version: run says "1.0", read says "1.1"',
        ),
        (snapshot(distribution("idna")), "read says nothing"),
        (msgspec.structs.replace(READ, os_packages=None), 'os_packages/libc6:amd64: run says {"manager":"dpkg"'),
        (
            msgspec.structs.replace(
                READ, interpreters=(msgspec.structs.replace(READ.python, sys_path=(PurePosixPath("/x"),)),)
            ),
            '/usr/local/lib/python3.9/site-packages"], read says ["/x"]',
        ),
    ],
)
def test_differences_are_listed_by_place(read: object, line: str) -> None:
    with pytest.raises(DisagreementError) as caught:
        agree(RAN, read)  # type: ignore[arg-type]
    assert caught.value.message.startswith("acme/app:1: running and reading it differ in ")
    assert line in caught.value.message
    assert "Nothing was written" in (caught.value.hint or "")


def test_long_lists_of_differences_are_cut() -> None:
    many = snapshot(*(distribution(f"d{number}") for number in range(40)))
    with pytest.raises(DisagreementError, match=r"differ in 42 places:(?s:.*)\.\.\. and 22 more"):
        agree(RAN, many)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/local/lib/python3.9/site-packages/six-1.16.0.dist-info/METADATA",
        "/usr/local/lib/python3.9/site-packages/six-1.16.0.dist-info/RECORD",
        "/usr/lib/python3/dist-packages/six.egg-info/PKG-INFO",
        "/opt/venv/pyvenv.cfg",
        "/usr/local/bin/python3.9",
        "/var/lib/dpkg/status",
        "/var/lib/dpkg/status.d/base",
        "/lib/apk/db/installed",
        "/etc/os-release",
        "/lib/x86_64-linux-gnu/libc.so.6",
    ],
)
def test_files_that_catalogs_read_are_kept(path: str) -> None:
    assert wanted()(path)


@pytest.mark.parametrize(
    "path", ["/usr/bin/bash", "/usr/local/lib/python3.9/site-packages/six.py", "/var/cache/x.deb", "/etc/shadow"]
)
def test_nothing_else_is_kept(path: str) -> None:
    assert not wanted()(path)


def test_what_the_environment_needs_is_told_by_its_files_and_no_disagreement() -> None:
    library = NeededLibrary(soname="libgomp.so.1", needed_by=(NeededBy(name="a"),))
    read = msgspec.structs.replace(READ, needs=Needs(objects=1, libraries=(library,)))
    assert agree(RAN, read).needs == read.needs
    assert with_files(RAN, read).needs == read.needs
