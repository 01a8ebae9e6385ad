"""Progress on stderr: bars on a terminal, plain lines in a pipe."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from envsync.cli import console
from envsync.redaction import printable

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from envsync.image.engine import LayerProgress


class Progress:
    """A context in which steps and layers are shown."""

    def __init__(self) -> None:
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._states: dict[str, str] = {}
        self._status: TaskID | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def step(self, text: str) -> None:
        """Say what is being done now; on a terminal it is replaced by the next step."""
        text = printable(text)
        if not console.is_terminal():
            console.say(text)
            return
        bars = self._live()
        if self._status is None:
            self._status = bars.add_task(text, total=None)
        bars.update(self._status, description=text)

    def detail(self, text: str) -> None:
        """A line of another program: behind the step on a terminal, nothing in a pipe."""
        if self._bars is not None and self._status is not None:
            self._bars.update(self._status, description=printable(text)[:60])

    def layer(self, layer: LayerProgress) -> None:
        """Show how far one layer is: bytes on a terminal, each change of state as a line in a pipe."""
        name, state = printable(layer.id), printable(layer.status)
        if not console.is_terminal():
            if self._states.get(name) != state and (not layer.total or state.endswith(("complete", "exists"))):
                console.say(f"{name}: {state.lower()}")
            self._states[name] = state
            return
        bars = self._live()
        if name not in self._tasks:
            self._tasks[name] = bars.add_task(name, total=None)
        done = state.endswith(("complete", "exists"))
        total = layer.total or (1 if done else None)
        bars.update(
            self._tasks[name],
            description=f"{name} {state.lower():<18.18}",
            completed=total if done and total else layer.current or 0,
            total=total,
        )

    def _live(self) -> RichProgress:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                SpinnerColumn,
                TextColumn,
                TransferSpeedColumn,
            )
            from rich.progress import Progress as RichProgress

            self._bars = RichProgress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
        return self._bars
