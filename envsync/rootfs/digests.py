"""SHA-256 digests of the files of a layer, taken as they stream past."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from envsync.contents import LONGEST_SCRIPT, normal_script

_DIGEST = 32


class FileDigests:
    """SHA-256 digests of files by the offset of their data, packed: 40 bytes each."""

    def __init__(self, offsets: bytes = b"", digests: bytes = b"") -> None:
        """What :attr:`packed` gave.

        Raises:
            ValueError: it is something else.
        """
        self._offsets = array("Q", offsets)
        self._digests = bytearray(digests)
        if len(self._digests) != len(self._offsets) * _DIGEST:
            raise ValueError("digests that are not one for each offset")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileDigests) and self.packed == other.packed

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def packed(self) -> tuple[bytes, bytes]:
        """Offsets in the byte order of the machine, and digests."""
        return self._offsets.tobytes(), bytes(self._digests)

    def add(self, offset: int, digest: bytes) -> None:
        """Add one; offsets only grow."""
        self._offsets.append(offset)
        self._digests += digest

    def get(self, offset: int) -> bytes | None:
        """The digest of the file at ``offset``, if it was hashed."""
        at = bisect_left(self._offsets, offset)
        if at == len(self._offsets) or self._offsets[at] != offset:
            return None
        return bytes(self._digests[at * _DIGEST : (at + 1) * _DIGEST])


def digest_of_pieces(pieces: Iterable[memoryview], path: str, size: int) -> bytes:
    """SHA-256 of a file; of a script in its normal form: see :func:`envsync.contents.normal_script`."""
    if size <= LONGEST_SCRIPT and "/bin/" in path:
        return hashlib.sha256(normal_script(b"".join(pieces))).digest()
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()
