"""What others make of a lock's files for conda is the environment of the image: packages, records and files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import rattler
import yaml
from rattler.explicit_environment import ExplicitEnvironmentSpec

from tests.end_to_end.program import envsync, freeze, requirement_lines
from tests.imagekit.conda_channel import BASE, Served, install, serve, solve
from tests.imagekit.conda_prefixes import PREFIX
from tests.imagekit.engine import pip_freeze, run_in
from tests.imagekit.wheels import fetch_wheels

pytestmark = [pytest.mark.engine, pytest.mark.network]

Records = list[rattler.RepoDataRecord]

_LIST = """
import hashlib, json, os, sys
prefix, found = sys.argv[1], {}
for folder, folders, names in os.walk(prefix):
    folders[:] = [n for n in folders if n != "__pycache__" and os.path.join(folder, n) not in (
        prefix + "/envs", prefix + "/conda-meta")]
    for path in (os.path.join(folder, n) for n in names):
        if os.path.islink(path):
            tells = os.readlink(path)
        else:
            tells = hashlib.sha256(open(path, "rb").read()).hexdigest() + " %o" % (os.stat(path).st_mode & 0o777)
        found[os.path.relpath(path, prefix)] = tells
records = {}
for name in os.listdir(prefix + "/conda-meta"):
    if name.endswith(".json"):
        with open(prefix + "/conda-meta/" + name, encoding="utf-8") as stream:
            records[name] = json.load(stream)
print(json.dumps([found, records]))
"""
"""Prints what is in a prefix, but for byte code and other environments: files, and records."""


class Listed:
    """What is in a prefix."""

    def __init__(self, text: str) -> None:
        self.files: dict[str, str]
        self.records: dict[str, dict[str, Any]]
        self.files, self.records = json.loads(text)

    @property
    def packages(self) -> dict[str, dict[str, Any]]:
        """What records say that does not depend on where the prefix is, nor on who downloaded the packages."""
        kept = (
            "name",
            "version",
            "build",
            "build_number",
            "subdir",
            "url",
            "md5",
            "sha256",
            "size",
            "depends",
            "files",
        )
        return {name: {key: record.get(key) for key in kept} for name, record in self.records.items()}

    @property
    def prefixed(self) -> set[str]:
        """Files that have the prefix written into them."""
        entries = [entry for record in self.records.values() for entry in record["paths_data"]["paths"]]
        return {one["_path"] for one in entries if "prefix_placeholder" in one or "entry_point" in one["path_type"]}

    def of_packages(self) -> dict[str, str]:
        """The files that records list."""
        owned = {path for record in self.records.values() for path in record["files"]}
        assert owned <= self.files.keys()
        return {path: tells for path, tells in self.files.items() if path in owned}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def lock(conda_channel_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lock")
    result = envsync("pull", conda_channel_image, "--method", "read", cwd=folder)
    assert result.status == 0, result.said
    (snapshot,) = (folder / "lockfiles").rglob("snapshot.json")
    return snapshot.parent


@pytest.fixture(scope="module")
def original(conda_channel_image: str) -> Listed:
    return Listed(run_in(conda_channel_image, "python", "-B", "-c", _LIST, PREFIX))


def listed(prefix: Path) -> Listed:
    words = [str(prefix / "bin/python"), "-B", "-c", _LIST, str(prefix)]
    return Listed(subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout)


# --- readers of each file that are not ours ----------------------------------------------------------


def of_explicit(lock: Path, served: Served) -> Records:
    spec = ExplicitEnvironmentSpec.from_path(lock / "explicit.txt")
    assert str(spec.platform) == "linux-64"
    parts = [entry.url.partition("#") for entry in spec.packages]
    return [download(url, md5, served) for url, _, md5 in parts]


def of_conda_lock(lock: Path, served: Served) -> Records:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its own imports warn of
        from conda_lock.lockfile import parse_conda_lock_file  # type: ignore[import-untyped]

        content = parse_conda_lock_file(lock / "conda-lock.yml")
    assert {package.platform for package in content.package} == {"linux-64"}
    return [download(package.url, package.hash.md5, served) for package in content.package]


def of_environment(name: str) -> Callable[[Path, Served], Records]:
    def solved(lock: Path, served: Served) -> Records:
        environment = yaml.safe_load((lock / name).read_text())
        specs = [one for one in environment["dependencies"] if isinstance(one, str)]
        return solve(specs, served, channels=environment["channels"])

    return solved


def download(url: str, md5: str, served: Served) -> rattler.RepoDataRecord:
    """As conda does it with an explicit URL: what the package is, it says itself."""
    with urllib.request.urlopen(url.replace(BASE, served.url), timeout=60) as answer:
        data = answer.read()
    assert hashlib.md5(data).hexdigest() == md5
    channel, _, name = url.rsplit("/", 2)
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        record = asyncio.run(rattler.RepoDataRecord.from_package_archive(path))
    record.url, record.channel, record.md5 = url, channel, bytes.fromhex(md5)
    return record


READERS: Mapping[str, Callable[[Path, Served], Records]] = {
    "explicit.txt": of_explicit,
    "conda-lock.yml": of_conda_lock,
    "environment.yml": of_environment("environment.yml"),
    "environment.nobuild.yml": of_environment("environment.nobuild.yml"),
}


# --- what comes out of them --------------------------------------------------------------------------


@pytest.mark.parametrize("name", READERS)
def test_every_byte_is_that_of_the_image(
    name: str, lock: Path, original: Listed, served: Served, tmp_path: Path
) -> None:
    """Where the image's prefix is written into the files."""
    install(tmp_path / "made", READERS[name](lock, served), served, target=PREFIX)
    made = listed(tmp_path / "made")
    assert made.packages == original.packages
    assert made.of_packages() == original.of_packages()
    assert made.files.keys() - made.of_packages().keys() == {"CACHEDIR.TAG"}


@pytest.mark.parametrize("name", READERS)
def test_every_package_is_that_of_the_image(
    name: str, lock: Path, original: Listed, served: Served, tmp_path: Path
) -> None:
    """In a prefix of its own."""
    install(tmp_path / "made", READERS[name](lock, served), served)
    made = listed(tmp_path / "made")
    assert made.packages == original.packages
    assert made.prefixed == original.prefixed
    assert made.of_packages().keys() == original.of_packages().keys()
    differ = {path for path, tells in made.of_packages().items() if tells != original.files[path]}
    assert differ == made.prefixed


def test_pip_adds_what_it_added_in_the_image(
    lock: Path, conda_channel_image: str, served: Served, tmp_path: Path
) -> None:
    """The distributions that environment.yml leaves to pip, by the pip of the new prefix."""
    install(tmp_path / "made", of_explicit(lock, served), served)
    environment = yaml.safe_load((lock / "environment.yml").read_text())
    (pip,) = (one for one in environment["dependencies"] if isinstance(one, dict))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(pip["pip"]))
    wheels = fetch_wheels("3.9", pip["pip"])
    python = tmp_path / "made/bin/python"
    words = ["-m", "pip", "install", "--quiet", "--no-index", f"--find-links={wheels}", f"--requirement={requirements}"]
    subprocess.run([str(python), *words], check=True, timeout=120, capture_output=True)
    assert freeze(python) == requirement_lines("\n".join(pip_freeze(conda_channel_image, "python")))
