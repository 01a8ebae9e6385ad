"""``snapshot.json``: the model as JSON, deterministic on the way out and validated on the way in.

The format is described in ``docs/lock-format.md`` and by ``docs/schemas/snapshot.schema.json``.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import msgspec

from envsync.errors import LockError, ReferenceSyntaxError
from envsync.model import SCHEMA_VERSION, Snapshot
from envsync.reference import Digest


class _Versioned(msgspec.Struct):
    schema: int


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The bytes of ``snapshot.json``: UTF-8, two spaces, fields in the model's order, a final newline.

    What would move a cursor or turn text around, where somebody looks at the file, is written as JSON's escapes.
    """
    return msgspec.json.format(escape_controls(msgspec.json.encode(snapshot, enc_hook=to_json)), indent=2) + b"\n"


# DEL, C1, and the format characters of Unicode; C0 must be escaped in JSON anyway. Not by unicodedata: the bytes of a
# lock do not depend on which Python wrote it.
_CONTROLS = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)


def escape_controls(document: bytes) -> bytes:
    """A JSON document whose strings say the same, without characters that control a terminal."""
    if document.isascii() and b"\x7f" not in document:
        return document
    return _CONTROLS.sub(_escaped, document.decode()).encode()


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def decode_snapshot(data: bytes, where: str) -> Snapshot:
    """Parse ``snapshot.json``; ``where`` names it in errors.

    Raises:
        LockError: damaged (the message names the key path), or of a newer schema.
    """
    damaged = "Restore the lock from version control, or run envsync pull again."
    try:
        version = msgspec.json.decode(data, type=_Versioned).schema
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LockError(f"{where}: damaged: {error}", hint=damaged) from error
    if version > SCHEMA_VERSION:
        raise LockError(
            f"{where}: written by a newer envsync: schema {version} (this one reads up to {SCHEMA_VERSION})",
            hint="Upgrade envsync: python -m pip install --upgrade envsync",
        )
    try:
        snapshot = msgspec.json.decode(data, type=Snapshot, dec_hook=from_json)
    except (msgspec.MsgspecError, ReferenceSyntaxError, UnicodeDecodeError, RecursionError) as error:
        raise LockError(f"{where}: damaged: {error}", hint=damaged) from error
    if not snapshot.interpreters:
        raise LockError(f"{where}: damaged: no interpreter - at `$.interpreters`", hint=damaged)
    # What is written from it is of today's schema, which only adds to older ones.
    return msgspec.structs.replace(snapshot, schema=SCHEMA_VERSION)


def snapshot_schema() -> dict[str, Any]:
    """The JSON Schema of ``snapshot.json``."""
    return msgspec.json.schema(Snapshot, schema_hook=to_schema)


def to_json(value: object) -> str:
    """msgspec hook: how paths and digests are written."""
    if isinstance(value, PurePosixPath | Digest):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def from_json(kind: type, value: object) -> object:
    """msgspec hook: the validating parser of paths and digests."""
    if not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
    if kind is PurePosixPath:
        return PurePosixPath(value)
    if kind is Digest:
        try:
            return Digest(value)
        except ReferenceSyntaxError as error:
            raise ValueError(error.message) from error
    raise NotImplementedError(kind.__name__)


def to_schema(kind: type) -> dict[str, Any]:
    """msgspec hook: the JSON Schema of paths and digests."""
    if kind is Digest:
        return {"type": "string", "pattern": "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"}
    if kind is PurePosixPath:
        return {"type": "string", "description": "a POSIX path"}
    raise NotImplementedError(kind.__name__)
