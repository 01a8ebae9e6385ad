"""The files of an image in a folder: an interpreter of pyenv below ``/opt/py``, and libraries that no machine has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec

from envsync.build.python.from_image import this_machine
from envsync.build.python.source import ImageFiles
from envsync.files import HostTree
from envsync.model import OperatingSystem, Snapshot
from envsync.reference import Platform
from tests.factory import snapshot

PLACE = "opt/py"
LIBRARIES = "opt/lib"
FIRST, SECOND, NOWHERE = "libenvsyncfirst.so.0", "libenvsyncsecond.so.1", "libenvsyncnowhere.so.1"
"""``_sqlite3`` needs the first, which needs the second; ``_bz2`` needs one that is not even in the image."""
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "site-packages", "*.a", "idlelib", "lib2to3", "pip")


class FolderTree(HostTree):
    """A :class:`envsync.files.SearchableTree`."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self._folder = root

    def search(self, pattern: str) -> tuple[PurePosixPath, ...]:
        matches = re.compile(pattern).fullmatch
        found = sorted(path for path in self._folder.rglob("*") if matches(path.name))
        return tuple(PurePosixPath("/", path.relative_to(self._folder)) for path in found)


class FolderImage:
    """An image whose files can be changed."""

    def __init__(self, root: Path, prefix: Path) -> None:
        self.root = root
        self.version = prefix.name
        self.minor = prefix.name.rpartition(".")[0]
        for name in ("bin", "lib", "include"):
            shutil.copytree(prefix / name, root / PLACE / name, symlinks=True, ignore=_LEFT_OUT)
        for path in (self.program, *(root / PLACE / "lib").glob("libpython?.*.so.*")):
            patchelf("--set-rpath", f"/{PLACE}/lib", path)
        (root / LIBRARIES).mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "etc" / "ld.so.conf").write_text(f"# comment\ninclude ld.so.conf.d/*.conf\n/{LIBRARIES}\n")
        first, second = self._library("_sqlite3", FIRST), self._library("zlib", SECOND)
        patchelf("--set-soname", FIRST, "--add-needed", SECOND, first)
        patchelf("--set-soname", SECOND, second)
        self._library("_bz2", NOWHERE).unlink()

    @property
    def program(self) -> Path:
        return self.root / PLACE / "bin" / f"python{self.minor}"

    def module(self, name: str) -> Path:
        (found,) = (self.root / PLACE / "lib").glob(f"python*/lib-dynload/{name}.*.so")
        return found

    def _library(self, module: str, soname: str) -> Path:
        """A copy of the library that a module needs, which the module needs by another name from now on."""
        path = self.module(module)
        told = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        old, real = next(
            (match[1], match[2])
            for match in re.finditer(r"(\S+) => (\S+)", told)
            if not match[1].startswith(("libc.", "libm.", "libpython", "libpthread"))
        )
        patchelf("--replace-needed", old, soname, path)
        return Path(shutil.copyfile(real, self.root / LIBRARIES / soname))

    def lock(self) -> Snapshot:
        here = this_machine()
        found = snapshot(
            platform=Platform(os="linux", architecture={"x86_64": "amd64", "aarch64": "arm64"}[here.cpu]),
            os=OperatingSystem(id="debian", libc=here.libc),
        )
        python = msgspec.structs.replace(
            found.python,
            version=self.version,
            executable=PurePosixPath("/", PLACE, "bin", f"python{self.minor}"),
            abi=f"cp{self.minor.replace('.', '')}",
        )
        return msgspec.structs.replace(found, interpreters=(python,))

    @contextmanager
    def open(self) -> Iterator[ImageFiles]:
        def extract(paths: Sequence[PurePosixPath], sink: Callable[[PurePosixPath, BinaryIO], None]) -> None:
            for path in paths:
                with (self.root / str(path)[1:]).open("rb") as stream:
                    sink(path, stream)

        yield ImageFiles(tree=FolderTree(self.root), extract=extract)


def patchelf(*words: str | Path) -> None:
    path = words[-1]
    assert isinstance(path, Path)
    path.chmod(0o755)
    subprocess.run([Path(sys.executable).parent / "patchelf", *words], check=True)
