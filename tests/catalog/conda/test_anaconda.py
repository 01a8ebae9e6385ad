"""The published records of Anaconda 2019.03, as files of ``conda-meta``, come out of a lock's files as they went in."""

from __future__ import annotations

import csv
import json
from pathlib import PurePosixPath

import pytest

from envsync.catalog.conda import find_conda
from envsync.files import HostTree
from envsync.lock.conda.environment_yml import render_environment
from envsync.lock.conda.explicit import render_explicit
from envsync.model import Interpreter, LocalSource, Snapshot
from envsync.official import data_folder

(TABLE,) = (data_folder("images") / "published").glob("anaconda3-2019.03*.records.tsv")


@pytest.fixture(scope="module")
def published() -> list[dict[str, str]]:
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


@pytest.fixture(scope="module")
def snapshot(published: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    prefix = tmp_path_factory.mktemp("anaconda")
    meta = prefix / "conda-meta"
    meta.mkdir()
    (meta / "history").write_text("# update specs: ['anaconda=2019.03']\n")
    for row in published:
        base = f"{row['name']}-{row['version']}-{row['build']}"
        entry = {
            "name": row["name"],
            "version": row["version"],
            "build": row["build"],
            "build_number": int(row["build_number"]),
            "channel": row["channel"],
            "subdir": "linux-64",
            "fn": row["file"],
            "url": f"{row['channel']}/{row['file']}",
            "md5": row["md5"],
            "size": int(row["size"]),
            "depends": [spec for spec in (row["depends"] or "").split("; ") if spec],
            "files": [],
        }
        (meta / f"{base}.json").write_text(json.dumps(entry))
    path = PurePosixPath(prefix)
    environments, interpreters, skipped = find_conda(HostTree(), [path], [Interpreter(version="3.7.3", prefix=path)])
    assert skipped == ()
    return Snapshot(source=LocalSource(path=path), interpreters=interpreters, conda=environments)


def test_every_package_is_described(snapshot: Snapshot) -> None:
    environment = snapshot.conda_environment
    assert environment is not None
    assert len(environment.packages) == 274
    assert environment.requested == ("anaconda=2019.03",)
    assert environment.channels == ("defaults",)


def test_explicit_has_the_published_urls_and_hashes(snapshot: Snapshot, published: list[dict[str, str]]) -> None:
    environment = snapshot.conda_environment
    assert environment is not None
    lines = render_explicit(environment).splitlines()
    written = {line for line in lines if line.startswith("https:")}
    assert written == {f"{row['channel']}/{row['file']}#{row['md5']}" for row in published}
    assert len(written) == 274


def test_environment_has_every_version_and_build(snapshot: Snapshot, published: list[dict[str, str]]) -> None:
    lines = {line.removeprefix("  - ") for line in render_environment(snapshot).splitlines() if line.startswith("  - ")}
    assert {f"{row['name']}={row['version']}={row['build']}" for row in published} <= lines
