"""Stores of rpm: verbatim ones, and new ones by Debian's own rpm."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.catalog.trees import write

DATA = Path(__file__).parents[1] / "data"
NAMES = ("rpmdb.sqlite", "Packages.db", "Packages", "Packages.big-endian")


def put(root: Path, name: str, folder: str = "var/lib/rpm") -> Path:
    """A verbatim store under ``root``."""
    return write(root, f"{folder}/{name.removesuffix('.big-endian')}", (DATA / "rpm" / name).read_bytes())


def installed(root: Path, packages: dict[str, list[str]]) -> None:
    """Have rpm install packages with the given files into ``root``; its paths are all under it."""
    if shutil.which("rpmbuild") is None or os.geteuid() != 0:
        pytest.skip("needs rpmbuild, as root")
    top = root.parent / "build"
    for name, files in packages.items():
        install = "\n".join(f"install -D /dev/null %{{buildroot}}{file}" for file in files)
        spec = write(
            top,
            f"{name}.spec",
            f"Name: {name}\nVersion: 1.5~rc1\nRelease: 2\nEpoch: 3\nSummary: s\nLicense: MIT\n%description\nd\n"
            f"%install\n{install}\n%files\n" + "\n".join(files) + "\n",
        )
        _run(
            *("rpmbuild", "-bb", "--quiet", "--target", "x86_64", "--define", f"_topdir {top}"),
            *("--define", f"_dbpath {top}/db", "--define", "_build_id_links none", "--define", "debug_package %{nil}"),
            str(spec),
        )
    root.mkdir(exist_ok=True)
    options = ("rpm", "--define", "_db_backend sqlite", "--dbpath", "/var/lib/rpm", "--root", str(root))
    _run(*options, "--justdb", "--nodeps", "--noscripts", "-i", *map(str, sorted(top.rglob("*.rpm"))))


def query(root: Path, form: str) -> list[str]:
    """What rpm itself says of all packages under ``root``."""
    return _run("rpm", "--dbpath", "/var/lib/rpm", "--root", str(root), "-qa", "--qf", form).splitlines()


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
