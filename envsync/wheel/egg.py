"""What is inside a zipped egg: https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from envsync.wheel.parts import MOST_FILES, RepackError

_ENTRY = b"PK\x01\x02"
"""Begins each entry of a zip file's directory."""
_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError)


def members(data: bytes, where: str) -> Iterator[tuple[str, int, bool]]:
    """Name, size and whether it is executable of each file in an egg.

    Raises:
        RepackError: not a zip file, damaged, or with too many files.
    """
    import io

    if data.count(_ENTRY) > MOST_FILES:
        raise RepackError(f"{where}: more than {MOST_FILES} files in a zipped egg")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    _check(info, where)
                    yield info.filename, info.file_size, bool(info.external_attr >> 16 & 0o111)
    except _ERRORS as error:
        raise RepackError(f"{where}: not a zipped egg, or a damaged one") from error


def _check(info: zipfile.ZipInfo, where: str) -> None:
    # What zipimport can read. Python's own decompressor for LZMA has errors of its own, and takes any memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RepackError(f"{where}: {info.filename}: compressed in a way that no egg is")


def open_egg(stream: BinaryIO, where: str) -> zipfile.ZipFile:
    """An egg, to be opened once however many of its files are read: its whole directory is read each time.

    Raises:
        RepackError: not a zip file, or a damaged one.
    """
    try:
        return zipfile.ZipFile(stream)
    except _ERRORS as error:
        raise RepackError(f"{where}: not a zipped egg, or a damaged one") from error


@contextmanager
def member_of(archive: zipfile.ZipFile, name: str, where: str) -> Iterator[IO[bytes]]:
    """One file of an egg.

    Raises:
        RepackError: the egg is damaged; also while the file is read.
    """
    import zlib

    try:
        info = archive.getinfo(name)
        _check(info, where)
        with archive.open(info) as content:
            yield content
    except (*_ERRORS, KeyError, zlib.error) as error:
        raise RepackError(f"{where}: {name}: damaged") from error


@contextmanager
def open_member(stream: BinaryIO, name: str, where: str) -> Iterator[IO[bytes]]:
    """One file of an egg of which no other is wanted.

    Raises:
        RepackError: the egg is damaged; also while the file is read.
    """
    with open_egg(stream, where) as archive, member_of(archive, name, where) as content:
        yield content
