"""Where wheels repacked from images are kept: by their hash in the cache, and in a folder that people share."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from envsync.errors import WheelhouseError
from envsync.model import ImageWheel
from envsync.writing import temporary_name, write_file

LINKS = "links.html"
"""A page in the shared folder that names its wheels with their hashes, as pip takes it for ``--find-links``."""

_CHUNK = 1 << 20
_LINK = re.compile(r"#sha256=([0-9a-f]{64})\">([A-Za-z0-9_.!+-]+\.whl)</a>")


class Wheelhouse:
    """Finds and keeps wheels; several processes may use one at the same moment."""

    def __init__(self, kept: Path, shared: Path | None = None) -> None:
        """``kept``: the folder of the cache, which this may fill; ``shared``: the user's own, filled as well."""
        self._kept = kept
        self._shared = shared

    @property
    def is_shared(self) -> bool:
        """Whether somebody named a folder for them."""
        return self._shared is not None

    def find(self, wheel: ImageWheel) -> Path | None:
        """The wheel with this hash; ``None`` where it is not at hand. Who installs it compares its hash once more."""
        places = [self._place(wheel.filename, wheel.sha256)]
        if self._shared is not None:
            places.insert(0, self._shared / wheel.filename)
        for number, path in enumerate(places):
            try:
                same = path.stat().st_size == wheel.size
            except OSError:
                continue
            is_named_by_hash = number == len(places) - 1
            if same and (is_named_by_hash or sha256_of(path) == wheel.sha256):
                return path
        return None

    def add(self, made: Path, sha256: str) -> str | None:
        """Keep a wheel that was just made, and give it to the shared folder; returns what was not done there, and why.

        ``made`` lies in the folder of :meth:`workspace`.

        Raises:
            WheelhouseError: a folder cannot be written.
        """
        place = self._place(made.name, sha256)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            made.replace(place)
            return self._share(place, sha256)
        except OSError as error:
            raise WheelhouseError(
                f"{error.filename or place}: cannot be written: {error.strerror}",
                hint="Name another folder (--wheelhouse DIR), or leave wheels out: --wheels none.",
            ) from error

    def share(self, wheel: ImageWheel) -> str | None:
        """Give a wheel that is at hand to the shared folder: see :meth:`add`."""
        path = self._place(wheel.filename, wheel.sha256)
        return self._share(path, wheel.sha256) if path.is_file() else None

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A fresh folder on the file system of the cache, removed at the end.

        Raises:
            WheelhouseError: it cannot be made, or filled.
        """
        folder = self._kept / temporary_name("workspace")
        try:
            folder.mkdir(parents=True, mode=0o700)
            yield folder
        except OSError as error:
            raise WheelhouseError(
                f"{error.filename or folder}: cannot be written: {error.strerror}",
                hint="ENVSYNC_CACHE_DIR names another folder for the cache; --wheels none makes no wheels.",
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _place(self, filename: str, sha256: str) -> Path:
        return self._kept / sha256 / filename

    def _share(self, path: Path, sha256: str) -> str | None:
        if self._shared is None:
            return None
        target = self._shared / path.name
        if target.is_file():
            if sha256_of(target) != sha256:
                return f"{target} has other contents and is left as it is"
            self._list(path.name, sha256)
            return None
        self._shared.mkdir(parents=True, exist_ok=True)
        temporary = self._shared / temporary_name(path.name)
        try:
            shutil.copyfile(path, temporary)
            os.replace(temporary, target)  # noqa: PTH105 - as the rest of this
        finally:
            temporary.unlink(missing_ok=True)
        self._list(path.name, sha256)
        return None

    def _list(self, filename: str, sha256: str) -> None:
        """Name a wheel of the shared folder, with its hash, on a page of links there.

        pip knows no hash of what merely lies in a folder, and would take the file of that version which an index has.
        """
        assert self._shared is not None  # noqa: S101 - the callers looked
        page = self._shared / LINKS
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        known = {name: digest for digest, name in _LINK.findall(text) if (self._shared / name).is_file()}
        if known.get(filename) == sha256:
            return
        known[filename] = sha256
        lines = [f'<a href="{quote(name)}#sha256={digest}">{name}</a><br>' for name, digest in sorted(known.items())]
        write_file(page, "\n".join(["<!DOCTYPE html>", *lines, ""]).encode())


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
