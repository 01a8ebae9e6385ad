"""What old installers left, repacked: files are told otherwise, and a wheel's metadata is made."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from installer.sources import WheelFile
from packaging.requirements import Requirement

from envsync.wheel.parts import Repacked
from tests.build.making import pyenv
from tests.wheel.installed import installed, repacked, run, uv_install, venv

SETUP = """
from setuptools import Extension, setup
setup(
    name="odd.name", version="1.0-2", packages=["odd", "odd.name"], namespace_packages=["odd"],
    py_modules=["odd_module"], package_data={"odd.name": ["data.txt"]}, scripts=["odd-script"],
    headers=["odd.h"], data_files=[("share/odd", ["odd.conf"])], zip_safe=True,
    install_requires=["six>1"], extras_require={"more": ["attrs"], ":python_version < '3'": ["enum34"]},
    entry_points={"console_scripts": ["odd-command = odd_module:main"]},
    ext_modules=[Extension("_odd", ["_odd.c"])] if COMPILED else [],
)
"""
FILES = {
    "odd/__init__.py": "__import__('pkg_resources').declare_namespace(__name__)\n",
    "odd/name/__init__.py": "x = 1\n",
    "odd/name/data.txt": "é\n",
    "odd_module.py": "def main():\n    print('command')\n",
    "odd-script": "#!/usr/bin/python\nprint('script')\n",
    "odd.h": "#define ODD 1\n",
    "odd.conf": "[odd]\n",
    "_odd.c": """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_odd", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__odd(void) { return PyModule_Create(&module); }
""",
}
PURE = {
    "odd/name/__init__.py": b"x = 1\n",
    "odd/name/data.txt": "é\n".encode(),
    "odd_module.py": b"def main():\n    print('command')\n",
}
BESIDE = {
    "bin/odd-script": b"#!python\nprint('script')\n",
    "include/odd-name/odd.h": b"#define ODD 1\n",
    "share/odd/odd.conf": b"[odd]\n",
}


def project(folder: Path, *, compiled: bool) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "setup.py").write_text(SETUP.replace("COMPILED", str(compiled)))
    return folder


def quietly(*words: str | Path, cwd: Path, **environment: str) -> None:
    variables = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    variables.pop("PYTHONPATH", None)
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, cwd=cwd, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def old_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python 3.7, whose pip runs ``setup.py install`` where there is no wheel package."""
    folder = tmp_path_factory.mktemp("old-pip")
    run(pyenv("3.7.16"), "-m", "venv", folder / "venv")
    source = project(folder / "source", compiled=True)
    python = folder / "venv/bin/python"
    quietly(python, "-m", "pip", "install", "--no-index", "--no-deps", "--no-use-pep517", source, cwd=folder)
    return python


def test_an_sdist_by_an_old_pip(old_pip: Path, tmp_path: Path) -> None:
    wheel = repacked(old_pip, "odd.name", tmp_path / "wheels")
    assert wheel.how == "installed-files"
    # Up to 3.7, extension modules are linked with the library of an interpreter that has one.
    assert set(wheel.notes) <= {"needs libpython3.7m.so.1.0 of the system"}
    assert wheel.filename == f"odd_name-1.0.post2-cp37-cp37m-{wheel.platform}.whl"
    checked(wheel)
    run(pyenv("3.7.16"), "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    quietly(python, "-m", "pip", "install", "--no-index", "--no-deps", wheel.path, cwd=tmp_path)
    found = installed(python, "odd.name")
    (library,) = old_pip.parent.parent.glob("lib/python3.7/site-packages/_odd.*.so")
    assert PURE.items() | BESIDE.items() | {(library.name, library.read_bytes())} <= found.items()
    assert [name for name in found if name.endswith("-nspkg.pth")]
    assert run(python, "-c", "import _odd, odd.name; print(odd.name.x)") == "1\n"
    assert run(python.parent / "odd-script") == "script\n"
    assert run(python.parent / "odd-command") == "command\n"


@pytest.mark.parametrize("zipped", [True, False])
def test_an_egg(zipped: bool, tmp_path: Path) -> None:
    run(pyenv("3.7.16"), "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    source = project(tmp_path / "source", compiled=False)
    if not zipped:
        (source / "setup.py").write_text((source / "setup.py").read_text().replace("zip_safe=True", "zip_safe=False"))
    (source / "setup.cfg").write_text("[easy_install]\nno_deps = 1\n")
    quietly(python, "setup.py", "-q", "install", cwd=source)
    (egg,) = python.parent.parent.glob("lib/python3.7/site-packages/odd*.egg")
    assert egg.is_file() is zipped
    wheel = repacked(python, "odd.name", tmp_path / "wheels")
    assert (wheel.filename, wheel.how) == ("odd_name-1.0.post2-py3-none-any.whl", "top-level")
    checked(wheel)
    second = venv(tmp_path / "second")
    uv_install(second, "--offline", wheel.path)
    found = installed(second, "odd.name")
    assert PURE.items() <= found.items()
    assert found["bin/odd-script"].startswith(b"#!python\n")
    assert run(second.parent / "odd-script") == "script\n"
    assert run(second.parent / "odd-command") == "command\n"


def test_distutils(tmp_path: Path) -> None:
    """Nothing but a file ``NAME.egg-info``."""
    run(pyenv("3.7.16"), "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    source = tmp_path / "source"
    source.mkdir()
    (source / "plain.py").write_text("x = 1\n")
    (source / "setup.py").write_text(
        "from distutils.core import setup\nsetup(name='plain', version='1', py_modules=['plain'])"
    )
    quietly(python, "setup.py", "-q", "install", cwd=source)
    wheel = repacked(python, "plain", tmp_path / "wheels")
    assert (wheel.filename, wheel.how) == ("plain-1-py3-none-any.whl", "name")
    checked(wheel)
    second = venv(tmp_path / "second")
    uv_install(second, "--offline", wheel.path)
    assert run(second, "-c", "import plain; print(plain.x)") == "1\n"


def test_a_users_own(tmp_path: Path) -> None:
    """Below ``~/.local``."""
    source = project(tmp_path / "source", compiled=False)
    words = [pyenv("3.7.16"), "-m", "pip", "install", "--user", "--no-index", "--no-deps", "--no-use-pep517", source]
    quietly(*words, cwd=tmp_path, PYTHONUSERBASE=str(tmp_path / "user"))
    site = tmp_path / "user/lib/python3.7/site-packages"
    wheel = repacked(Path(pyenv("3.7.16")), "odd.name", tmp_path / "wheels", site)
    assert wheel.notes == ()
    checked(wheel)
    second = venv(tmp_path / "second")
    uv_install(second, "--offline", wheel.path)
    found = installed(second, "odd.name")
    assert PURE.items() | BESIDE.items() <= found.items()


def checked(wheel: Repacked) -> None:
    """The metadata, and what the reference and twine think of the wheel."""
    with WheelFile.open(wheel.path) as opened:
        opened.validate_record(validate_contents=True)
    run(sys.executable, "-m", "twine", "check", wheel.path)
    if wheel.filename.startswith("odd_name"):
        with zipfile.ZipFile(wheel.path) as archive:
            lines = archive.read("odd_name-1.0.post2.dist-info/METADATA").decode().splitlines()
        needed = {str(Requirement(line[15:])) for line in lines if line.startswith("Requires-Dist: ")}
        assert needed == {"six>1", 'enum34; python_version < "3"', 'attrs; extra == "more"'}
        assert "Provides-Extra: more" in lines
