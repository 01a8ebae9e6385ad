"""Finding the files that describe installed distributions, as raw bytes."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec import Struct

from envsync.reference import Digest

FILES: tuple[str, ...] = (
    "METADATA",
    "PKG-INFO",
    "WHEEL",
    "direct_url.json",
    "INSTALLER",
    "REQUESTED",
    "entry_points.txt",
    "requires.txt",
)
"""Names inside a ``.dist-info``, ``.egg-info`` or ``EGG-INFO`` folder that are read; ``RECORD`` is only hashed."""


class DistributionFiles(Struct, frozen=True, kw_only=True):
    """What one installed distribution says of itself, as found."""

    location: PurePosixPath
    """The ``sys.path`` entry that makes it importable."""
    path: PurePosixPath
    """Its ``.dist-info`` or ``.egg-info`` (folder or file), or the ``EGG-INFO`` folder of an ``.egg``."""
    files: dict[str, bytes]
    """By name inside the folder, of :data:`FILES`; of an ``.egg-info`` file, itself as ``PKG-INFO``."""
    record: Digest | None
    """SHA-256 of the bytes of ``RECORD``."""
    layer: Digest | None = None
    """Diff ID of the layer that holds it."""
    editable_from: PurePosixPath | None = None
    """The project folder, where an ``.egg-link`` led to it."""
