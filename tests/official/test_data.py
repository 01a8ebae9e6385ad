from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import envsync
from envsync.official import data_folder

PACKAGE = Path(envsync.__file__).parent
ASK = """
from envsync.errors import EnvsyncError
from envsync.official.data import data_folder
try:
    print(data_folder("images"))
except EnvsyncError as error:
    print(error.message, error.hint, sep="|")
"""


def installed(site: Path) -> str:
    """What a copy of the package in ``site``, with what stands there already, answers."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, site / "envsync", ignore=ignored, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=site,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_checkout():
    assert data_folder("images") == PACKAGE.parent / "images"


def test_installed_wheel(tmp_path: Path):
    data = tmp_path / "envsync" / "_data" / "images"
    data.mkdir(parents=True)
    assert installed(tmp_path) == str(data)


def test_a_folder_beside_an_incomplete_installation_is_not_ours(tmp_path: Path):
    (tmp_path / "images").mkdir()
    assert installed(tmp_path) == (
        f"{tmp_path}/envsync/_data/images: envsync's own data is missing|Install envsync anew from its wheel."
    )
