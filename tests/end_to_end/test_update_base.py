"""``create --update-base`` as a user meets it: what would change, the question, and nothing before the answer."""

from __future__ import annotations

import os
import pty
import shutil
import sys
from pathlib import Path

import pytest

from envsync.lock.store import write_lock
from tests.build.conda.making import install_original, lock_of
from tests.end_to_end.program import environment, envsync
from tests.imagekit.conda_channel import serve

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lock, and a base environment without six; its conda only notes what it is asked."""
    folder = tmp_path_factory.mktemp("base")
    with serve() as server:
        install_original(folder / "image", server)
    write_lock(folder / "lockfiles" / "acme" / "conda" / "1", lock_of(folder / "image"))
    base = folder / "conda"
    shutil.copytree(folder / "image" / "conda-meta", base / "conda-meta")
    (base / "conda-meta" / "six-1.16.0-pyhd3eb1b0_0.json").unlink()
    (base / "bin").mkdir()
    (base / "bin" / "conda").write_text('#!/bin/sh\necho "$@" > "$(dirname "$0")/asked"\n')
    (base / "bin" / "conda").chmod(0o755)
    return folder


def answered(folder: Path, answer: str) -> tuple[int, str]:
    """Exit status and output of a run in a terminal in which somebody types ``answer``."""
    variables = environment(CONDA_EXE=str(folder / "conda" / "bin" / "conda"), COLUMNS="80")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "envsync", "create", "--update-base"], variables)
    output, asked = b"", False
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        output += data
        if b"Change it?" in output and not asked:
            asked = True
            os.write(terminal, f"{answer}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.decode()


def test_it_asks_and_does_nothing_before(folder: Path) -> None:
    note = folder / "conda" / "bin" / "asked"
    status, output = answered(folder, "")
    assert (status, note.exists()) == (1, False), output
    assert "0 replaced, 1 new, 11 there already, 0 others stay\r\n  + six  1.16.0 pyhd3eb1b0_0\r\n" in output
    assert "Change it? [y/N]" in output
    assert "nothing was changed" in output
    status, output = answered(folder, "y")
    assert status == 0, output
    file = "lockfiles/acme/conda/1/environment.yml"
    assert note.read_text() == f"env update --prefix {folder / 'conda'} --file {file}\n"


def test_nobody_to_ask(folder: Path) -> None:
    (folder / "conda" / "bin" / "asked").unlink(missing_ok=True)
    conda = {"CONDA_EXE": str(folder / "conda" / "bin" / "conda")}
    result = envsync("create", "--update-base", cwd=folder, **conda)
    assert result.status == 2, result.said
    assert "error: --update-base: asks first, and nobody is there to answer (expected a terminal)" in result.err
    assert "Nothing was changed. To change it unasked: --yes" in result.err
    assert not (folder / "conda" / "bin" / "asked").exists()
    result = envsync("create", "--update-base", "--yes", cwd=folder, **conda)
    assert result.status == 0, result.said
    assert (folder / "conda" / "bin" / "asked").exists()
