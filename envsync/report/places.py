"""Where in a lock directory a finding is at home: the line of the file that names its subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.drift.finding import Finding
from envsync.errors import EnvsyncError
from envsync.lock.conda.environment_yml import render_environment
from envsync.lock.requirements import render_constraints, render_os_packages
from envsync.model import Snapshot
from envsync.names import normalized

NOWHERE = PurePosixPath("pyproject.toml")
"""Where there is no lock in the repository: a project's own file, which is always there."""


class Place(Struct, frozen=True, kw_only=True):
    """A line of a file."""

    file: PurePosixPath
    """Relative to the repository."""
    line: int = 1


class Places:
    """The lines of one lock."""

    def __init__(self, expected: Snapshot, lock: PurePosixPath | None) -> None:
        """Of the lock of ``expected``, whose directory is ``lock``, relative to the repository."""
        self._lock = lock
        self._lines: dict[tuple[str, str], int] = {}
        if lock is None:
            return
        # The first line that names something counts.
        self._learn("constraints.txt", render_constraints, expected, _distribution)
        self._learn("os-packages.txt", render_os_packages, expected, _os_package)
        if expected.conda_environment is not None:
            self._learn("environment.yml", render_environment, expected, _conda_package)

    def of(self, finding: Finding) -> Place:
        """The line that names the subject, or the package that gives it; else the first of ``snapshot.json``."""
        if self._lock is None:
            return Place(file=NOWHERE)
        file, name = "snapshot.json", ""
        if finding.kind.startswith("distribution-"):
            file, name = "constraints.txt", normalized(finding.subject)
        elif finding.kind.startswith("conda-"):
            file, name = "environment.yml", finding.subject
        elif finding.scope == "os":
            file, name = "os-packages.txt", finding.package or finding.subject
        line = self._lines.get((file, name))
        if line is None:
            return Place(file=self._lock / "snapshot.json")
        return Place(file=self._lock / file, line=line)

    def _learn(
        self, file: str, render: Callable[[Snapshot], str], expected: Snapshot, name: Callable[[str], str]
    ) -> None:
        for number, found in _names(render, expected, name):
            self._lines.setdefault((file, found), number)


def _names(
    render: Callable[[Snapshot], str], expected: Snapshot, name: Callable[[str], str]
) -> Iterator[tuple[int, str]]:
    try:
        text = render(expected)
    except EnvsyncError:  # a name that cannot stand in such a file: then no line has it
        return
    for number, line in enumerate(text.split("\n"), start=1):
        found = name(line)
        if found:
            yield number, found


def _distribution(line: str) -> str:
    return "" if line.startswith("#") else normalized(line.partition(" @ ")[0].partition("==")[0])


def _os_package(line: str) -> str:
    return line.partition(" ")[0]


def _conda_package(line: str) -> str:
    return line.removeprefix("  - ").partition("=")[0] if line.startswith("  - ") else ""
