"""Updating a base environment: what it would change, from a real prefix; the client itself is a stand-in."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from envsync.build.conda.base import Change, plan_base_update, update_base
from envsync.errors import BuildError
from envsync.lock.conda.environment_yml import render_environment
from envsync.model import Snapshot
from tests.factory import distribution

pytestmark = pytest.mark.network

SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
echo "$@" > asked
cp "$6" given.yml
test -e fails || exit 0
echo 'CondaHTTPError: HTTP 404 NOT FOUND for url <https://a/b/c-1-0.conda>' >&2
exit 1
"""


@pytest.fixture
def conda(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base environment: the image's, without six, and with another tabulate."""
    root = tmp_path / "conda"
    shutil.copytree(original / "conda-meta", root / "conda-meta")
    (root / "bin").mkdir()
    program = root / "bin" / "conda"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    (root / "conda-meta" / "six-1.16.0-pyhd3eb1b0_0.json").unlink()
    tabulate = root / "conda-meta" / "tabulate-0.9.0-pyhd3eb1b0_0.json"
    text = tabulate.read_text().replace('"version": "0.9.0"', '"version": "0.8.9"')
    tabulate.write_text(text)
    monkeypatch.setenv("CONDA_EXE", str(program))
    monkeypatch.delenv("CONDA_ROOT", raising=False)
    return root


def test_what_it_would_change(lock: Snapshot, conda: Path) -> None:
    first = msgspec.structs.replace(
        lock.python, distributions=(*lock.python.distributions, distribution("idna", "3.6"))
    )
    update = plan_base_update(msgspec.structs.replace(lock, interpreters=(first,)), "conda")
    assert (update.prefix, update.program) == (conda, conda / "bin" / "conda")
    assert update.changes == (
        Change(name="six", old=None, new="1.16.0 pyhd3eb1b0_0"),
        Change(name="tabulate", old="0.8.9 pyhd3eb1b0_0", new="0.9.0 pyhd3eb1b0_0"),
        Change(name="idna", old=None, new="3.6", by_pip=True),
    )
    assert (update.same, update.others) == (len(lock.conda[0].packages) - 2, 0)


def test_the_client_is_asked_for_just_that(lock: Snapshot, conda: Path) -> None:
    update = plan_base_update(lock, "conda")
    update_base(lock, update, on_line=lambda line: None)
    *words, file = (conda / "bin" / "asked").read_text().split()
    assert words == ["env", "update", "--prefix", str(conda), "--file"]
    assert (Path(file).name, Path(file).parent.exists()) == ("environment.yml", False)
    assert (conda / "bin" / "given.yml").read_text() == render_environment(lock)
    (conda / "bin" / "fails").touch()
    with pytest.raises(BuildError, match=r"c-1-0\.conda: the channel does not have this file"):
        update_base(lock, update, on_line=lambda line: None)


def mamba_in(root: Path) -> Path:
    """A mamba that is installed in another environment than conda is."""
    (root / "conda-meta").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin" / "mamba").write_text(SCRIPT)
    (root / "bin" / "mamba").chmod(0o755)
    return root / "bin" / "mamba"


def test_a_mamba_that_is_not_in_conda_s_base(
    lock: Snapshot, conda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mamba = mamba_in(tmp_path / "forge")
    monkeypatch.setenv("MAMBA_EXE", str(mamba))
    with pytest.raises(BuildError) as caught:
        plan_base_update(lock, "mamba")
    assert caught.value.message == (
        f"{mamba}: is in another environment than conda's base, {conda} (expected the same)"
    )
    assert caught.value.hint == "Say which is meant: CONDA_EXE=PATH/bin/conda MAMBA_EXE=PATH/bin/mamba"
    monkeypatch.delenv("CONDA_EXE")
    monkeypatch.setenv("PATH", "/nowhere")
    assert plan_base_update(lock, "mamba").prefix == tmp_path / "forge"


def test_a_conda_that_is_not_in_conda_root(
    lock: Snapshot, conda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other" / "conda-meta").mkdir(parents=True)
    monkeypatch.setenv("CONDA_ROOT", str(tmp_path / "other"))
    with pytest.raises(BuildError) as caught:
        plan_base_update(lock, "conda")
    assert caught.value.message == (
        f"{conda}/bin/conda: is in another environment than conda's base, {tmp_path}/other (expected the same)"
    )
    assert caught.value.hint == "Say which is meant: CONDA_EXE=PATH/bin/conda, and no CONDA_ROOT"


def test_a_wrapper_is_in_no_environment(
    lock: Snapshot, conda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "local" / "bin" / "conda"
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text(f'#!/bin/sh\nexec "{conda}/bin/conda" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CONDA_EXE", str(wrapper))
    with pytest.raises(BuildError, match=r"local: no base environment \(expected conda-meta in it\)"):
        plan_base_update(lock, "conda")
    monkeypatch.setenv("CONDA_ROOT", str(conda))
    assert plan_base_update(lock, "conda").prefix == conda


def test_no_conda(lock: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.delenv("CONDA_ROOT", raising=False)
    with pytest.raises(BuildError, match="conda: not found on this machine"):
        plan_base_update(lock, "conda")
