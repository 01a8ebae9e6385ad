"""Environments of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from envsync.drift.compare import compare
from envsync.errors import NoPythonError
from envsync.local import describe
from envsync.model import EnvironmentVariable, LocalSource, Snapshot

FACTS = """
import json, sys
print(json.dumps([sys.version.split()[0], sys.prefix, sys.base_prefix, sys.path[1:]]))
"""


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("local") / "a b"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return path


@pytest.fixture(scope="module")
def described(venv: Path) -> Snapshot:
    return describe(venv)


def test_a_venv_is_what_its_interpreter_says(venv: Path, described: Snapshot) -> None:
    done = subprocess.run([venv / "bin/python", "-E", "-c", FACTS], capture_output=True, check=True, text=True)
    version, prefix, base, path = json.loads(done.stdout)
    python = described.python
    assert (python.version, str(python.prefix), str(python.base_prefix)) == (version, prefix, base)
    assert [str(place) for place in python.sys_path] == path
    assert python.executable == PurePosixPath(venv / "bin/python")
    assert python.venv is not None
    assert described.distributions == ()
    assert described.source == LocalSource(path=PurePosixPath(venv))
    assert described.interpreters == (python,)


def test_distributions_are_found_and_nothing_differs_from_itself() -> None:
    from importlib.metadata import version

    here = describe(Path(sys.prefix))
    assert {d.name: d.version for d in here.distributions}["pytest"] == version("pytest")
    assert compare(here, here) == ()


@pytest.mark.skipif(not Path("/etc/os-release").exists(), reason="needs os-release")
def test_the_operating_system(described: Snapshot) -> None:
    assert described.os is not None
    assert f"ID={described.os.id}" in Path("/etc/os-release").read_text().replace('"', "")
    assert described.platform is not None
    assert described.platform.os == "linux"


@pytest.mark.skipif(not Path("/var/lib/dpkg/status").exists(), reason="needs dpkg's database")
def test_os_packages(described: Snapshot) -> None:
    done = subprocess.run(
        ["dpkg-query", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n", "-W"],
        capture_output=True,
        check=True,
        text=True,
    )
    listed = {line.removeprefix("installed ") for line in done.stdout.splitlines() if line.startswith("inst")}
    assert {f"{p.name} {p.version} {p.architecture}" for p in described.os_packages or ()} == listed


def test_only_the_variables_that_are_asked_for(venv: Path) -> None:
    environ = {
        "TZ": "UTC",
        "PRIVATE": "x",
        "API_TOKEN": "s3cret",
        "PROXY": "http://me:pw@proxy",
        "BYTES": "\udcff",
    }
    names = ["TZ", "API_TOKEN", "PROXY", "BYTES", "ABSENT"]
    config = describe(venv, env_names=names, environ=environ).config
    assert config is not None
    assert config.env == (
        EnvironmentVariable(name="API_TOKEN", value=None),
        EnvironmentVariable(name="BYTES", value=r"\udcff"),
        EnvironmentVariable(name="PROXY", value="http://proxy"),
        EnvironmentVariable(name="TZ", value="UTC"),
    )
    none = describe(venv, environ=environ).config
    assert none is not None
    assert none.env == ()


def test_no_environment(tmp_path: Path) -> None:
    with pytest.raises(NoPythonError) as caught:
        describe(tmp_path)
    assert caught.value.message == (
        f"{tmp_path}: no environment: it has no bin/python (expected a virtual environment)"
    )
    assert caught.value.hint == f"Make one: envsync create {tmp_path}"
    with pytest.raises(NoPythonError, match="gone: no such folder"):
        describe(tmp_path / "gone")


def test_an_environment_of_somebody_else(tmp_path: Path) -> None:
    """What another user has in a home that nobody else may enter."""
    (tmp_path / "home").mkdir(mode=0)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to("../home/python3")
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(NoPythonError) as caught:
            describe(tmp_path)
    finally:
        os.seteuid(user)
    problem = "cannot be read, or what it leads to: Permission denied (expected an interpreter)"
    assert caught.value.message == f"{tmp_path}/bin/python: {problem}"


def test_an_environment_whose_base_is_gone(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to("/nowhere/python3")
    with pytest.raises(NoPythonError) as caught:
        describe(tmp_path)
    assert caught.value.message == (
        f"{tmp_path}/bin/python: leads to /nowhere/python3, which is gone (expected an interpreter)"
    )
    assert caught.value.hint == f"Make the environment again: envsync create {tmp_path}"


def test_a_python_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("#!/bin/sh\n")
    (tmp_path / "bin/python").chmod(0o755)
    with pytest.raises(NoPythonError, match=r"bin/python: .*\(expected a CPython executable\)"):
        describe(tmp_path)
