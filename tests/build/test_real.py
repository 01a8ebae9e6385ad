"""Both backends, real interpreters, distributions of the real index."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

from envsync.build.events import Event, Line
from envsync.build.marker import read_marker
from envsync.errors import BuildError
from envsync.model import ArchiveOrigin, Distribution
from tests.build.making import leftovers, lock, make, pyenv, run_python, site_packages, tree

pytestmark = pytest.mark.network

LISTS = {
    "3.7.16": ("attrs==23.1.0", "Click==8.1.7", "pip==18.1", "setuptools==57.5.0", "six==1.16.0", "wheel==0.37.1"),
    "3.9.18": ("attrs==23.1.0", "click==8.1.7", "pip==21.1", "six==1.16.0"),
    "3.12.1": ("attrs==23.1.0", "click==8.1.7", "pip==24.0", "six==1.16.0"),
    "3.13.0": ("attrs==23.1.0", "six==1.16.0"),
}


def pip_freeze(env: Path) -> list[str]:
    """By the environment's own pip, as the image would print it."""
    done = subprocess.run(
        [env / "bin" / "pip", "freeze", "--all"],
        capture_output=True,
        text=True,
        check=True,
        env={"PIP_CONFIG_FILE": "/dev/null"},
    )
    return sorted(done.stdout.split(), key=str.lower)


@pytest.mark.parametrize("version", LISTS)
def test_uv_makes_what_pip_freeze_then_prints(tmp_path: Path, version: str) -> None:
    target = tmp_path / "my pröject" / ".venv"
    built = make(lock(*LISTS[version], python=version), target, python=pyenv(version))
    assert (built.installed, built.python.exact) == (len(LISTS[version]), True)
    if any(pin.startswith("pip==") for pin in LISTS[version]):
        expected = [pin.lower() for pin in LISTS[version]]
        assert [line.lower() for line in pip_freeze(target)] == sorted(expected)
    assert run_python(target, "-c", "import six; print(six.__version__)") == "1.16.0\n"


def test_the_pip_backend_puts_an_old_pip_in_last(tmp_path: Path) -> None:
    version = "3.7.16"
    target = tmp_path / ".venv"
    make(lock("pip==18.1", "six==1.16.0", python=version), target, python=pyenv(version), backend="pip")
    assert pip_freeze(target) == ["pip==18.1", "six==1.16.0"]
    assert _mentions(target, b".envsync-") == []
    marker = read_marker(target)
    assert marker is not None
    assert marker.backend == "pip"


def test_the_pip_backend_updates_and_fails_as_uv_does(tmp_path: Path) -> None:
    version = "3.12.1"
    target = tmp_path / ".venv"
    make(lock("attrs==23.1.0", "six==1.16.0", python=version), target, python=pyenv(version), backend="pip")
    assert _installed(target) == ["attrs-23.1.0", "six-1.16.0"]
    origin = ArchiveOrigin(url="file:///w/attrs-23.1.0-py3-none-any.whl", hashes=("sha256=" + "0" * 64,))
    other = Distribution(name="attrs", version="23.2.0", origin=origin)
    built = make(lock("six==1.15.0", other, python=version), target, python=pyenv(version), backend="pip")
    assert _installed(target) == ["six-1.15.0"]
    assert [part.name for part in built.not_reproducible] == ["attrs"]
    assert _mentions(target, b".envsync-") == []

    before = tree(target)
    with pytest.raises(BuildError, match=r"^six 1\.99: the index does not have this version, or no file"):
        make(lock("six==1.99", python=version), target, python=pyenv(version), backend="pip")
    assert tree(target) == before
    assert leftovers(target) == []


def _installed(env: Path) -> list[str]:
    return sorted(path.name.removesuffix(".dist-info") for path in site_packages(env).glob("*-info"))


def _mentions(env: Path, text: bytes) -> list[str]:
    return [str(path) for path in env.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_a_build_that_misses_a_program_of_the_system(tmp_path: Path) -> None:
    if shutil.which("mysql_config") or shutil.which("mariadb_config"):
        pytest.skip("this machine can build mysqlclient, or would fail in another way")
    with pytest.raises(BuildError) as caught:
        make(lock("six==1.16.0", "mysqlclient==2.1.1"), tmp_path / "env", strict=True)
    assert caught.value.message == "mysqlclient 2.1.1: its build failed: mysql_config is missing"
    assert "OSError: mysql_config not found" in caught.value.output
    assert not (tmp_path / "env").exists()


def test_an_sdist_that_needs_the_setuptools_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its setup.py has use_2to3, which setuptools 58 refuses: in isolation, as of its time, it builds."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    version, events = "3.7.16", list[Event]()
    then = datetime(2021, 1, 1, tzinfo=timezone.utc)
    snapshot = lock("setoptconf==0.2.0", "six==1.16.0", python=version)
    make(snapshot, tmp_path / "env", python=pyenv(version), as_of=then, on_event=events.append)
    assert _installed(tmp_path / "env") == ["setoptconf-0.2.0", "six-1.16.0"]
    assert not any("does not build" in event.text for event in events if isinstance(event, Line))
