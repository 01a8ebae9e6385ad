"""A real environment, changed by hand: the change is found, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from envsync.drift.changes import find_changes
from envsync.drift.compare import compare
from envsync.drift.finding import Finding, ranked
from envsync.local import describe
from envsync.model import Snapshot
from tests.factory import source

pytestmark = pytest.mark.network

WANTED = ("idna==3.6", "six==1.16.0", "packaging==23.2", "pip==24.0")


def uv(*arguments: str | Path) -> None:
    from uv import find_uv_bin

    subprocess.run([find_uv_bin(), *arguments], check=True, capture_output=True)


class Twin:
    def __init__(self, path: Path) -> None:
        self.path = path
        uv("venv", "--python", sys.executable, path)
        self.install(*WANTED)
        self.site = next(path.glob("lib/python*/site-packages"))
        self.expected: Snapshot = replace(describe(path), source=source())

    def install(self, *requirements: str) -> None:
        # Copies, because edited files must not reach uv's cache through hard links.
        uv("pip", "install", "--python", self.path, "--no-deps", "--link-mode", "copy", *requirements)

    def found(self, *, verify: bool = False) -> list[tuple[str, str, str | None]]:
        return [(f.kind, f.subject, f.actual) for f in self.findings(verify=verify)]

    def findings(self, *, verify: bool = False) -> tuple[Finding, ...]:
        actual = describe(self.path)
        changed, unread = find_changes(actual, verify=verify)
        assert len(unread) == (0 if verify else 1)
        return ranked((*compare(self.expected, actual), *changed))


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    return Twin(tmp_path / "twin")


def test_no_change(twin: Twin) -> None:
    assert twin.found() == []
    assert twin.found(verify=True) == []
    subprocess.run([twin.path / "bin/python", "-m", "pip", "--version"], check=True, capture_output=True)
    assert twin.found(verify=True) == []


def test_remove(twin: Twin) -> None:
    uv("pip", "uninstall", "--python", twin.path, "six")
    (finding,) = twin.findings()
    assert (finding.kind, finding.subject, finding.expected) == ("distribution-missing", "six", "1.16.0")


def test_upgrade(twin: Twin) -> None:
    twin.install("idna==3.7")
    assert twin.found() == [("distribution-version", "idna", "3.7")]


def test_add(twin: Twin) -> None:
    twin.install("iniconfig==2.0.0")
    assert twin.found() == [("distribution-extra", "iniconfig", "2.0.0")]


def test_edit(twin: Twin) -> None:
    with (twin.site / "six.py").open("a") as stream:
        stream.write("# edited\n")
    assert twin.found() == [("distribution-modified", "six", "1 changed: six.py")]


def test_edit_without_another_size(twin: Twin) -> None:
    path = twin.site / "six.py"
    path.write_bytes(path.read_bytes().replace(b"import", b"IMPORT", 1))
    assert twin.found(verify=True) == [("distribution-modified", "six", "1 changed: six.py")]


def test_delete(twin: Twin) -> None:
    (twin.site / "packaging/version.py").unlink()
    (twin.path / "bin/pip").unlink()
    assert twin.found() == [
        ("distribution-modified", "packaging", "1 missing: packaging/version.py"),
        ("distribution-modified", "pip", "1 missing: ../../../bin/pip"),
    ]


def test_the_fix_of_a_change_is_one(twin: Twin) -> None:
    (twin.site / "six.py").write_text("")
    (finding,) = twin.findings()
    assert finding.fix == f"uv pip install --python {twin.path} --no-deps --reinstall --no-cache six==1.16.0"
    uv(*finding.fix.split()[1:])
    assert twin.found(verify=True) == []
