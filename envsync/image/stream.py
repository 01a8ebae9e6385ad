"""The uncompressed tar stream of any layer, with both its digests verified when it has been drained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from itertools import chain
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING

from envsync.errors import CorruptImageError
from envsync.image.blob import check_digest
from envsync.image.compression import Compression, decompress, detect
from envsync.image.protocol import Layer

if TYPE_CHECKING:
    from hashlib import _Hash


class StoppedError(Exception):
    """Reading was given up because something else failed. Never reaches a user."""


class LayerStream:
    """One pass over a layer: stored bytes, their digest, decompression, the digest of the tar, the tar itself.

    Digests are computed by ``hashers`` while the caller looks at the same bytes; without, in between. A few chunks of
    two MiB each are in memory.
    """

    def __init__(
        self,
        layer: Layer,
        hashers: Executor | None,
        *,
        stop: Event | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Once ``stop`` is set, the next chunk is :class:`StoppedError` instead; ``on_bytes``: see :meth:`chunks`."""
        self._on_bytes = on_bytes
        self._layer = layer
        self._hashers = hashers
        self._stop = stop or Event()
        self._stack = ExitStack()
        self._where = str(layer)
        self._stored_hash = hashlib.new(layer.digest.algorithm) if layer.digest else None
        self._tar_hash = hashlib.new(layer.diff_id.algorithm)
        self._stored: Iterator[memoryview] = iter(())
        self.compression: Compression = "none"
        self.size = 0
        """Bytes of the tar that were given so far."""

    def __enter__(self) -> LayerStream:
        """Open the layer and look at its first bytes.

        Raises:
            ImageError: compressed in a way that no image may use.
        """
        opened = self._stack.enter_context(self._layer.open())
        head = b""
        for chunk in opened:
            head += chunk
            if len(head) >= 8:
                break
        self.compression = detect(head[:8], where=self._where)
        if self.compression == "none" and self._layer.digest == self._layer.diff_id:
            self._stored_hash = None
        self._stored = self._hashed(chain([memoryview(head)], opened), self._stored_hash)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def chunks(self) -> Iterator[memoryview]:
        """Yield the tar in chunks of any length, each valid until the next but one is asked for.

        After each chunk of stored bytes, ``on_bytes`` is called with their number so far.

        Raises:
            CorruptImageError: the bytes are damaged or end early, or (at the end) a digest does not fit.
        """
        stored = self._stored if self._on_bytes is None else _counted(self._stored, self._on_bytes)
        plain = decompress(stored, self.compression, where=self._where)
        try:
            for chunk in self._hashed(plain, self._tar_hash):
                self.size += len(chunk)
                yield chunk
        except CorruptImageError:
            # Damaged data is best explained by the digest of the blob, where one is recorded.
            for _ in self._stored:
                pass
            self._check_stored()
            raise
        for _ in self._stored:
            pass
        self._check_stored()
        check_digest(
            self._layer.diff_id,
            self._tar_hash.hexdigest(),
            where=self._where,
            subject="its uncompressed bytes",
        )

    def _check_stored(self) -> None:
        if self._stored_hash is not None and self._layer.digest is not None:
            check_digest(self._layer.digest, self._stored_hash.hexdigest(), where=self._where)

    def _hashed(self, chunks: Iterator[memoryview], digest: _Hash | None) -> Iterator[memoryview]:
        """The same chunks; the digest of one is computed while the next one is had."""
        update: Future[None] | None = None
        try:
            for chunk in chunks:
                if self._stop.is_set():
                    raise StoppedError
                if update is not None:
                    update.result()
                if digest is not None and self._hashers is not None:
                    update = self._hashers.submit(digest.update, chunk)
                elif digest is not None:
                    digest.update(chunk)
                yield chunk
        finally:
            if update is not None:
                update.result()


def _counted(chunks: Iterator[memoryview], tell: Callable[[int], None]) -> Iterator[memoryview]:
    position = 0
    for chunk in chunks:
        yield chunk
        position += len(chunk)
        tell(position)
