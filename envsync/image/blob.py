"""Blobs that lie in files: a whole file, or a member of an archive. Read by offset, never unpacked."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from mmap import mmap
from pathlib import Path
from typing import IO

from msgspec import Struct

from envsync.errors import CorruptImageError, ImageError
from envsync.image.compression import CHUNK
from envsync.image.tarheader import BLOCK
from envsync.reference import Digest

_WINDOW = 1 << 17
"""Bytes read at a time where headers are looked for: some dozens of small files."""

_CHANGED = "It changed while it was read: try again once nothing writes to it."


class OpenFile:
    """A regular file, open for reading at any offset from any thread."""

    def __init__(self, stream: IO[bytes], place: str) -> None:
        """``place`` names the file in messages."""
        self._stream = stream
        self._stamp = self._now()
        self.place = place

    @classmethod
    def open(cls, path: Path) -> OpenFile:
        """Open a file.

        Raises:
            ImageError: it cannot be opened, or is no regular file.
        """
        try:
            # Without O_NONBLOCK, a FIFO would wait for its writer for ever.
            stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ImageError(f"{path}: cannot be opened: {reason}") from error
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.close()
            raise ImageError(f"{path}: not a regular file", hint="Save the image to a file first.")
        return cls(stream, str(path))

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        return self._stamp[0]

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``; fewer bytes only at the end of the file."""
        filled = 0
        while filled < len(buffer):
            got = os.preadv(self._stream.fileno(), [buffer[filled:]], offset + filled)
            if not got:
                break
            filled += got
        return filled

    def check_unchanged(self) -> None:
        """Make sure that what was verified once still stands.

        Raises:
            CorruptImageError: the file was written to.
        """
        if self._now() != self._stamp:
            raise CorruptImageError(f"{self.place}: changed since it was verified", hint=_CHANGED)

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self._stream.close()

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._stream.fileno())
        return found.st_size, found.st_mtime_ns


def _page_aligned(size: int) -> memoryview:
    """A buffer to read into. A large ``bytearray`` begins 16 bytes into a page, which makes copies far slower."""
    return memoryview(mmap(-1, size)) if size else memoryview(bytearray())


class Blob(Struct, frozen=True, kw_only=True):
    """A range of a file."""

    file: OpenFile
    start: int
    size: int

    def chunks(self) -> Iterator[memoryview]:
        """All bytes, in chunks that are valid until the next but one is asked for.

        Raises:
            CorruptImageError: the file ends before.
        """
        buffers = cycle([_page_aligned(min(CHUNK, self.size)), _page_aligned(min(CHUNK, max(0, self.size - CHUNK)))])
        position = 0
        while position < self.size:
            buffer = next(buffers)
            got = min(self.file.read_into(buffer, self.start + position), self.size - position)
            if not got:
                raise CorruptImageError(f"{self.file.place}: ended {self.size - position} bytes early", hint=_CHANGED)
            yield buffer[:got].toreadonly()
            position += got

    def read_at(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes.

        Raises:
            CorruptImageError: the file was written to since it was opened, or the range is not in the blob.
        """
        self.file.check_unchanged()
        if offset + size > self.size:
            raise CorruptImageError(f"{self.file.place}: {size} bytes at {offset} lie outside a blob of {self.size}")
        buffer = bytearray(size)
        self.file.read_into(memoryview(buffer), self.start + offset)
        return bytes(buffer)

    def read_verified(self, digest: Digest | None, *, limit: int, where: str) -> bytes:
        """All bytes of a small blob.

        Raises:
            CorruptImageError: they are more than ``limit``, or have another digest.
        """
        if self.size > limit:
            raise CorruptImageError(f"{where}: {self.size} bytes (expected at most {limit})")
        data = self.read_at(0, self.size)
        if digest is not None:
            check_digest(digest, hashlib.new(digest.algorithm, data).hexdigest(), where=where)
        return data


def check_digest(expected: Digest, actual: str, *, where: str, subject: str = "") -> None:
    """Compare a digest with the one that was computed (its hexadecimal digits).

    Raises:
        CorruptImageError: they differ; names both.
    """
    if expected.hex != actual:
        found = f"{expected.algorithm}:{actual}"
        raise CorruptImageError(
            f"{where}: {subject or 'its bytes'} have the digest {found} (expected {expected})",
            hint="The image is damaged, or was changed after it was made. Save or copy it again.",
        )


class BlobSource:
    """A blob as an archive whose data is passed over, not read: see :class:`envsync.image.tar.TarSource`."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._buffer = _page_aligned(_WINDOW)
        self._view = self._buffer.toreadonly()
        self._base = 0
        self._length = 0

    def at(self, offset: int) -> memoryview:
        """See :meth:`envsync.image.tar.TarSource.at`."""
        start = offset - self._base
        if not 0 <= start <= self._length - BLOCK:
            self._base, start = offset, 0
            left = max(0, self._blob.size - offset)
            self._length = min(self._blob.file.read_into(self._buffer, self._blob.start + offset), left) if left else 0
        return self._view[start : self._length]

    def end(self) -> int:
        """See :meth:`envsync.image.tar.TarSource.end`."""
        return self._blob.size


class StoredLayer(Struct, frozen=True, kw_only=True):
    """A layer whose blob lies in a file; implements :class:`envsync.image.protocol.Layer`."""

    diff_id: Digest
    digest: Digest | None
    blob: Blob
    place: str

    @property
    def size(self) -> int:
        """See :attr:`envsync.image.protocol.Layer.size`."""
        return self.blob.size

    @contextmanager
    def open(self) -> Iterator[Iterator[memoryview]]:
        """See :meth:`envsync.image.protocol.Layer.open`."""
        yield self.blob.chunks()

    def __str__(self) -> str:
        return self.place
