"""Bills of materials: valid by the strict validator, the same bytes each time, and who needs what."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings

from envsync.model import (
    ArchiveOrigin,
    ImageWheel,
    IndexFile,
    LocalSource,
    NeededBy,
    NeededCommand,
    NeededLibrary,
    Needs,
    OperatingSystem,
    Resource,
    Skipped,
    Snapshot,
)
from envsync.report.cyclonedx import render
from envsync.report.purls import os_package_url
from tests.drift.sides import image, local, os_package, published
from tests.drift.test_compare import snapshots
from tests.factory import distribution
from tests.lock.conda.environments import conda_snapshot, package
from tests.report.sides import HOSTILE

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)
FILE = IndexFile(
    filename="six-1.0-py3-none-any.whl", sha256="a" * 64, url="https://example.org/six.whl", proof="proved"
)
WHEEL = ImageWheel(filename="own-1.0-py3-none-any.whl", sha256="b" * 64, size=1, reason="no index has it")
SIDE = image(
    distribution("six", file=FILE),
    distribution("own", wheel=WHEEL, requires=("six", "absent")),
    distribution("lightgbm", requires=("own",)),
    os_packages=(os_package("libgomp1"), os_package("git", "1:2.39"), os_package("tzdata"), os_package("bash")),
    needs=Needs(
        objects=1,
        libraries=(NeededLibrary(soname="libgomp.so.1", package="libgomp1", needed_by=(NeededBy(name="lightgbm"),)),),
        commands=(NeededCommand(name="git", package="git", needed_by=("own",)),),
        resources=(Resource(kind="time-zone-data", package="tzdata", needed_by=("Python",)),),
    ),
    skipped=(Skipped(subject="x", place="/x", reason="damaged"),),
)


def bom(side: Snapshot) -> dict[str, Any]:
    text = render(side)
    assert VALIDATOR.validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    return document


def component(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in document["components"] if one["name"] == name)
    return dict(found)


def test_components() -> None:
    document = bom(SIDE)
    assert document["metadata"]["timestamp"] == "2024-02-02T02:02:02+00:00"
    assert document["metadata"]["component"]["name"] == "acme/app:1"
    assert document["metadata"]["component"]["version"] == "sha256:" + "c" * 64
    assert document["metadata"]["properties"] == [{"name": "envsync:skipped", "value": "x: /x: damaged"}]
    six = component(document, "six")
    assert six["purl"] == "pkg:pypi/six@1.0?file_name=six-1.0-py3-none-any.whl"
    assert six["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert six["externalReferences"] == [{"type": "distribution", "url": "https://example.org/six.whl"}]
    assert component(document, "own")["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert component(document, "git")["purl"] == "pkg:deb/debian/git@1:2.39?arch=amd64&distro=debian-12"
    assert component(document, "cpython")["type"] == "platform"
    assert component(document, "debian")["type"] == "operating-system"


def test_relationships() -> None:
    needs = {one["ref"].partition("@")[0]: one.get("dependsOn", []) for one in bom(SIDE)["dependencies"]}
    needs = {ref: [other.partition("@")[0] for other in others] for ref, others in needs.items()}
    assert needs["pkg:pypi/lightgbm"] == ["pkg:deb/debian/libgomp1", "pkg:pypi/own"]
    assert needs["pkg:pypi/own"] == ["pkg:deb/debian/git", "pkg:pypi/six"]
    assert needs["pkg:pypi/six"] == []
    assert needs["python"] == ["pkg:deb/debian/tzdata"]
    assert needs["environment"] == ["operating-system", "pkg:deb/debian/bash", "pkg:pypi/lightgbm", "python"]


def test_conda_packages() -> None:
    side = conda_snapshot(
        package("numpy", depends=("zlib >=1.2", "absent"), sha256="d" * 64),
        package("zlib", url="not a URL", md5="no hash"),
        distributions=(distribution("numpy", conda="numpy"),),
    )
    document = bom(side)
    numpy, zlib = (
        next(one for one in document["components"] if one["bom-ref"].startswith(f"pkg:conda/{name}@"))
        for name in ("numpy", "zlib")
    )
    assert numpy["purl"] == "pkg:conda/numpy@1.0?build=h0_0&channel=main&subdir=linux-64&type=conda"
    assert {one["alg"] for one in numpy["hashes"]} == {"MD5", "SHA-256"}
    assert "hashes" not in zlib
    assert "externalReferences" not in zlib
    needs = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert needs[numpy["bom-ref"]] == [zlib["bom-ref"], "pkg:pypi/numpy@1.0"]


@pytest.mark.parametrize(
    ("manager", "version", "system", "url"),
    [
        (
            "rpm",
            "1:2.0-3",
            OperatingSystem(id="rocky", version_id="9"),
            "pkg:rpm/rocky/x@2.0-3?arch=a&distro=rocky-9&epoch=1",
        ),
        (
            "apk",
            "1.2-r3",
            OperatingSystem(id="alpine", version_id="3.20"),
            "pkg:apk/alpine/x@1.2-r3?arch=a&distro=alpine-3.20",
        ),
        ("pacman", "1:2-3", OperatingSystem(id="arch"), "pkg:alpm/arch/x@1:2-3?arch=a&distro=arch"),
        ("brew", "1.0_1", OperatingSystem(id="macos"), "pkg:brew/x@1.0_1?arch=a"),
        ("dpkg", "1.0", OperatingSystem(id="a/b"), "pkg:deb/debian/x@1.0?arch=a"),
        ("dpkg", "1.0", None, "pkg:deb/debian/x@1.0?arch=a"),
    ],
)
def test_packages_of_all_systems(manager: str, version: str, system: OperatingSystem | None, url: str) -> None:
    assert str(os_package_url(os_package("x", version, "a", manager), system)) == url


def test_the_same_side_gives_the_same_bytes() -> None:
    assert render(SIDE) == render(SIDE)
    assert bom(SIDE)["serialNumber"] != bom(image())["serialNumber"]


def test_a_local_side_has_the_time_of_the_lock() -> None:
    times = [
        json.loads(text)["metadata"]["timestamp"] for text in (render(local(), judged_by=image()), render(local()))
    ]
    assert times == ["2024-02-02T02:02:02+00:00", "1970-01-01T00:00:00+00:00"]
    assert bom(local())["metadata"]["component"]["name"] == ".venv"
    strange = local(source=LocalSource(path=PurePosixPath("/a\udcff")))
    assert bom(strange)["metadata"]["component"]["name"] == r"/a\udcff"
    assert bom(published(distribution("a")))["metadata"]["component"]["name"] == "acme/app:1"


def test_hostile_texts() -> None:
    texts = [text for text in HOSTILE if "\udcff" not in text]
    side = conda_snapshot(
        *(package(text, text, text, channel=text, subdir=text, url=text, depends=(text,)) for text in texts),
        distributions=tuple(
            distribution(text, text, origin=ArchiveOrigin(url=text), conda=text, requires=(text,)) for text in texts
        ),
        os_packages=tuple(os_package(text, text, text, manager) for text in texts for manager in ("dpkg", "rpm")),
        skipped=tuple(Skipped(subject=text, place=text, reason=text) for text in texts),
        os=OperatingSystem(id=texts[0], version_id=texts[1]),
    )
    assert len(bom(side)["components"]) > len(texts)


@settings(max_examples=30, deadline=None)
@given(snapshots)
def test_any_side_is_valid(side: Snapshot) -> None:
    bom(side)
