"""A full Anaconda of the published records: nothing of its 57 MB of records is cut short."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envsync.lock.store import read_lock
from envsync.model import Snapshot
from tests.end_to_end.program import envsync
from tests.imagekit.anaconda import FILES, PREFIX, anaconda_archive, published


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anaconda")
    result = envsync("pull", f"docker-archive:{anaconda_archive()}", "--no-cache", cwd=folder)
    assert result.status == 0, result.said
    assert f"274 conda packages in {PREFIX}" in result.err
    (snapshot,) = (folder / "lockfiles").rglob("snapshot.json")
    return snapshot.parent


@pytest.fixture(scope="module")
def snapshot(lock: Path) -> Snapshot:
    return read_lock(lock).snapshot


def test_every_record_is_read_to_its_end(snapshot: Snapshot) -> None:
    assert snapshot.skipped == ()
    environment = snapshot.conda_environment
    assert environment is not None
    rows = {row["name"]: row for row in published()}
    assert {package.name: (package.version, package.build, package.md5) for package in environment.packages} == {
        name: (row["version"], row["build"], row["md5"]) for name, row in rows.items()
    }
    assert environment.requested == ("anaconda=2019.03",)
    assert environment.channels == ("defaults",)


def test_every_file_is_accounted_for(snapshot: Snapshot) -> None:
    environment = snapshot.conda_environment
    assert environment is not None
    assert all(package.paths is not None and not package.missing for package in environment.packages)
    files = sum(package.files for package in environment.packages)
    assert FILES / 2 < files < FILES  # byte code is left out
    owners = {distribution.name: distribution.conda for distribution in snapshot.distributions}
    assert len(owners) > 200
    assert all(owner is not None for owner in owners.values())


def test_explicit_has_the_published_urls_and_hashes(lock: Path) -> None:
    lines = (lock / "explicit.txt").read_text().partition("@EXPLICIT\n")[2].splitlines()
    assert len(lines) == 274
    assert set(lines) == {f"{row['channel']}/{row['file']}#{row['md5']}" for row in published()}


def test_environment_has_every_version_and_build(lock: Path) -> None:
    environment = yaml.safe_load((lock / "environment.yml").read_text())
    assert environment["channels"] == ["defaults"]
    assert len(environment["dependencies"]) == 274
    assert set(environment["dependencies"]) == {f"{row['name']}={row['version']}={row['build']}" for row in published()}
