"""What pip and uv install of a repacked wheel is what was installed before."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from installer.sources import WheelFile
from packaging.utils import parse_wheel_filename

from envsync.names import normalized
from envsync.wheel.parts import Repacked
from tests.wheel.installed import installed, repacked, run, uv_install, venv

pytestmark = pytest.mark.network

REQUIREMENTS = {
    "six": "1.16.0",
    "numpy": "1.26.4",  # libraries of its own
    "greenlet": "3.0.3",  # headers
    "jupyterlab-widgets": "3.0.10",  # data
    "ruamel.yaml": "0.18.6",
    "zope.interface": "6.4.post2",  # a namespace
    "jmespath": "1.0.1",  # scripts of its own
}
NAMES = pytest.mark.parametrize("name", list(REQUIREMENTS))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of wheels of the index."""
    python = venv(tmp_path_factory.mktemp("first") / "venv")
    uv_install(python, *(f"{name}=={version}" for name, version in REQUIREMENTS.items()))
    return python


@pytest.fixture(scope="module")
def wheels(first: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Repacked]:
    folder = tmp_path_factory.mktemp("wheels")
    return {name: repacked(first, name, folder) for name in REQUIREMENTS}


@pytest.fixture(scope="module")
def by_uv(wheels: dict[str, Repacked], tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = venv(tmp_path_factory.mktemp("by-uv") / "venv")
    uv_install(python, "--offline", *(wheel.path for wheel in wheels.values()))
    return python


@pytest.fixture(scope="module")
def by_pip(wheels: dict[str, Repacked], tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = venv(tmp_path_factory.mktemp("by-pip") / "venv")
    pip = (sys.executable, "-m", "pip", "--isolated", "--python", python, "install", "--no-index", "--no-deps")
    run(*pip, "--no-compile", *(wheel.path for wheel in wheels.values()))
    return python


@NAMES
def test_the_same_files_as_from_the_index(
    name: str, first: Path, wheels: dict[str, Repacked], by_uv: Path, by_pip: Path
) -> None:
    wheel = wheels[name]
    assert (wheel.how, wheel.patched, wheel.notes) == ("record", (), ())
    before = installed(first, name)
    assert installed(by_uv, name) == before
    assert installed(by_pip, name) == before


@NAMES
def test_a_wheel_in_the_eyes_of_others(name: str, wheels: dict[str, Repacked]) -> None:
    wheel = wheels[name]
    found, version, _, tags = parse_wheel_filename(wheel.filename)
    assert (found, str(version)) == (normalized(name), REQUIREMENTS[name])
    assert {str(tag) for tag in tags} == set(wheel.tags)
    with WheelFile.open(wheel.path) as opened:
        opened.validate_record(validate_contents=True)


def test_tools_that_check_wheels_find_no_fault(wheels: dict[str, Repacked]) -> None:
    paths = [wheel.path for wheel in wheels.values()]
    said = run(sys.executable, "-m", "twine", "check", *paths)
    assert said.count("PASSED") == len(paths)
    # By its measure, the index's own have faults too: files that are there twice, and modules in numpy's test data.
    others = [path for path in paths if not path.name.startswith("numpy")]
    run(sys.executable, "-m", "check_wheel_contents", "--no-config", "--ignore", "W002", *others)


def test_twice_the_same_bytes(first: Path, wheels: dict[str, Repacked], tmp_path: Path) -> None:
    for name in ("six", "greenlet"):
        assert repacked(first, name, tmp_path).path.read_bytes() == wheels[name].path.read_bytes()


def test_what_compiled_files_need(wheels: dict[str, Repacked]) -> None:
    machine = os.uname().machine
    for name in ("numpy", "greenlet"):
        platform = wheels[name].platform or ""
        assert platform.startswith("manylinux_2_")
        assert platform.endswith(machine)
    assert wheels["six"].platform is None
