"""Small projects that no index has: installed from VCS, URLs, folders and files by the ``origins`` image."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.imagekit.machine import KitError, MissingToolError, cache_folder, locked
from tests.imagekit.wheels import make_sdist, make_wheel

VCS = "envsync-fixture-vcs"
ARCHIVE = "envsync-fixture-archive"
WHEEL = "envsync-fixture-wheel"
FOLDER = "envsync-fixture-folder"
EDITABLE = "envsync-fixture-editable"
DEVELOPED = "envsync-fixture-developed"
LEGACY = "envsync-fixture-legacy"


def flit_project(name: str, version: str) -> dict[str, str]:
    """A project whose backend is flit-core; editable by PEP 660."""
    module = name.replace("-", "_")
    project = f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = "A fixture."\n'
    backend = '[build-system]\nrequires = ["flit_core>=3.9,<4"]\nbuild-backend = "flit_core.buildapi"\n'
    return {"pyproject.toml": backend + project, f"{module}.py": f'"""A fixture."""\nVERSION = "{version}"\n'}


def setup_project(name: str, version: str) -> dict[str, str]:
    """A project from before pyproject.toml: only a setup.py."""
    module = name.replace("-", "_")
    call = f'setup(name="{name}", version="{version}", py_modules=["{module}"], install_requires=["six"])\n'
    return {"setup.py": "from setuptools import setup\n" + call, f"{module}.py": f'VERSION = "{version}"\n'}


def origin_files() -> dict[str, str]:
    """The folders that ``origins`` installs from, by path."""
    projects = {
        FOLDER: flit_project(FOLDER, "1.0"),
        EDITABLE: flit_project(EDITABLE, "1.1"),
        DEVELOPED: setup_project(DEVELOPED, "1.2"),
        LEGACY: setup_project(LEGACY, "1.3"),
    }
    return {f"{name}/{path}": text for name, files in projects.items() for path, text in files.items()}


def served_folder() -> Path:
    """What :mod:`tests.imagekit.server` serves; made once.

    Raises:
        MissingToolError: git is not installed.
    """
    if shutil.which("git") is None:
        raise MissingToolError("git is not installed")
    folder = cache_folder() / "served-1"
    with locked("served"):
        if not folder.exists():
            staging = folder.with_name(f"served-{secrets.token_hex(4)}")
            _fill(staging)
            staging.rename(folder)
    return folder


def _fill(folder: Path) -> None:
    (folder / "files").mkdir(parents=True)
    wheel = make_wheel(WHEEL, "2.0", {"envsync_fixture_wheel.py": "VERSION = '2.0'\n"})
    sdist = make_sdist(ARCHIVE, "2.1", flit_project(ARCHIVE, "2.1"))
    for name, data in (wheel, sdist):
        (folder / "files" / name).write_bytes(data)
    _make_repository(folder / "git" / f"{VCS}.git", flit_project(VCS, "3.0"))


def _make_repository(target: Path, files: Mapping[str, str]) -> None:
    """A bare repository with one commit, always the same, tagged ``v3.0``; the project is in ``python/``."""
    work = target.with_suffix(".work")
    for path, text in files.items():
        (work / "python" / path).parent.mkdir(parents=True, exist_ok=True)
        (work / "python" / path).write_text(text)
    who = {"NAME": "Fixture", "EMAIL": "fixture@example.org", "DATE": "2024-01-01T00:00:00Z"}
    variables = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    variables |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (
        ("init", "--quiet", "--initial-branch=main", "."),
        ("add", "."),
        ("commit", "--quiet", "--message=A fixture"),
        ("tag", "v3.0"),
        ("clone", "--quiet", "--bare", ".", str(target)),
    ):
        done = subprocess.run(
            ["git", *words],
            cwd=work,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise KitError(f"git {words[0]}: {done.stderr.strip()}")
    shutil.rmtree(work)
