"""Progress on stderr: moving on a terminal, plain lines in a pipe."""

from __future__ import annotations

import re
from threading import RLock
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from envsync.cli import console
from envsync.redaction import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from envsync.image.protocol import LayerProgress

_DONE = ("complete", "exists", "read", "known")
"""How the last word on a layer ends: of an engine that pulls, and of envsync that reads."""
_WORTH_TELLING = re.compile(r"(?:Building|Built|Downloading|Updating)\b|.* does not build in isolation\b")
"""Of what uv and pip print: what takes long."""


class Progress:
    """A context in which steps and layers are shown."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._steps: Bars | None = None
        self._layers: Bars | None = None
        self._step: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: set[str] = set()
        self._current = ""
        self._begun: dict[str, float] = {}
        self._lock = RLock()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def fact(self, text: str) -> None:
        """Lines that stay."""
        for line in map(printable, text.splitlines()):
            if self._live is None:
                console.say(line)
            else:
                self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """What is being done now; on a terminal the next step takes its place."""
        self._current = printable(text)
        if console.is_terminal():
            self._show(self._current)
        elif self._current not in self._said:
            self._said.add(self._current)
            console.say(self._current)

    def detail(self, text: str) -> None:
        """A line of another program: shown where it tells of something that takes long."""
        told = printable(text.strip())
        if not _WORTH_TELLING.match(told):
            return
        if not console.is_terminal():
            console.say(f"  {told}")
        elif self._current:
            self._show(f"{self._current}: {told}")

    def moving(self, text: str) -> None:
        """How far the step is: on a terminal only."""
        if console.is_terminal() and self._current:
            self._show(f"{self._current}: {printable(text)}")

    def layer(self, layer: LayerProgress) -> None:
        """How far one layer is: bytes and rate on a terminal, its end in a pipe. May be called from any thread."""
        with self._lock:
            if console.is_terminal():
                self._draw(layer)
            else:
                self._tell_end(layer)

    def _tell_end(self, layer: LayerProgress) -> None:
        name, state = printable(layer.id), printable(layer.status).lower()
        begun = self._begun.setdefault(name, monotonic())
        if state.endswith(_DONE) and f"{name}{state}" not in self._said:
            self._said.add(f"{name}{state}")
            rate = _rate(layer.total, monotonic() - begun) if state == "read" else ""
            console.say(f"{name}: {state}{rate}")

    def _draw(self, layer: LayerProgress) -> None:
        name, state = printable(layer.id), printable(layer.status).lower()
        self._start()
        assert self._layers is not None  # noqa: S101 - made by _start
        if name not in self._tasks:
            self._tasks[name] = self._layers.add_task(name, total=None)
        done = state.endswith(_DONE)
        total = layer.total or (1 if done else None)
        self._layers.update(
            self._tasks[name],
            description=f"{name[:12]} {state:<18.18}",
            completed=total if done and total else layer.current or 0,
            total=total,
        )

    def _show(self, text: str) -> None:
        self._start()
        assert self._steps is not None  # noqa: S101 - made by _start
        if self._step is None:
            self._step = self._steps.add_task(text, total=None)
        self._steps.update(self._step, description=text)

    def _start(self) -> None:
        if self._live is not None:
            return
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        one_line = Column(no_wrap=True, overflow="ellipsis")
        self._steps = Bars(SpinnerColumn(), TextColumn("{task.description}", markup=False, table_column=one_line))
        self._layers = Bars(
            TextColumn("  {task.description}", markup=False, table_column=one_line),
            BarColumn(bar_width=16),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        group = Group(self._layers, self._steps)
        self._live = Live(group, console=Console(stderr=True), transient=True, refresh_per_second=10)
        self._live.start()


def _rate(size: int | None, seconds: float) -> str:
    """Megabytes, and how many of them came in a second."""
    if size is None:
        return ""
    return f", {size / 1e6:.1f} MB at {size / 1e6 / max(seconds, 1e-3):.1f} MB/s"
