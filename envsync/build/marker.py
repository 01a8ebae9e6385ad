"""``ENV/envsync.json``: which lock an environment is the twin of. Its presence says that envsync made it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from envsync import __version__
from envsync.build.plan import FromIndex, NotReproducible, Plan
from envsync.errors import LockError, ReferenceSyntaxError
from envsync.model import ImageSource, ListSource, Record, Snapshot
from envsync.names import normalized
from envsync.reference import Digest
from envsync.writing import write_file

MARKER_NAME = "envsync.json"
MARKER_SCHEMA = 1
_LIMIT = 4 * 1024 * 1024


class LockIdentity(Record, frozen=True, kw_only=True):
    """Which lock, and what it was made from."""

    reference: str
    """The image as a user types it."""
    digest: Digest | None = None
    """Of the image's manifest; ``None`` where it never came from a registry, or no image was seen."""
    config_digest: Digest | None = None
    """The image ID; ``None`` of a published list."""
    published_list: bool = False
    """No image was seen, only a list that somebody published."""
    snapshot: Digest
    """SHA-256 of the lock's ``snapshot.json``."""
    directory: str
    """The lock directory, relative or absolute as the user gave it."""

    @classmethod
    def of(cls, lock: Snapshot, *, snapshot_json: bytes, directory: Path | str) -> LockIdentity:
        """Describe the lock read from ``directory``, whose ``snapshot.json`` holds ``snapshot_json``.

        Raises:
            LockError: the snapshot is of a local environment.
        """
        digest = Digest(f"sha256:{hashlib.sha256(snapshot_json).hexdigest()}")
        match lock.source:
            case ImageSource(reference=reference, digest=manifest, config_digest=config):
                return cls(
                    reference=reference,
                    digest=manifest,
                    config_digest=config,
                    snapshot=digest,
                    directory=str(directory),
                )
            case ListSource(reference=reference):
                return cls(reference=reference, published_list=True, snapshot=digest, directory=str(directory))
        raise LockError(f"{directory}: describes a local environment (expected the lock of an image)")


class Marker(Record, frozen=True, kw_only=True):
    """What envsync made, and where."""

    schema: int = MARKER_SCHEMA
    envsync: str = __version__
    environment: str
    """The absolute path it was made for: scripts inside name it, so a moved copy cannot be updated."""
    lock: LockIdentity
    python: str
    """The exact version of the interpreter in it."""
    backend: str
    not_reproducible: tuple[NotReproducible, ...] = ()


class _Schema(msgspec.Struct):
    schema: int


def read_marker(env: Path) -> Marker | None:
    """The marker of an environment; ``None`` where envsync did not make it.

    Raises:
        LockError: the marker is damaged, unreadable or of a newer schema.
    """
    path = env / MARKER_NAME
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LockError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return parse_marker(data)
    except LockError as error:
        hint = error.hint or f"Delete {env} and make it again with envsync create."
        raise LockError(f"{path}: {error.message}", hint=hint) from error


def parse_marker(data: bytes) -> Marker:
    """Parse the bytes of a marker.

    Raises:
        LockError: the marker is damaged or of a newer schema.
    """
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema > MARKER_SCHEMA:
            raise LockError(
                f"schema {schema} is newer than this envsync knows (expected {MARKER_SCHEMA})",
                hint="Upgrade envsync: it was a newer one that made this environment.",
            )
        return msgspec.json.decode(data, type=Marker, dec_hook=_decode)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LockError(f"damaged: {error}") from error


def keep_marker(env: Path, marker: Marker) -> None:
    """Write the marker of an environment that is otherwise as it should be; nothing where it says the same already.

    Raises:
        WriteError: it cannot be written.
    """
    data = encode_marker(marker)
    if (env / MARKER_NAME).read_bytes() != data:
        write_file(env / MARKER_NAME, data)


def found_lacking(old: Marker, lock_id: LockIdentity, plan: Plan, *, now: str = "") -> tuple[NotReproducible, ...]:
    """What could not be had when the environment was made, as far as it was made from the same lock.

    ``now`` are the present circumstances: what was tried under others is worth another try.
    """
    known = old.not_reproducible if old.lock.snapshot == lock_id.snapshot else ()
    # Of these an index, or the image, has said just now that they are there.
    found = {normalized(p.name) for p in plan.makeable if not isinstance(p, FromIndex) or p.filename is not None}
    return tuple(
        one
        for one in known
        if one not in plan.not_reproducible and (one.tried == now if one.tried else normalized(one.name) not in found)
    )


def encode_marker(marker: Marker) -> bytes:
    """The bytes of ``envsync.json``: indented JSON that ends with a newline."""
    fields = {"schema": marker.schema, "envsync": marker.envsync, **msgspec.to_builtins(marker, enc_hook=str)}
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _decode(kind: type, value: object) -> object:
    if kind is Digest and isinstance(value, str):
        try:
            return Digest(value)
        except ReferenceSyntaxError as error:
            raise ValueError(str(error)) from error
    raise NotImplementedError(kind)
