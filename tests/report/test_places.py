"""The line of a lock that a finding is about."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from envsync.drift.finding import Finding
from envsync.lock.store import render_lock
from envsync.report.places import Place, Places
from tests.drift.sides import image, local, os_package
from tests.factory import distribution
from tests.lock.conda.environments import conda_snapshot, package
from tests.report.sides import finding

LOCK = PurePosixPath("lockfiles/acme/app/1")
SIDE = image(
    distribution("Six"), distribution("ruamel.yaml"), os_packages=(os_package("libc6"), os_package("libgomp1"))
)


@pytest.mark.parametrize(
    ("found", "file", "line"),
    [
        (
            finding(kind="distribution-version", scope="python", subject="ruamel-yaml"),
            "constraints.txt",
            "ruamel.yaml==1.0",
        ),
        (finding(kind="os-package-version", subject="libc6", package=None), "os-packages.txt", "libc6 1.0 amd64"),
        (finding(kind="library-missing"), "os-packages.txt", "libgomp1 1.0 amd64"),
    ],
)
def test_the_line_that_names_it(found: Finding, file: str, line: str) -> None:
    place = Places(SIDE, LOCK).of(found)
    assert place.file == LOCK / file
    assert render_lock(SIDE)[file].decode().split("\n")[place.line - 1] == line


def test_conda_packages_are_named_in_environment_yml() -> None:
    side = conda_snapshot(package("numpy"), package("zlib"))
    place = Places(side, LOCK).of(finding("zlib", kind="conda-package-version", scope="python", package=None))
    assert place.file == LOCK / "environment.yml"
    assert render_lock(side)["environment.yml"].decode().split("\n")[place.line - 1] == "  - zlib=1.0=h0_0"


def test_what_no_line_names_is_the_whole_lock() -> None:
    places = Places(SIDE, LOCK)
    whole = Place(file=LOCK / "snapshot.json", line=1)
    assert places.of(finding("black", kind="distribution-extra", scope="python")) == whole
    assert places.of(finding("LANG", kind="environment-variable", scope="env")) == whole
    # A name that could not stand in a requirements file.
    unsafe = Places(image(distribution("a b")), LOCK)
    assert unsafe.of(finding("a b", kind="distribution-missing", scope="python")) == whole


def test_without_a_lock_it_is_the_project() -> None:
    assert Places(local(), None).of(finding()) == Place(file=PurePosixPath("pyproject.toml"), line=1)
