"""A local conda prefix is described from its records."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from envsync.local import describe


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A virtual environment with a ``conda-meta``: what is described does not depend on how it was made."""
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"
    folder = tmp_path / "env"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(python.resolve())
    (folder / "pyvenv.cfg").write_text(f"home = {python.resolve().parent}\n")
    text = b"x = 1\n"
    (folder / "x.py").write_bytes(text)
    meta = folder / "conda-meta"
    meta.mkdir()
    (meta / "history").write_text("# update specs: ['x']\n")
    url = "https://conda.example/c/noarch/x-1.0-0.conda"
    paths = [{"_path": name, "sha256": hashlib.sha256(text).hexdigest()} for name in ("x.py", "gone.py")]
    entry = {"name": "x", "version": "1.0", "build": "0", "url": url, "paths_data": {"paths": paths}}
    (meta / "x-1.0-0.json").write_text(json.dumps(entry))
    return folder


def test_its_packages_are_described(prefix: Path) -> None:
    found = describe(prefix)
    environment = found.conda_environment
    assert environment is not None
    assert environment.requested == ("x",)
    (package,) = environment.packages
    assert (package.name, package.channel, package.subdir) == ("x", "https://conda.example/c", "noarch")
    assert package.missing == ("gone.py",)
    assert found.virtual_packages == ()


def test_what_conda_takes_for_packages_of_the_machine_is_told_where_asked_for(prefix: Path) -> None:
    assert describe(prefix, with_virtual_packages=True).virtual_packages
