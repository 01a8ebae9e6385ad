"""The image's own interpreter: real images, placed and run; and images that cannot run here."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec
import pytest
from uv import find_uv_bin

from envsync.build.python.from_image import Machine, from_image, refuse
from envsync.build.python.source import ImageFiles, NotProvidedError
from envsync.elf import parse_elf
from envsync.gather import read_snapshot
from envsync.image.archive import open_archive
from envsync.image_tree import wanted
from envsync.model import ImageSource, Libc, Snapshot
from envsync.reference import ArchiveFile, Platform, parse_reference
from envsync.rootfs import read_rootfs
from tests.imagekit.engine import save

HERE = Machine(system="linux", cpu="x86_64", libc=Libc(family="glibc", version="2.36"))


class Opened:
    """A saved image, and its snapshot."""

    def __init__(self, archive: Path) -> None:
        reference = parse_reference(f"docker-archive:{archive}")
        assert isinstance(reference, ArchiveFile)
        self._image = open_archive(reference, None)
        source = ImageSource(
            reference="acme/app:1", config_digest=self._image.config.digest, method="read", pulled_at="2024-01-01"
        )
        self.lock = read_snapshot(self._image, source, interpreter=None)
        self.opened = 0

    def close(self) -> None:
        self._image.close()

    @contextmanager
    def files(self) -> Iterator[ImageFiles]:
        self.opened += 1
        tree = read_rootfs(self._image, wanted())

        def extract(paths: Sequence[PurePosixPath], sink: Callable[[PurePosixPath, BinaryIO], None]) -> None:
            for path in paths:
                sink(path, io.BytesIO(tree.read(path)))

        yield ImageFiles(tree=tree, extract=extract)


@pytest.fixture
def opened_image() -> Iterator[Callable[[str], Opened]]:
    made: list[Opened] = []

    def open_one(tag: str) -> Opened:
        made.append(Opened(save(tag)))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.mark.engine
@pytest.mark.parametrize("name", ["slim", "old37", "debian_system"])
def test_the_interpreter_of_an_image_runs_here(
    name: str, image: Callable[[str], str], opened_image: Callable[[str], Opened], tmp_path: Path
) -> None:
    opened = opened_image(image(name))
    events: list[object] = []
    python = from_image(opened.lock, cache=tmp_path, open_image=opened.files, on_event=events.append)
    assert (python.version, python.abi, python.source) == (
        opened.lock.python.version,
        opened.lock.python.abi,
        "image",
    )
    place = python.path.parents[1]
    assert place.parent == tmp_path / "pythons"
    for path in place.rglob("*.so*"):
        elf = parse_elf(path.read_bytes())
        assert elf is None or all(one.startswith("$ORIGIN") for one in (*elf.rpath, *elf.runpath)), path
    said = _run(python.path, "import ssl, sqlite3, ctypes, sys, sysconfig; print(sys.prefix); print(sys.path)")
    assert said.splitlines()[0] == str(place)
    assert "dist-packages" not in said
    variable = _run(python.path, "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))")
    assert variable.startswith(str(place))
    # uv no longer makes environments of Python 3.7; Debian's has no ensurepip.
    if name != "old37":
        env = tmp_path / "by-uv"
        subprocess.run([find_uv_bin(), "venv", "-q", "--no-project", "--python", python.path, env], check=True)
        assert _prefixes(env) == [str(env), str(place)]
    env = tmp_path / "by-venv"
    options = ["--without-pip"] if name == "debian_system" else []
    subprocess.run([python.path, "-I", "-m", "venv", *options, env], check=True)
    assert _prefixes(env) == [str(env), str(place)]
    again = from_image(opened.lock, cache=tmp_path, open_image=None, on_event=events.append)
    assert (again, opened.opened) == (python, 1)


def _run(python: Path, program: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run([python, "-B", "-c", program], capture_output=True, text=True, check=True, env=environ)
    return done.stdout


def _prefixes(env: Path) -> list[str]:
    program = "import ssl, sys; print(sys.prefix); print(sys.base_prefix)"
    return _run(env / "bin" / "python", program).split()


@pytest.fixture
def lock(slim_image: str, opened_image: Callable[[str], Opened]) -> Snapshot:
    return opened_image(slim_image).lock


def _python(lock: Snapshot, **changes: object) -> Snapshot:
    return msgspec.structs.replace(lock, interpreters=(msgspec.structs.replace(lock.python, **changes),))


@pytest.mark.engine
def test_what_cannot_run_here_is_refused(lock: Snapshot) -> None:
    refuse(lock, HERE)
    replace = msgspec.structs.replace
    musl, new = Libc(family="musl", version="1.2.5"), Libc(family="glibc", version="2.99")
    cases = [
        (
            replace(lock, platform=Platform.parse("linux/arm64")),
            HERE,
            "image is for aarch64, and this machine is x86_64",
        ),
        (replace(lock, os=replace(lock.os, libc=musl)), HERE, "the image has musl, and this machine glibc"),
        (
            replace(lock, os=replace(lock.os, libc=new)),
            HERE,
            "this machine's glibc 2.36 is older than the image's 2.99",
        ),
        (lock, Machine(system="darwin", cpu="x86_64"), "the image is for linux, and this machine runs darwin"),
        (_python(lock, version="2.7.18"), HERE, "environments of Python 2 cannot be made"),
        (replace(lock, platform=None), HERE, "does not say for which platform"),
        (replace(lock, os=None), HERE, "the C library of the image is not known"),
    ]
    for changed, machine, text in cases:
        with pytest.raises(NotProvidedError, match=text):
            refuse(changed, machine)


@pytest.mark.engine
def test_an_image_that_is_not_at_hand_or_is_not_what_the_lock_says(
    slim_image: str, opened_image: Callable[[str], Opened], tmp_path: Path
) -> None:
    opened = opened_image(slim_image)
    with pytest.raises(NotProvidedError, match="the image is not at hand"):
        from_image(opened.lock, cache=tmp_path, open_image=None, on_event=print)
    absent = _python(opened.lock, executable=PurePosixPath("/opt/none/bin/python"))
    with pytest.raises(NotProvidedError, match=r"/opt/none/bin/python: .*\(expected the interpreter\)"):
        from_image(absent, cache=tmp_path, open_image=opened.files, on_event=print)
    other = _python(opened.lock, version="3.9.17")
    with pytest.raises(NotProvidedError, match=r"run here, is cpython 3\.9\.18 \(expected 3\.9\.17\)"):
        from_image(other, cache=tmp_path, open_image=opened.files, on_event=print)
    assert list((tmp_path / "pythons").iterdir()) == []
