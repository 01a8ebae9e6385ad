"""A site-packages folder written by the test itself, repacked."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from envsync.catalog.distributions import find_distributions
from envsync.files import FileReadError, HostTree
from envsync.model import Distribution, Interpreter
from envsync.wheel.files import files_of, small_files
from envsync.wheel.parts import Files, Repacked
from envsync.wheel.repack import repack

SITE = "/usr/lib/python3.9/site-packages"
WHEEL = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Tree(HostTree):
    """Files below a folder, as an image's: links lead nowhere else, for the tests have none that do."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.root = root

    def open(self, path: PurePosixPath) -> BinaryIO:
        try:
            return (self.root / str(path).lstrip("/")).open("rb")
        except OSError as error:
            raise FileReadError(f"{path}: cannot be read: {error.strerror}") from error


def row(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


def write(root: Path, files: Mapping[str, bytes]) -> Tree:
    """Write files below ``root``, each relative to site-packages unless absolute."""
    for name, data in files.items():
        path = root / f"{name if name.startswith('/') else f'{SITE}/{name}'}".lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Tree(root)


def wheel_tree(root: Path, files: Mapping[str, bytes] = {}, record: str = "", version: str = "1.0") -> Tree:
    """``six`` as an installer leaves it; ``record`` is added to its RECORD."""
    own = {f"six-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: six\nVersion: {version}\n".encode()}
    own |= {f"six-{version}.dist-info/WHEEL": WHEEL, "six.py": b"x = 1\n"}
    own |= files
    text = "".join(row(name, data) for name, data in own.items() if not name.startswith("/")) + record
    own[f"six-{version}.dist-info/RECORD"] = text.encode("utf-8", "surrogateescape")
    return write(root, own)


def look(tree: Tree, *folders: str) -> Interpreter:
    places = [PurePosixPath(SITE), *(PurePosixPath(f"{SITE}/{folder}") for folder in folders)]
    found, _ = find_distributions(tree, places)
    return Interpreter(
        version="3.9.18",
        abi="cp39",
        platform_tag="manylinux_2_31_x86_64",
        prefix=PurePosixPath("/usr"),
        distributions=found,
    )


def told(tree: Tree, *folders: str, name: str | None = None, **changed: object) -> Files:
    import msgspec

    interpreter = look(tree, *folders)
    one = msgspec.structs.replace(_one(interpreter, name), **changed)
    small_files(one, interpreter, tree)
    return files_of(one, interpreter, tree)


def made(tree: Tree, folder: Path, *folders: str, name: str | None = None) -> Repacked:
    interpreter = look(tree, *folders)
    one = _one(interpreter, name)
    folder.mkdir(exist_ok=True)
    return repack(files_of(one, interpreter, tree), one, interpreter, tree, folder)


def contents(wheel: Repacked) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel.path) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        assert names[-1].endswith(".dist-info/RECORD")
        return {name: archive.read(name) for name in names}


def targets(files: Files) -> list[str]:
    return [file.target for file in files.files]


def _one(interpreter: Interpreter, name: str | None) -> Distribution:
    return next(one for one in interpreter.distributions if name in (None, one.name))
