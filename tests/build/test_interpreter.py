"""Finding an interpreter: programs that answer like interpreters stand where pyenv, uv and PATH keep them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from envsync.build.interpreter import find_interpreter
from envsync.build.interpreter_hint import _system_package, how_to_get
from envsync.errors import InterpreterNotFoundError
from envsync.model import Interpreter
from tests.build.making import BASE_PYTHON, pyenv


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Machine:
    """A home, a PATH and interpreters in it; each notes that it was run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: Mapping[str, str] = {"HOME": str(root), "PATH": f"{root}/bin:relative:{root}/bin2"}

    def put(self, place: str, version: str, *, implementation: str = "cpython", flags: str = "") -> Path:
        answer = f'{{"version":"{version}","implementation":"{implementation}","flags":"{flags}"}}'
        return self.script(place, f"echo '{answer}'")

    def script(self, place: str, text: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "$0" >> {self.root}/ran\n{text}\n')
        path.chmod(0o755)
        return path

    def ran(self) -> list[str]:
        log = self.root / "ran"
        return [str(Path(line).relative_to(self.root)) for line in log.read_text().split()] if log.exists() else []

    def pyenv(self, name: str, version: str, **answer: str) -> Path:
        return self.put(f".pyenv/versions/{name}/bin/python3", version, **answer)

    def uv(self, name: str, version: str, **answer: str) -> Path:
        return self.put(f".local/share/uv/python/{name}/bin/python3", version, **answer)

    def find(self, version: str, *, abi: str | None = None, requested: str | None = None) -> tuple[str, bool]:
        wanted = Interpreter(version=version, abi=abi)
        found = find_interpreter(wanted, requested=requested, environ=self.environ)
        return str(found.path.relative_to(self.root)), found.exact


def test_the_exact_version_is_found_by_its_folder_and_only_it_is_run(machine: Machine) -> None:
    machine.pyenv("3.9.1", "3.9.1")
    machine.pyenv("3.9.18", "3.9.18")
    machine.uv("cpython-3.9.17-linux-x86_64-gnu", "3.9.17")
    machine.put("bin/python3", "3.9.2")
    assert machine.find("3.9.17") == (".local/share/uv/python/cpython-3.9.17-linux-x86_64-gnu/bin/python3", True)
    assert len(machine.ran()) == 1


def test_path_may_have_the_exact_version(machine: Machine) -> None:
    machine.pyenv("3.9.18", "3.9.18")
    machine.put("bin/python3", "3.9.2")
    assert machine.find("3.9.2") == ("bin/python3", True)
    assert machine.ran() == ["bin/python3"]


def test_the_highest_of_the_same_minor_version_else(machine: Machine) -> None:
    machine.pyenv("3.9.1", "3.9.1")
    machine.uv("cpython-3.9.17-linux-x86_64-gnu", "3.9.17")
    machine.put("bin/python3.9", "3.9.2")
    machine.pyenv("3.10.4", "3.10.4")
    assert machine.find("3.9.5") == (".local/share/uv/python/cpython-3.9.17-linux-x86_64-gnu/bin/python3", False)


def test_a_list_that_only_knows_the_minor_version_is_met_exactly(machine: Machine) -> None:
    machine.pyenv("3.7.3", "3.7.3")
    machine.pyenv("3.7.16", "3.7.16")
    assert machine.find("3.7") == (".pyenv/versions/3.7.16/bin/python3", True)


def test_a_release_candidate_is_older_than_its_release(machine: Machine) -> None:
    machine.pyenv("3.13.0rc1", "3.13.0rc1")
    machine.pyenv("3.13.0", "3.13.0")
    assert machine.find("3.13.5") == (".pyenv/versions/3.13.0/bin/python3", False)
    assert machine.find("3.13.0rc1") == (".pyenv/versions/3.13.0rc1/bin/python3", True)


def test_what_does_not_work_is_passed_over(machine: Machine) -> None:
    machine.script(".pyenv/shims/python3", "echo 'pyenv: python3: command not found' >&2; exit 127")
    machine.script("bin/python3", "exit 127")
    machine.script("bin/python", "echo garbage")
    machine.script("bin2/python3.9", 'echo \'{"version":"3.9.18; rm","implementation":"cpython","flags":""}\'')
    machine.put("bin2/python", "3.9.18", implementation="pypy")
    machine.pyenv("pypy3.9-7.3.11", "3.9.16", implementation="pypy")
    machine.environ = {**machine.environ, "PATH": f"{machine.root}/.pyenv/shims:{machine.environ['PATH']}"}
    with pytest.raises(InterpreterNotFoundError) as caught:
        machine.find("3.9.18")
    assert caught.value.message == "Python 3.9.18: not on this machine, nor any other 3.9 (found: 3.9.18 pypy)"
    assert ".pyenv/shims/python3" not in machine.ran()


def test_the_python_of_a_venv_is_passed_over(machine: Machine) -> None:
    machine.put("bin/python3", "3.9.18")
    (machine.root / "pyvenv.cfg").write_text("home = /usr/bin\n")
    machine.put("other/python3", "3.9.17")
    machine.environ = {**machine.environ, "PATH": f"{machine.root}/bin:{machine.root}/other"}
    (machine.root / "other" / "pyvenv.cfg").write_text("")
    with pytest.raises(InterpreterNotFoundError):
        machine.find("3.9.18")
    assert machine.ran() == []


def test_links_to_one_interpreter_are_run_once(machine: Machine) -> None:
    machine.put("bin/python3.9", "3.9.2")
    for name in ("python", "python3"):
        (machine.root / "bin" / name).symlink_to("python3.9")
    machine.find("3.9.18")
    assert machine.ran() == ["bin/python3.9"]


def test_a_link_that_tells_another_minor_version_is_not_run(machine: Machine) -> None:
    machine.put("bin/python3.11", "3.11.4")
    (machine.root / "bin" / "python3").symlink_to("python3.11")
    with pytest.raises(InterpreterNotFoundError, match=r"\(found: 3\.11\)"):
        machine.find("3.9.18")
    assert machine.ran() == []


def test_the_abi_must_match(machine: Machine) -> None:
    machine.pyenv("3.13.0", "3.13.0")
    machine.pyenv("3.13.0t", "3.13.0", flags="t")
    machine.pyenv("3.13.0-debug", "3.13.0", flags="d")
    assert machine.find("3.13.0", abi="cp313") == (".pyenv/versions/3.13.0/bin/python3", True)
    assert machine.find("3.13.0", abi="cp313t") == (".pyenv/versions/3.13.0t/bin/python3", True)
    assert machine.find("3.13.0", abi="cp313d") == (".pyenv/versions/3.13.0-debug/bin/python3", True)
    assert machine.find("3.13.0") == (".pyenv/versions/3.13.0/bin/python3", True)
    with pytest.raises(InterpreterNotFoundError, match=r"^debug free-threaded Python 3\.13\.0: not on this machine"):
        machine.find("3.13.0", abi="cp313td")


def test_pymalloc_is_no_difference(machine: Machine) -> None:
    machine.pyenv("3.7.16", "3.7.16", flags="m")
    assert machine.find("3.7.16", abi="cp37m") == (".pyenv/versions/3.7.16/bin/python3", True)


@pytest.mark.parametrize(("name", "place"), [("UV_PYTHON_INSTALL_DIR", "mine"), ("XDG_DATA_HOME", "mine/uv/python")])
def test_uv_may_keep_them_elsewhere(machine: Machine, name: str, place: str) -> None:
    path = machine.put(f"{place}/cpython-3.12.1+x-linux-x86_64-gnu/bin/python3", "3.12.1")
    folder = machine.root / "mine"
    machine.environ = {**machine.environ, name: str(folder)}
    assert machine.find("3.12.1") == (str(path.relative_to(machine.root)), True)


def test_pyenv_may_be_elsewhere(machine: Machine) -> None:
    machine.put("mine/versions/3.12.1/bin/python3", "3.12.1")
    machine.environ = {**machine.environ, "PYENV_ROOT": str(machine.root / "mine")}
    assert machine.find("3.12.1") == ("mine/versions/3.12.1/bin/python3", True)


def test_a_requested_path(machine: Machine) -> None:
    path = machine.put("odd/place/py", "3.9.18")
    assert machine.find("3.9.18", requested=str(path)) == ("odd/place/py", True)
    assert machine.find("3.9.17", requested=str(path)) == ("odd/place/py", False)
    assert machine.find("3.10.1", requested=str(path)) == ("odd/place/py", False)
    folder = machine.put("env/bin/python", "3.9.18").parents[1]
    assert machine.find("3.9.18", requested=str(folder)) == ("env/bin/python", True)


def test_a_requested_path_that_does_not_fit(machine: Machine) -> None:
    with pytest.raises(InterpreterNotFoundError, match=r"--python .*nowhere: does not start as a Python 3 interpreter"):
        machine.find("3.9.18", requested=str(machine.root / "nowhere"))
    path = machine.put("bin/pypy3", "3.9.18", implementation="pypy")
    with pytest.raises(InterpreterNotFoundError, match=r"is 3\.9\.18 pypy \(expected Python 3\.9\.18\)"):
        machine.find("3.9.18", requested=str(path))


def test_a_requested_version(machine: Machine) -> None:
    machine.pyenv("3.9.18", "3.9.18")
    machine.pyenv("3.9.1", "3.9.1")
    machine.pyenv("3.10.4", "3.10.4")
    assert machine.find("3.9.18", requested="3.9.1") == (".pyenv/versions/3.9.1/bin/python3", False)
    assert machine.find("3.9.18", requested="3.9") == (".pyenv/versions/3.9.18/bin/python3", True)
    assert machine.find("3.9.18", requested="3.10") == (".pyenv/versions/3.10.4/bin/python3", False)
    with pytest.raises(InterpreterNotFoundError) as caught:
        machine.find("3.9.18", requested="3.9.2")
    expected = "--python 3.9.2: no such interpreter on this machine (found: 3.9.1, 3.9.18, 3.10.4)"
    assert caught.value.message == expected


@pytest.mark.parametrize("version", ["2.7.18", "2.7"])
def test_python_2(machine: Machine, version: str) -> None:
    with pytest.raises(InterpreterNotFoundError, match="environments of Python 2 cannot be made"):
        machine.find(version)


def test_a_version_that_is_none(machine: Machine) -> None:
    with pytest.raises(
        InterpreterNotFoundError, match=r"interpreter 'three': not a Python version \(expected X\.Y\.Z\)"
    ):
        machine.find("three")


def test_nothing_fits(machine: Machine) -> None:
    machine.pyenv("3.10.4", "3.10.4")
    machine.pyenv("3.9.18", "3.9.18")
    with pytest.raises(InterpreterNotFoundError) as caught:
        machine.find("3.7.16")
    expected = "Python 3.7.16: not on this machine, nor any other 3.7 (found: 3.9.18, 3.10.4)"
    assert caught.value.message == expected
    assert str(caught.value.hint).startswith("Get one with: pyenv install 3.7.16")


def test_how_to_get_one() -> None:
    assert how_to_get("3.9.18").startswith("Get one with: uv python install 3.9.18, or: pyenv install 3.9.18")
    assert "uv python install" not in how_to_get("3.7.16")
    assert how_to_get("3.13.0", free_threaded=True).startswith("Get one with: uv python install 3.13.0t, or: pyenv")
    assert how_to_get("3.9", debug=True) == "Get one with: pyenv install 3.9 --debug. Or name one with --python PATH."
    assert _system_package("3.9", "darwin", frozenset()) == "brew install python@3.9"
    assert _system_package("3.9", "linux", frozenset({"fedora"})) == "dnf install python3.9"
    assert str(_system_package("3.9", "linux", frozenset({"ubuntu", "debian"}))).startswith("apt install python3.9 (")
    assert _system_package("3.9", "linux", frozenset({"alpine"})) is None


def test_a_real_interpreter_answers() -> None:
    version = sys.version.split()[0]
    found = find_interpreter(Interpreter(version=version), requested=BASE_PYTHON)
    assert (found.version, found.implementation, found.exact) == (version, sys.implementation.name, True)
    assert found.abi == f"cp{sys.version_info[0]}{sys.version_info[1]}{sys.abiflags}"


@pytest.mark.parametrize(("version", "abi"), [("3.6.15", "cp36m"), ("3.7.16", "cp37m"), ("3.13.0", "cp313")])
def test_old_and_new_interpreters_answer(version: str, abi: str) -> None:
    found = find_interpreter(Interpreter(version=version), requested=pyenv(version))
    assert (found.version, found.abi) == (version, abi)


def test_real_venvs_are_recognised(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    environ = {"PATH": str(tmp_path / "env" / "bin"), "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path)}
    with pytest.raises(InterpreterNotFoundError):
        find_interpreter(Interpreter(version=sys.version.split()[0]), environ=environ)
    assert shutil.which("python3", path=environ["PATH"])
