"""Modules of an image's own interpreter that were changed so that they find their libraries at another place.

Only the RUNPATH of them is another: what they were, and what they became, is noted beside the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from envsync.model.artifacts import Sha256

NAME = "envsync-relocated.json"
PREFIX = "image-"
"""How the folders of such interpreters begin: of no other is what lies in it believed."""
_LONGEST = 4 << 20
_MOST = 10_000


class Relocated(Struct, frozen=True, kw_only=True):
    """One file, by its SHA-256."""

    before: Sha256
    """In the image."""
    after: Sha256
    """Here, when it was placed."""


_Files = Annotated[dict[str, Relocated], Meta(max_length=_MOST)]


def encode_relocated(files: Mapping[str, Relocated]) -> bytes:
    """The bytes of the note: by path, relative to the folder of the interpreter."""
    return msgspec.json.format(msgspec.json.encode(dict(files))) + b"\n"


def parse_relocated(data: bytes) -> dict[str, Relocated]:
    """Read the note; a damaged one says nothing. Never raises."""
    try:
        return msgspec.json.decode(data, type=_Files)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def as_in_the_image(found: Mapping[str, bytes], sys_path: Iterable[PurePosixPath]) -> dict[str, bytes]:
    """Digests by path, of files that are still as they were placed those that they have in the image."""
    digests = dict(found)
    for folder in {entry.parents[1] for entry in sys_path if len(entry.parts) > 2}:
        if not folder.name.startswith(PREFIX):
            continue
        for name, file in _read(Path(folder)).items():
            path = f"{folder}/{name}"
            if digests.get(path) == bytes.fromhex(file.after):
                digests[path] = bytes.fromhex(file.before)
    return digests


def _read(folder: Path) -> dict[str, Relocated]:
    try:
        with (folder / NAME).open("rb") as stream:
            return parse_relocated(stream.read(_LONGEST))
    except OSError:
        return {}
