"""How far rattler is, told as events."""

from __future__ import annotations

import time
from collections.abc import Callable

from rattler.install import InstallerReporter

from envsync.build.events import CondaProgress, Event


class Reporter(InstallerReporter):
    """Counts what rattler reports from its own threads; :meth:`tell` passes it on from the caller's."""

    def __init__(self, count: int, on_event: Callable[[Event], None]) -> None:
        self._count = count
        self._on_event = on_event
        self._fetched = 0
        self._linked = 0
        self._received: dict[int, int] = {}
        self._told: CondaProgress | None = None
        self._coming: dict[int, str] = {}
        self.moved = time.monotonic()
        """When anything last happened."""

    def tell(self) -> None:
        """Pass on what has changed since the last time."""
        received = sum(list(self._received.values()))
        event = CondaProgress(count=self._count, fetched=self._fetched, linked=self._linked, received=received)
        if event != self._told:
            self._told = event
            self._on_event(event)

    @property
    def coming(self) -> tuple[str, ...]:
        """Packages that are being fetched."""
        return tuple(sorted(self._coming.values()))

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        """See :class:`rattler.install.InstallerReporter`."""
        self.moved = time.monotonic()
        self._coming[operation] = package_name
        return operation

    def on_download_start(self, cache_entry: int) -> int:
        """See :class:`rattler.install.InstallerReporter`."""
        self.moved = time.monotonic()
        return cache_entry

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        """See :class:`rattler.install.InstallerReporter`."""
        self.moved = time.monotonic()
        self._received[download_idx] = progress

    def on_validate_complete(self, validate_idx: int) -> None:
        """See :class:`rattler.install.InstallerReporter`."""
        self.moved = time.monotonic()

    def on_populate_cache_complete(self, cache_entry: int) -> None:
        """See :class:`rattler.install.InstallerReporter`."""
        self.moved = time.monotonic()
        self._coming.pop(cache_entry, None)
        self._fetched += 1

    def on_link_complete(self, index: int) -> None:
        """See :class:`rattler.install.InstallerReporter`."""
        self.moved = time.monotonic()
        self._linked += 1
