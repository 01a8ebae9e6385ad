"""Whole files of an index, placed only once their hash is right."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from envsync.errors import PackageIndexError
from envsync.http.urls import shown
from envsync.index.page import IndexFile
from envsync.index.transport import Answer, TooLargeError, Transport
from envsync.redaction import printable
from envsync.writing import discard_leftovers, temporary_name

_LARGEST = 16 << 30
_STRENGTH = ("sha512", "sha384", "sha256", "sha224", "blake2b", "blake2s", "sha1", "md5")
_PIECE = 1 << 20


def fetch_file(file: IndexFile, folder: Path, transport: Transport, *, offline: bool) -> Path:
    """Put a file into a folder, unless it is there already, and return its path.

    Raises:
        PackageIndexError: it cannot be had or written, or is not what the index tells.
    """
    target = folder / file.filename  # its grammar lets no separator in
    try:
        if target.is_file() and file.hashes and hash_of(target, _algorithm(file)) in file.hashes:
            return target
        folder.mkdir(parents=True, exist_ok=True)
        discard_leftovers(target)
        temporary = folder / temporary_name(target.name)
        try:
            _receive(file, temporary, transport, offline=offline)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PackageIndexError(f"{target}: cannot be written: {error.strerror}") from error
    return target


def _receive(file: IndexFile, temporary: Path, transport: Transport, *, offline: bool) -> None:
    if file.url.startswith("file:"):
        source = Path(unquote(urlsplit(file.url).path))
        if not source.is_file():
            raise PackageIndexError(f"{printable(str(source))}: no such file")
        shutil.copyfile(source, temporary)
        if file.hashes and hash_of(temporary, _algorithm(file)) not in file.hashes:
            raise _other_hash(file)
        return
    if offline:
        raise PackageIndexError(f"{file.filename}: not fetched: without the network")

    def receive(answer: Answer) -> None:
        if answer.status != 200:
            raise PackageIndexError(f"{shown(file.url)}: answers {answer.status}")
        with temporary.open("wb") as stream:
            _write(answer.pieces(), stream, file)

    transport.get(file.url, {}, receive)


def _write(pieces: Iterable[bytes], stream: IO[bytes], file: IndexFile) -> None:
    algorithm = _algorithm(file)
    hasher, size = hashlib.new(algorithm, usedforsecurity=False), 0
    limit = file.size if file.size is not None else _LARGEST
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLargeError(f"{shown(file.url)}: more than {limit} bytes")
        hasher.update(piece)
        stream.write(piece)
    if file.hashes and f"{algorithm}={hasher.hexdigest()}" not in file.hashes:
        raise _other_hash(file)


def _other_hash(file: IndexFile) -> PackageIndexError:
    return PackageIndexError(
        f"{shown(file.url)}: its {_algorithm(file)} is not the one that the index tells",
        hint="It was not kept. Something between here and the index alters files, or the index is damaged.",
    )


def _algorithm(file: IndexFile) -> str:
    known = {each.partition("=")[0] for each in file.hashes}
    return next((name for name in _STRENGTH if name in known), "sha256")


def hash_of(path: Path, algorithm: str) -> str:
    """``sha256=<hex>`` of a file on this machine."""
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            hasher.update(piece)
    return f"{algorithm}={hasher.hexdigest()}"
