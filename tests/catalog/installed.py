"""Folders of installed distributions: written by hand where a real installer would not make them any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.distributions import Found, find_distributions
from envsync.catalog.freeze import freeze_line
from envsync.files import HostTree


def interpreter(version: str) -> Path:
    """A pyenv interpreter of the minor version, or skip."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(root.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} under {root}")
    return found[-1]


def dist_info(site: Path, stem: str, metadata: str | bytes | None, *, direct_url: object = None, **files: str) -> Path:
    """A ``.dist-info``; ``metadata`` is ``Name``, ``Version`` and so on, ``files`` are its other files."""
    folder = site / f"{stem}.dist-info"
    folder.mkdir(parents=True)
    if metadata is not None:
        data = metadata.encode() if isinstance(metadata, str) else metadata
        (folder / "METADATA").write_bytes(b"Metadata-Version: 2.1\n" + data)
    if direct_url is not None:
        (folder / "direct_url.json").write_text(json.dumps(direct_url), encoding="utf-8")
    for name, text in files.items():
        (folder / name.replace("_txt", ".txt")).write_text(text, encoding="utf-8")
    return folder


def egg_info(site: Path, name: str, metadata: str | bytes, *, requires: str | None = None, lone: bool = False) -> Path:
    """An ``.egg-info``: a folder as setuptools makes it, or a ``lone`` file as distutils does."""
    site.mkdir(parents=True, exist_ok=True)
    path = site / f"{name}.egg-info"
    data = b"Metadata-Version: 1.1\n" + (metadata.encode() if isinstance(metadata, str) else metadata)
    if lone:
        path.write_bytes(data)
        return path
    path.mkdir()
    (path / "PKG-INFO").write_bytes(data)
    if requires is not None:
        (path / "requires.txt").write_text(requires, encoding="utf-8")
    return path


def describe(*sys_path: Path, python: str | None = None) -> Found:
    return find_distributions(HostTree(), [PurePosixPath(path) for path in sys_path], python=python)


def lines(found: Found) -> set[str]:
    return {freeze_line(distribution) for distribution in found[0] if distribution.shadowed_by is None}


_FREEZE = """
import runpy, site, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path]
sys.path[1:1] = %r
sys.path += %r
sys.argv = ["pip", "freeze", "--all", "--disable-pip-version-check"]
runpy.run_module("pip", run_name="__main__")
"""


def real_freeze(python: Path, cwd: Path, first: list[Path], last: list[Path]) -> set[str]:
    """What the pip in ``first`` or ``last`` prints, without comments; only the stdlib is on its path beside."""
    cwd.mkdir(exist_ok=True)
    code = _FREEZE % ([str(path) for path in first], [str(path) for path in last])
    done = subprocess.run(
        [python, "-S", "-E", "-s", "-W", "ignore", "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "LC_ALL": "C.UTF-8", "PIP_CONFIG_FILE": os.devnull},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line for line in done.stdout.splitlines() if not line.startswith("#")}


def install(site: Path, *requirements: str, python: str = "3.10") -> None:
    """Put distributions of the index into a folder, with uv, without what they require."""
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "install", "--quiet", "--target", str(site), "--no-deps"]
    done = subprocess.run(
        [*command, "--python", sys.executable, "--python-version", python, "--only-binary=:all:", *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
