from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.distribution_files import FILES as CATALOG_FILES
from envsync.catalog.distributions import find_distributions
from envsync.files import HostTree
from envsync.probe import describe as script
from envsync.probe.answered import AnsweredTree
from tests.probe.asking import NONCE, SOURCES, VERSIONS, between, describe, find, printed, pyenv_python

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(JSON)
def test_what_is_written_is_json(value: Any) -> None:
    pieces: list[str] = []
    script.dump(value, pieces)
    assert "".join(pieces).isascii()
    assert json.loads("".join(pieces)) == value


@given(st.text(), st.binary())
def test_any_text_can_be_written(text: str, data: bytes) -> None:
    pieces: list[str] = []
    script.dump([os.fsdecode(data), data], pieces)
    assert json.loads("".join(pieces)) == [data.decode("utf-8", "replace")] * 2


@given(st.binary(), st.binary(), st.binary())
def test_a_document_is_found_between_its_marks(before: bytes, document: bytes, after: bytes) -> None:
    framed = before + b"\nf00d<\n" + document + b"\nf00d>\n" + after
    if b"f00d" not in before + document + after:
        assert script.framed(framed, NONCE) == document
        assert script.framed(before + document + after, NONCE) is None


def test_the_script_fits_on_a_command_line() -> None:
    # Linux accepts 128 KiB for one argument.
    assert all(len(source) < 100_000 and source.isascii() for source in SOURCES)


def test_the_catalog_asks_for_no_other_files() -> None:
    assert set(script.FILES) == {*CATALOG_FILES, "RECORD"}


@pytest.mark.parametrize("minor", VERSIONS)
def test_each_python_describes_itself(minor: str) -> None:
    python = pyenv_python(minor)
    told = describe(python)
    prefix = str(python.parents[1])
    assert told.version == python.parents[1].name
    assert told.implementation == "cpython"
    assert told.executable == str(python)
    assert told.prefix == told.base_prefix == told.real_prefix == prefix
    assert not told.externally_managed
    assert told.libc is not None
    assert told.libc.startswith("glibc 2.")
    assert f"{prefix}/lib/python{minor}/site-packages" in told.path
    assert "" not in told.path
    assert os.getcwd() not in told.path  # noqa: PTH109
    assert told.pip is not None
    assert told.pip.freeze.problem is None
    assert f"pip=={told.pip.version.output.split()[1]}" in told.pip.freeze.output.splitlines()


@pytest.mark.parametrize("minor", VERSIONS)
def test_the_files_sent_are_those_that_the_catalog_reads(minor: str) -> None:
    told = describe(pyenv_python(minor))
    path = [PurePosixPath(entry) for entry in told.path]
    sent = find_distributions(AnsweredTree(told.files), path, python=told.version)
    assert sent == find_distributions(HostTree(), path, python=told.version)
    assert sent[0]


@pytest.mark.parametrize("minor", ["2.7", "3.6", "3.13"])
def test_the_working_folder_changes_nothing(minor: str, tmp_path: Path) -> None:
    for name in ("os", "re", "base64", "subprocess", "sysconfig", "threading", "pip", "runpy", "ctypes", "time"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')\n")
    told = describe(pyenv_python(minor), cwd=tmp_path)
    assert str(tmp_path) not in told.path
    assert told.pip is not None
    assert told.pip.freeze.problem is None


@pytest.mark.parametrize("minor", ["2.7", "3.7", "3.13"])
def test_what_start_up_prints_does_no_harm(minor: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "sys.stdout.write('{\"garbage\": ')\n"
        "atexit.register(sys.stdout.write, 'more garbage\\n')\n"
        "sys.stderr.write('warning\\n')\n"
    )
    out, err = printed(pyenv_python(minor), "describe", NONCE, "30", env={"PYTHONPATH": str(tmp_path)})
    assert b"garbage" in out
    assert b"warning" in err
    assert json.loads(between(out))["version"].startswith(minor)


def test_variables_of_the_image_are_heeded(tmp_path: Path) -> None:
    env = {"PYTHONPATH": f"{tmp_path}:relative", "PYTHONNOUSERSITE": "1", "PYTHONINSPECT": "1"}
    told = describe(pyenv_python("3.9"), env=env, cwd=tmp_path)
    assert told.path[:2] == (str(tmp_path), f"{tmp_path}/relative")


def test_a_free_threaded_or_debug_build_would_say_so() -> None:
    told = describe(pyenv_python("3.13"))
    assert (told.free_threaded, told.debug, told.pymalloc) == (False, False, True)
    assert told.soabi is not None
    assert told.soabi.startswith("cpython-313-")


def test_distributions_of_all_shapes(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for folder, name in {
        "a-1.dist-info": "METADATA",
        "b-1.egg-info": "PKG-INFO",
        "Egg.egg/EGG-INFO": "PKG-INFO",
    }.items():
        (site / folder).mkdir(parents=True)
        (site / folder / name).write_text(f"Name: {folder[0]}\nVersion: 1\n")
        (site / folder / "unrelated").write_text("x")
    (site / "c-1.egg-info").write_text("Name: c\nVersion: 1\n")
    (site / "fifo-1.dist-info").mkdir()
    os.mkfifo(site / "fifo-1.dist-info" / "METADATA")
    (site / "loop-1.dist-info").symlink_to("loop-1.dist-info")
    (site / "d.egg-link").write_text("/somewhere/d\n.")
    project = tmp_path / "project"
    project.mkdir()
    (site / "e.egg-link").write_text(f"{project}\n.")
    told = describe(pyenv_python("3.9"), env={"PYTHONPATH": f"{site}:{site}/Egg.egg"}, seconds=1)
    sent = {str(PurePosixPath(path).relative_to(tmp_path)) for path in told.files if path.startswith(f"{tmp_path}/")}
    assert sent == {
        "project",
        "site",
        "site/Egg.egg",
        "site/Egg.egg/EGG-INFO",
        "site/Egg.egg/EGG-INFO/PKG-INFO",
        "site/a-1.dist-info",
        "site/a-1.dist-info/METADATA",
        "site/b-1.egg-info",
        "site/b-1.egg-info/PKG-INFO",
        "site/c-1.egg-info",
        "site/d.egg-link",
        "site/e.egg-link",
        "site/fifo-1.dist-info",
        "site/fifo-1.dist-info/METADATA",
        "site/loop-1.dist-info",
    }
    assert told.files[f"{site}/a-1.dist-info/METADATA"].data == b"Name: a\nVersion: 1\n"
    assert told.files[f"{site}/fifo-1.dist-info/METADATA"].kind == "other"
    assert told.pip is not None
    assert told.pip.freeze.problem == "still running after 1 s"  # it waits for the other end of the pipe
    assert told.files[f"{site}/loop-1.dist-info"].error == "Too many levels of symbolic links"


def test_a_file_that_is_too_large_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "a-1.dist-info").mkdir()
    with (tmp_path / "a-1.dist-info" / "METADATA").open("wb") as stream:
        stream.truncate(script.FILE_LIMIT + 1)
    told = describe(pyenv_python("3.9"), env={"PYTHONPATH": str(tmp_path)})
    note = told.files[f"{tmp_path}/a-1.dist-info/METADATA"]
    assert (note.data, note.error) == (None, f"too large to be sent: {script.FILE_LIMIT + 1} bytes")


# --- finding -----------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Names of Python 3.9 and 3.13, a virtual environment, and things that are none."""
    for minor in ("3.9", "3.13"):
        (tmp_path / minor).symlink_to(pyenv_python(minor))
    names = tmp_path / "bin"
    names.mkdir()
    (names / "python").symlink_to(tmp_path / "3.9")
    (names / "python3").symlink_to("python")
    (names / "python3.13").symlink_to(tmp_path / "3.13")
    subprocess.run([pyenv_python("3.13"), "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "python3").mkdir(parents=True)
    (elsewhere / "python").write_text("#!/bin/sh\nexit 0\n")
    (elsewhere / "python").chmod(0o755)
    (elsewhere / "python2").symlink_to("missing")
    (elsewhere / "python3.8").write_bytes(b"\x7fELF\2\1\1" + bytes(57))
    (elsewhere / "python3.8").chmod(0o755)
    (elsewhere / "python3.7").write_bytes(b"\x7fELF, not executable")
    packed = tmp_path / "pkgs" / "python-3.9-0"
    (packed / "bin").mkdir(parents=True)
    (packed / "bin" / "python3.9").symlink_to(tmp_path / "3.9")
    (packed / "info").mkdir()
    (packed / "info" / "index.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("minor", ["2.7", "3.6", "3.13"])
def test_interpreters_are_found(minor: str, root: Path) -> None:
    found = find(pyenv_python(minor), root, env={"PATH": f"{root}/elsewhere:{root}/bin"})
    assert [(asked.names, asked.text is not None) for asked in found.interpreters] == [
        ((f"{root}/bin/python", f"{root}/bin/python3"), True),
        ((f"{root}/bin/python3.13",), True),
        ((f"{root}/elsewhere/python3.8",), False),
        ((f"{root}/venv/bin/python", f"{root}/venv/bin/python3", f"{root}/venv/bin/python3.13"), True),
    ]
    assert found.interpreters[2].problem == "cannot be started: Exec format error"
    assert [(command.name, command.path, command.leads_to) for command in found.commands] == [
        ("python", f"{root}/elsewhere/python", None),
        ("python", f"{root}/bin/python", f"{root}/bin/python"),
        ("python3", f"{root}/bin/python3", f"{root}/bin/python3"),
        ("python3.13", f"{root}/bin/python3.13", f"{root}/bin/python3.13"),
        ("python3.8", f"{root}/elsewhere/python3.8", f"{root}/elsewhere/python3.8"),
    ]


def test_a_script_that_starts_a_python_is_followed(root: Path) -> None:
    shims = root / "shims"
    shims.mkdir()
    (shims / "python").write_text(f'#!/bin/sh\nexec {root}/bin/python3.13 "$@"\n')
    (shims / "python").chmod(0o755)
    found = find(pyenv_python("3.9"), root / "bin", env={"PATH": str(shims)})
    assert found.commands[0].leads_to == f"{root}/bin/python3.13"
    chosen = find(pyenv_python("3.9"), root / "bin", chosen=str(shims / "python"))
    assert chosen.chosen == chosen.interpreters[0].names[0] == f"{root}/bin/python3.13"


def test_one_that_hangs_does_not_stop_the_others(root: Path) -> None:
    (root / "venv/lib/python3.13/site-packages/hang.pth").write_text("import time; time.sleep(100)\n")
    began = time.monotonic()
    found = find(pyenv_python("3.9"), root, seconds=6)
    assert time.monotonic() - began < 10
    problems = {asked.names[0]: asked.problem for asked in found.interpreters}
    assert problems[f"{root}/bin/python"] is None
    assert str(problems[f"{root}/venv/bin/python"]).startswith("still running after ")


def test_one_that_crashes_is_told_by_its_last_words(root: Path) -> None:
    site = root / "venv/lib/python3.13/site-packages"
    (site / "crash.pth").write_text("import os, sys; sys.stderr.write('first\\nlast words\\n'); os._exit(7)\n")
    found = find(pyenv_python("3.9"), root)
    problems = {asked.names[0]: asked.problem for asked in found.interpreters}
    assert problems[f"{root}/venv/bin/python"] == "exit status 7: last words"
    (site / "crash.pth").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n")
    found = find(pyenv_python("3.9"), root)
    problems = {asked.names[0]: asked.problem for asked in found.interpreters}
    assert problems[f"{root}/venv/bin/python"] == "ended by signal 11"


def test_one_that_floods_is_ended(root: Path) -> None:
    flood = "import os; exec('while True: os.write(1, b\"x\" * 65536)')\n"
    (root / "venv/lib/python3.13/site-packages/flood.pth").write_text(flood)
    found = find(pyenv_python("3.9"), root, seconds=20)
    problems = {asked.names[0]: asked.problem for asked in found.interpreters}
    assert problems[f"{root}/venv/bin/python"] == "printed too much"


def test_the_system_around_them(root: Path) -> None:
    system = find(pyenv_python("3.9"), root / "bin", env={"PATH": "/usr/bin:/bin"}).system
    assert system.machine == os.uname().machine
    assert system.path == "/usr/bin:/bin"
    if Path("/usr/bin/dpkg-query").exists():
        expected = subprocess.run(["dpkg-query", "-W"], capture_output=True, text=True, check=True).stdout
        assert system.dpkg is not None
        assert len(system.dpkg.splitlines()) == len(expected.splitlines())
        assert "/var/lib/dpkg/status" not in system.files
