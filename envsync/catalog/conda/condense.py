"""Records of ``conda-meta`` without what nobody asks for, on the way past: an Anaconda has 60 MB of them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from envsync.catalog.conda.record import condensed

_SIZE = 16 << 20
_TOTAL = 512 << 20
_KEPT = 64 << 20


class Condenser:
    """Makes the records of one image shorter; called from several threads."""

    def __init__(self, *, total: int = _TOTAL, kept: int = _KEPT) -> None:
        """Set the limits.

        Args:
            total: bytes that are decoded; each costs more than to pass it over.
            kept: bytes of what that makes.
        """
        self._lock = Lock()
        self._total = total
        self._kept = kept

    def __call__(self, path: str, size: int) -> Callable[[bytes], bytes | None] | None:
        """What shortens the file at ``path``; ``None``: it is to be kept as it is."""
        if not path.endswith(".json") or "/conda-meta/" not in path or size > _SIZE:
            return None
        with self._lock:
            self._total -= size
            return self._condense if self._total >= 0 else None

    def _condense(self, data: bytes) -> bytes | None:
        with self._lock:  # a decoded record takes several times its bytes: one at once
            shorter = condensed(data)
            self._kept -= len(shorter)
            return shorter if self._kept >= 0 else None
