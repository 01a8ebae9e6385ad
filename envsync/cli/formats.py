"""The formats of ``envsync diff``, and where a report goes."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from envsync.cli import console
from envsync.errors import UsageError

if TYPE_CHECKING:
    from envsync.diff import Difference

Format = Literal["text", "json", "sarif", "github", "markdown", "cyclonedx", "html", "script"]
OneSide = Literal["A", "B"]


def rendered(found: Difference, form: Format, *, every: bool, side: OneSide, is_stdout: bool) -> str:
    """The report; only text knows of a terminal's width and colours."""
    findings, comparison, fidelity = found.findings, found.comparison, found.fidelity
    expected, actual = found.expected.snapshot, found.actual.snapshot
    match form:
        case "text":
            from envsync.report import text

            width = min(console.width(), 100) if is_stdout else 80
            colour = console.colour() and is_stdout
            return text.render(findings, comparison, width=width, colour=colour, fold=not every, fidelity=fidelity)
        case "json":
            from envsync.report import json

            return json.render(findings, comparison, fidelity)
        case "sarif":
            from envsync.report import sarif

            return sarif.render(findings, comparison, fidelity, expected, lock=_lock(found))
        case "github":
            from envsync.report import github

            return github.render(findings, comparison, fidelity, expected, lock=_lock(found))
        case "markdown":
            from envsync.report import markdown

            return markdown.render(findings, comparison, fidelity)
        case "cyclonedx":
            from envsync.report import cyclonedx

            return cyclonedx.render(actual, judged_by=expected) if side == "B" else cyclonedx.render(expected)
        case "html":
            from envsync.report import html

            return html.render(findings, comparison, fidelity, expected, actual)
        case "script":
            from envsync.report import script

            return script.render(findings, comparison)


def _lock(found: Difference) -> PurePosixPath | None:
    return in_repository(found.expected.lock, Path.cwd())


def in_repository(lock: str | None, here: Path) -> PurePosixPath | None:
    """A lock directory relative to the repository around the folder ``here``; ``None``: it is not in there.

    The repository is the nearest folder upwards with a ``.git``; where there is none, ``here``.
    """
    if lock is None:
        return None
    here = here.resolve()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    try:
        return PurePosixPath((here / lock).resolve().relative_to(root))
    except ValueError:
        return None


def write(report: str, output: Path | None) -> None:
    """Print a report, or write it to a file, whole or not at all; ``-`` is stdout.

    Raises:
        UsageError: the place is a folder.
        WriteError: it cannot be written.
    """
    from envsync.writing import WriteError, write_file

    if is_stdout(output):
        console.data(report)
        return
    assert output is not None  # noqa: S101 - that would be stdout
    target = Path(os.path.realpath(output))  # what a link leads to is written, not the link
    mode = _mode(output)
    if stat.S_ISDIR(mode):
        raise UsageError(f"--output {output}: a folder (expected a file)")
    if not stat.S_ISREG(mode):  # a device or pipe cannot be replaced; /dev/stdout leads to no path
        try:
            output.write_text(report, encoding="utf-8")
        except OSError as error:
            raise WriteError(f"{output}: cannot be written: {error.strerror}") from error
        return
    write_file(target, report.encode())


def _mode(path: Path) -> int:
    """Of what a path leads to; that of a file where nothing is, or can be seen: writing it says why not."""
    try:
        return path.stat().st_mode
    except OSError:
        return stat.S_IFREG


def is_stdout(output: Path | None) -> bool:
    """Whether a report is printed."""
    return output is None or str(output) == "-"
