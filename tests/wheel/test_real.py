"""What pip and uv install of a repacked wheel is what was installed before."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from tests.wheel.installed import installed, repacked, run, uv_install, venv

pytestmark = pytest.mark.network


@pytest.mark.parametrize(
    ("requirement", "how"),
    [
        ("six==1.16.0", "record"),
        ("numpy==1.26.4", "record"),
        ("greenlet==3.0.3", "record"),  # headers
        ("jupyterlab-widgets==3.0.10", "record"),  # data
        ("ruamel.yaml==0.18.6", "record"),
        ("zope.interface==6.4.post2", "record"),
        ("pypandoc==1.13", "record"),
    ],
)
def test_the_same_files_as_from_the_index(requirement: str, how: str, tmp_path: Path) -> None:
    name = requirement.partition("==")[0]
    first = venv(tmp_path / "first")
    uv_install(first, requirement)
    one = repacked(first, name, tmp_path / "wheels")
    again = repacked(first, name, tmp_path / "again")
    assert one.path.read_bytes() == again.path.read_bytes()
    assert (one.how, one.patched, one.notes) == (how, (), ())
    parse_wheel_filename(one.filename)
    second = venv(tmp_path / "second")
    uv_install(second, one.path)
    third = venv(tmp_path / "third")
    run(
        "/usr/bin/env",
        "PIP_CONFIG_FILE=/dev/null",
        "python3",
        "-m",
        "pip",
        "--python",
        third,
        "install",
        "--no-deps",
        one.path,
    )
    assert installed(second, name) == installed(first, name) == installed(third, name)
