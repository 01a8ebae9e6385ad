"""Libraries that this machine lacks come along, and what is installed beside the placed interpreter works."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from uv import find_uv_bin

from envsync.build.events import Event, Note
from envsync.build.python.from_image import STAMP, from_image
from envsync.build.python.provide import PythonOptions, provide_interpreter
from envsync.build.python.source import ImageFiles, NotProvidedError
from envsync.elf import parse_elf
from envsync.errors import ImageError
from tests.build.python.folder_image import FIRST, LIBRARIES, NOWHERE, PLACE, SECOND, FolderImage, patchelf
from tests.imagekit.machine import pyenv_python


@pytest.fixture
def folder(tmp_path: Path) -> FolderImage:
    return FolderImage(tmp_path / "image", pyenv_python("3.9"))


def _run(python: Path, program: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run([python, "-B", "-c", program], capture_output=True, text=True, check=True, env=environ)
    return done.stdout.strip()


def _from(folder: FolderImage, cache: Path, events: list[Event]) -> Path:
    return from_image(folder.lock(), cache=cache, open_image=folder.open, on_event=events.append).path.parents[1]


def test_a_library_that_this_machine_lacks_comes_along_with_those_that_it_needs(
    folder: FolderImage, tmp_path: Path
) -> None:
    patchelf("--remove-rpath", folder.module("_heapq"))
    events: list[Event] = []
    place = _from(folder, tmp_path / "cache", events)
    assert (place / "lib" / FIRST).is_file()
    assert (place / "lib" / SECOND).is_file()
    assert not (place / "lib" / NOWHERE).exists()
    program = "import sqlite3; print(sqlite3.connect(':memory:').execute('select 7').fetchone()[0])"
    assert _run(place / "bin" / "python3", program) == "7"
    module = next(place.glob("lib/python3.9/lib-dynload/_sqlite3.*.so"))
    elves = {path: parse_elf(path.read_bytes()) for path in (module, place / "lib" / FIRST)}
    assert [elf.runpath for elf in elves.values() if elf] == [("$ORIGIN/../..",), ("$ORIGIN",)]
    # What needs nothing of it is the image's, byte for byte.
    untouched = next(place.glob("lib/python3.9/lib-dynload/_heapq.*.so"))
    assert untouched.read_bytes() == (folder.root / PLACE / untouched.relative_to(place)).read_bytes()
    assert f'"{FIRST}"' in (place / STAMP).read_text()
    # _bz2 could not be imported in the image either.
    assert len([event for event in events if isinstance(event, Note)]) == 1


def test_a_library_for_another_machine_is_none(folder: FolderImage, tmp_path: Path) -> None:
    library = folder.root / LIBRARIES / SECOND
    data = bytearray(library.read_bytes())
    data[18] = 183  # e_machine: aarch64
    library.write_bytes(data)
    events: list[Event] = []
    place = _from(folder, tmp_path / "cache", events)
    assert not (place / "lib" / SECOND).exists()
    note = f"modules that the image's Python cannot import here: _sqlite3 ({SECOND}), sqlite3 ({SECOND})"
    assert note in [event.text for event in events if isinstance(event, Note)]


def test_symbols_of_a_newer_glibc_are_refused_before_anything_is_written(folder: FolderImage, tmp_path: Path) -> None:
    module = folder.module("math")
    data = module.read_bytes()
    assert b"\0GLIBC_2.29\0" in data
    module.write_bytes(data.replace(b"\0GLIBC_2.29\0", b"\0GLIBC_2.99\0"))
    with pytest.raises(NotProvidedError, match=r"^the image's Python needs glibc 2\.99, and this machine has 2\."):
        _from(folder, tmp_path / "cache", [])
    assert list((tmp_path / "cache" / "pythons").iterdir()) == []


def test_a_program_for_another_machine_is_refused(folder: FolderImage, tmp_path: Path) -> None:
    data = bytearray(folder.program.read_bytes())
    data[18] = 183
    folder.program.write_bytes(data)
    with pytest.raises(NotProvidedError, match=r"/opt/py/bin/python3\.9: "):
        _from(folder, tmp_path / "cache", [])
    assert list((tmp_path / "cache" / "pythons").iterdir()) == []


def test_a_program_that_does_not_start_is_not_kept(folder: FolderImage, tmp_path: Path) -> None:
    patchelf("--add-needed", NOWHERE, folder.program)
    with pytest.raises(NotProvidedError, match=f"does not start: .*{NOWHERE}"):
        _from(folder, tmp_path / "cache", [])
    assert list((tmp_path / "cache" / "pythons").iterdir()) == []


@contextmanager
def _gone() -> Iterator[ImageFiles]:
    raise ImageError("acme/app:1: not in the registry", hint="Pull it again.")
    yield


def test_an_image_that_cannot_be_opened_is_one_reason(folder: FolderImage, tmp_path: Path) -> None:
    with pytest.raises(NotProvidedError, match=r"^the image cannot be read: acme/app:1: not in the registry$"):
        from_image(folder.lock(), cache=tmp_path, open_image=_gone, on_event=print)


@pytest.mark.network
def test_numpy_in_an_environment_of_the_placed_interpreter(folder: FolderImage, tmp_path: Path) -> None:
    options = PythonOptions(requested="image", cache=tmp_path / "cache", open_image=folder.open)
    python = provide_interpreter(folder.lock(), options, lambda _event: None)
    env = tmp_path / "env"
    uv = [find_uv_bin(), "-q"]
    subprocess.run([*uv, "venv", "--no-project", "--python", python.path, env], check=True)
    install = ["pip", "install", "--python", env / "bin" / "python", "--only-binary", ":all:", "numpy==1.26.4"]
    subprocess.run([*uv, *install], check=True)
    said = _run(env / "bin" / "python", "import numpy, sys; print(numpy.ones(3).sum(), sys.base_prefix)")
    assert said == f"3.0 {python.path.parents[1]}"
