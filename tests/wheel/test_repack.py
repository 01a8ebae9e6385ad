"""Wheels of files: what is kept as it is, what is written anew, what is noted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec
import pytest

from envsync.files import FileReadError
from envsync.wheel.files import files_of
from envsync.wheel.parts import RepackError
from envsync.wheel.repack import repack
from envsync.writing import WriteError
from tests.factory import source
from tests.wheel.trees import SITE, WHEEL, Tree, contents, look, made, row, wheel_tree

INFO = "six-1.0.dist-info"


def test_a_wheel_file_is_kept_as_it_is(tmp_path: Path) -> None:
    odd = WHEEL.replace(b"\n", b"\r\n") + b"Build: 3\r\n"
    wheel = made(wheel_tree(tmp_path, {f"{INFO}/WHEEL": odd}), tmp_path / "wheels")
    assert contents(wheel)[f"{INFO}/WHEEL"] == odd
    assert (wheel.filename, wheel.tags, wheel.notes) == ("six-1.0-3-py3-none-any.whl", ("py3-none-any",), ())
    assert (wheel.size, wheel.path) == (wheel.path.stat().st_size, tmp_path / "wheels" / wheel.filename)


@pytest.mark.parametrize("broken", [b"", b"Wheel-Version: 1.0\nTag: nonsense\n", b"Tag: py3-none-any\n"])
def test_a_wheel_file_that_says_too_little_is_written_anew(broken: bytes, tmp_path: Path) -> None:
    wheel = made(wheel_tree(tmp_path, {f"{INFO}/WHEEL": broken}), tmp_path / "wheels")
    assert wheel.notes == ("WHEEL: without tags: they are derived from the files",)
    assert contents(wheel)[f"{INFO}/WHEEL"] == (
        b"Wheel-Version: 1.0\nGenerator: envsync\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )


def test_files_changed_by_hand_are_taken_as_they_are(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, record=row("tuned.py", b"as it came\n"))
    (tmp_path / SITE.lstrip("/") / "tuned.py").write_bytes(b"as it is\n")
    wheel = made(tree, tmp_path / "wheels")
    assert wheel.patched == ("tuned.py",)
    files = contents(wheel)
    assert files["tuned.py"] == b"as it is\n"
    assert json.loads(files[f"{INFO}/envsync.json"]) == {"how": "record", "patched": ["tuned.py"], "schema": 1}


def test_the_image_is_named(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path)
    interpreter = look(tree)
    one = interpreter.distributions[0]
    image = source("acme/app:1")
    (tmp_path / "wheels").mkdir()
    wheel = repack(files_of(one, interpreter, tree), one, interpreter, tree, tmp_path / "wheels", image=image)
    assert json.loads(contents(wheel)[f"{INFO}/envsync.json"])["image"] == {
        "config": str(image.config_digest),
        "reference": "acme/app:1",
    }


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"#!/opt/py/bin/python3.9 -E\n", b"#!python\n"),
        (b"#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n' '''\n", b"#!python\n"),
        (b"#!/usr/bin/env python3\n", b"#!/usr/bin/env python3\n"),
        (b"#!/bin/sh\n", b"#!/bin/sh\n"),
    ],
)
def test_the_first_line_of_scripts(first: bytes, expected: bytes, tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, {"../../../bin/tool": first + b"rest\n", "tool.py": first})
    (tmp_path / "usr/bin/tool").chmod(0o755)
    wheel = made(tree, tmp_path / "wheels")
    files = contents(wheel)
    assert files["six-1.0.data/scripts/tool"] == expected + b"rest\n"
    assert files["tool.py"] == first
    modes = {info.filename: info.external_attr >> 16 for info in zipfile.ZipFile(wheel.path).infolist()}
    assert (modes["six-1.0.data/scripts/tool"], modes["tool.py"]) == (0o100755, 0o100644)


class Changing(Tree):
    """Files that are not as they were looked at."""

    def __init__(self, root: Path, data: bytes | None) -> None:
        super().__init__(root)
        self.data = data

    def open(self, path: PurePosixPath) -> BinaryIO:
        if path.name != "six.py":
            return super().open(path)
        if self.data is None:
            raise FileReadError(f"{path}: was not extracted from the image")
        (self.root / "other").write_bytes(self.data)
        return (self.root / "other").open("rb")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", f"{SITE}/six.py: not 6 bytes as when it was looked at"),
        (b"x = 100\n", f"{SITE}/six.py: not 6 bytes as when it was looked at"),
        (None, f"{SITE}/six.py: was not extracted from the image"),
    ],
)
def test_files_that_are_gone_or_changed(data: bytes | None, message: str, tmp_path: Path) -> None:
    wheel_tree(tmp_path)
    with pytest.raises(RepackError) as caught:
        made(Changing(tmp_path, data), tmp_path / "wheels")
    assert caught.value.message == message
    assert list((tmp_path / "wheels").iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path)
    interpreter = look(tree)
    one = interpreter.distributions[0]
    with pytest.raises(WriteError, match=r": cannot be written: No such file or directory$"):
        repack(files_of(one, interpreter, tree), one, interpreter, tree, tmp_path / "none")


def test_compiled_files(tmp_path: Path) -> None:
    """A file that begins as an ELF file and is none is a file like any other."""
    tree = wheel_tree(tmp_path, {f"{INFO}/WHEEL": b"", "_six.so": b"\x7fELF" + bytes(100)})
    wheel = made(tree, tmp_path / "wheels")
    assert (wheel.platform, wheel.tags) == (None, ("py3-none-any",))
    real = Path(msgspec._core.__file__ or "").read_bytes()
    tree = wheel_tree(tmp_path, {f"{INFO}/WHEEL": b"", "_six.so": real})
    wheel = made(tree, tmp_path / "wheels")
    assert wheel.platform is not None
    assert wheel.tags == (f"cp39-cp39-{wheel.platform}",)
    assert b"Root-Is-Purelib: false\n" in contents(wheel)[f"{INFO}/WHEEL"]


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, {"z.py": b"", "a/b.py": b"1"})
    first = made(tree, tmp_path / "one")
    second = made(tree, tmp_path / "two")
    assert (first.sha256, first.path.read_bytes()) == (second.sha256, second.path.read_bytes())
