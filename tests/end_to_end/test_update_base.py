"""``create --update-base`` as a user meets it: what would change, the question, and nothing before the answer."""

from __future__ import annotations

import os
import pty
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from envsync.lock.store import read_lock, write_lock
from tests.build.conda.making import install_original, lock_of, with_packages
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
    (base / "bin" / "conda").write_text(
        '#!/bin/sh\ncp "$6" "$(dirname "$0")/given"\necho "$@" > "$(dirname "$0")/asked"\n'
    )
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
    assert note.read_text().startswith(f"env update --prefix {folder / 'conda'} --file ")


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


def test_an_edited_file_is_not_what_was_shown(folder: Path) -> None:
    lock = folder / "edited" / "acme" / "conda" / "1"
    shutil.copytree(folder / "lockfiles" / "acme" / "conda" / "1", lock)
    file = lock / "environment.yml"
    before = file.read_text()
    file.write_text(f"{before}  - evil\n")
    conda = {"CONDA_EXE": str(folder / "conda" / "bin" / "conda")}
    result = envsync("create", "--update-base", "--yes", "--lockfiles", "edited", cwd=folder, **conda)
    assert result.status == 0, result.said
    assert "edited by hand: environment.yml; create goes by snapshot.json alone" in result.err
    assert (folder / "conda" / "bin" / "given").read_text() == before


@pytest.mark.parametrize("channels", [(), ("conda-forge", "defaults")])
def test_terms_of_service_are_the_users_to_accept(channels: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    snapshot = read_lock(folder / "lockfiles" / "acme" / "conda" / "1").snapshot
    if channels:
        environment = msgspec.structs.replace(snapshot.conda[0], channels=channels)
        snapshot = msgspec.structs.replace(snapshot, conda=(environment,))
    else:
        main = "https://repo.anaconda.com/pkgs/main"
        snapshot = with_packages(snapshot, lambda package: msgspec.structs.replace(package, channel=main))
    write_lock(tmp_path / "lockfiles" / "acme" / "conda" / "1", snapshot)
    note = folder / "conda" / "bin" / "asked"
    note.unlink(missing_ok=True)
    user = {"CONDA_EXE": str(folder / "conda" / "bin" / "conda"), "HOME": str(tmp_path)}
    result = envsync("create", "--update-base", "--yes", cwd=tmp_path, **user)
    assert result.status == 2, result.said
    assert "error: https://repo.anaconda.com/pkgs/main" in result.err
    assert ": the terms of service of Anaconda are not accepted (expected before anything is fetched)" in result.err
    assert "--channel URL" not in result.err
    assert not note.exists()
    user["CONDA_PLUGINS_AUTO_ACCEPT_TOS"] = "yes"
    result = envsync("create", "--update-base", "--yes", cwd=tmp_path, **user)
    assert result.status == 0, result.said
    assert note.exists()
