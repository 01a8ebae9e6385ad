"""Where ``create --name`` puts an environment: where conda would."""

from __future__ import annotations

from pathlib import Path

import pytest

from envsync.conda_config.names import environment_place
from envsync.conda_config.settings import CondaSettings
from envsync.errors import UsageError

NONE = CondaSettings()


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    for file in ("miniconda/bin/conda", "miniconda/conda-meta/history"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path / "miniconda"


def test_without_conda_at_home(tmp_path: Path) -> None:
    assert environment_place("app", NONE, {}, tmp_path) == tmp_path / ".conda/envs/app"


def test_beside_conda(tmp_path: Path, conda: Path) -> None:
    for environ in ({"CONDA_EXE": str(conda / "bin/conda")}, {"PATH": str(conda / "bin")}):
        (conda / "bin/conda").chmod(0o755)
        assert environment_place("app", NONE, environ, tmp_path) == conda / "envs/app"


def test_at_home_where_the_installation_is_not_ones_own(tmp_path: Path, conda: Path) -> None:
    (conda / "conda-meta/history").unlink()
    environ = {"CONDA_EXE": str(conda / "bin/conda")}

    assert environment_place("app", NONE, environ, tmp_path) == tmp_path / ".conda/envs/app"


def test_beside_mamba(tmp_path: Path) -> None:
    environ = {"MAMBA_ROOT_PREFIX": str(tmp_path / "mamba")}

    assert environment_place("app", NONE, environ, tmp_path) == tmp_path / "mamba/envs/app"


def test_configured_folders_come_first(tmp_path: Path, conda: Path) -> None:
    (tmp_path / "file").touch()
    settings = CondaSettings(envs_dirs=(tmp_path / "file/envs", tmp_path / "mine"))
    environ = {"CONDA_EXE": str(conda / "bin/conda")}

    assert environment_place("app", settings, environ, tmp_path) == tmp_path / "mine/app"


def test_where_there_is_one_of_that_name(tmp_path: Path, conda: Path) -> None:
    (conda / "envs/app").mkdir(parents=True)
    settings = CondaSettings(envs_dirs=(tmp_path / "mine",))

    assert environment_place("app", settings, {"CONDA_EXE": str(conda / "bin/conda")}, tmp_path) == conda / "envs/app"


@pytest.mark.parametrize("name", ["base", "root", ".", ".."])
def test_reserved_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        environment_place(name, NONE, {}, tmp_path)
    assert caught.value.message == f"--name {name}: reserved (expected a name of its own)"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a/b", "a/b"), ("a b", "a b"), ("a:b", "a:b"), ("#", "#"), ("a\\b", "a\\b"), ("", ""), ("a\x1b", "a\\x1b")],
)
def test_what_is_no_name(name: str, shown: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        environment_place(name, NONE, {}, tmp_path)
    assert caught.value.message == (
        f"--name {shown}: not the name of an environment (expected no / \\ : # or space in it)"
    )


def test_nowhere_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        environment_place("app", NONE, {}, tmp_path / "file")
    assert caught.value.message == (
        f"--name app: none of {tmp_path}/file/.conda/envs is a folder that you may write to"
    )
    assert caught.value.hint == "Name a path instead of a name, or set CONDA_ENVS_DIRS."
