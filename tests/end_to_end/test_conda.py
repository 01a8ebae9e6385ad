"""A real image with a conda prefix: both ways agree, and the lock has conda's files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from envsync.lock.store import read_lock
from tests.end_to_end.program import envsync

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def lock(conda_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conda")
    result = envsync("pull", conda_image, "--method", "both", cwd=folder)
    assert result.status == 0, result.said
    assert "3 conda packages in /opt/conda" in result.err
    assert "next: envsync create .conda\n" in result.err
    (snapshot,) = (folder / "lockfiles").rglob("snapshot.json")
    return snapshot.parent


def test_the_prefix_of_python_is_the_environment(lock: Path) -> None:
    found = read_lock(lock).snapshot
    assert [str(one.prefix) for one in found.conda] == ["/opt/conda"]  # not what is in pkgs
    environment = found.conda_environment
    assert environment is not None
    assert [(p.name, p.version, p.build) for p in environment.packages] == [
        ("click", "8.1.7", "py311_0"),
        ("python", "3.11.7", "h1234567_0_cpython"),
        ("six", "1.15.0", "py_0"),
    ]
    assert environment.requested == ("python=3.11", "six")
    assert environment.channels == ("https://conda.example/stand", "defaults")


def test_what_pip_did_to_conda_packages_is_recorded(lock: Path) -> None:
    found = read_lock(lock).snapshot
    environment = found.conda_environment
    assert environment is not None
    packages = {package.name: package for package in environment.packages}
    assert packages["six"].overwritten == ("lib/python3.11/site-packages/six.py",)
    assert packages["six"].overwritten_by == ("six",)
    assert all("six-1.15.0.dist-info" in path for path in packages["six"].missing)
    assert "lib/python3.11/site-packages/six-1.15.0.dist-info/RECORD" in packages["six"].missing
    assert packages["python"].missing == ("lib/python3.11/this.py",)
    owners = {d.name: d.conda for d in found.distributions}
    assert owners["click"] == "click"
    assert owners["six"] is owners["tabulate"] is None


def test_no_credential_of_a_condarc_is_kept(lock: Path) -> None:
    for path in lock.iterdir():
        assert b"secret" not in path.read_bytes().replace(b'"secrets":', b""), path.name


def test_files_for_conda(lock: Path) -> None:
    environment = yaml.safe_load((lock / "environment.yml").read_text())
    *packages, pip = environment["dependencies"]
    assert packages == ["click=8.1.7=py311_0", "python=3.11.7=h1234567_0_cpython", "six=1.15.0=py_0"]
    assert pip == {"pip": ["pip==23.2.1", "six==1.16.0", "tabulate==0.9.0"]}
    assert environment["name"] not in ("base", "root")
    urls = [line for line in (lock / "explicit.txt").read_text().splitlines() if line.startswith("https:")]
    assert len(urls) == 3
    locked = yaml.safe_load((lock / "conda-lock.yml").read_text())
    assert {package["name"] for package in locked["package"]} == {"click", "python", "six"}


def test_a_lock_is_read_back_equal(lock: Path) -> None:
    found = read_lock(lock).snapshot
    assert msgspec.to_builtins(found.schema) == 4
