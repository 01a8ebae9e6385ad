"""The results as Markdown, and putting them into another document."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from bench.course import BIN, Contest
from bench.measure import Result
from bench.replica import told

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"


def render(contests: Sequence[Contest], *, distributions: int | None, missing: Mapping[str, str] | None = None) -> str:
    """A table with a row a comparison, what it was measured on, and why contests in ``missing`` were not."""
    lines = [
        "| job | envsync | instead | ratio | memory | aim |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for contest in contests:
        mine, *others = contest.results
        for number, other in enumerate(others):
            job = contest.job if number == 0 else ""
            lines.append(
                f"| {job} | {seconds(mine)} | {other.name}: {seconds(other)} | {ratio(mine, other)} "
                f"| {megabytes(mine)}, {megabytes(other)} | {contest.aim(mine, other)} |"
            )
    runs = ", ".join(
        f"{contest.key} {'/'.join(str(len(result.samples)) for result in contest.results)}" for contest in contests
    )
    listed = f" The lock has {distributions} distributions." if distributions else ""
    lines += [
        "",
        f"Whole processes, timed from outside; medians, with the fastest and the slowest run; one run to warm up, then"
        f" in turn (runs: {runs}). Memory is the most that one process of a run took.{listed}",
        "",
        f"Measured on {describe_machine()}, with {describe_versions()}; {datetime.date.today().isoformat()}.",
    ]
    for key, reason in (missing or {}).items():
        lines += ["", f"Not measured: {key}, as {reason}."]
    return "\n".join(lines) + "\n"


def seconds(result: Result) -> str:
    """Median, and between what."""
    digits = 2 if result.wall >= 1 else 3
    return f"**{result.wall:.{digits}f} s** ({result.fastest:.{digits}f} to {result.slowest:.{digits}f})"


def megabytes(result: Result) -> str:
    """Of the run that took most; a dash where it is a part of another one."""
    return "-" if not result.memory else f"{result.memory / 1e6:.0f} MB"


def ratio(mine: Result, other: Result) -> str:
    if other.wall < 0.1:  # there, a ratio says nothing that a user would feel
        return f"{(mine.wall - other.wall) * 1000:.0f} ms more"
    if mine.wall <= other.wall:
        return f"{other.wall / mine.wall:.1f}x faster"
    return f"{mine.wall / other.wall:.2f}x as long"


def describe_machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB, {_system()}"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return told("sysctl", "-n", "machdep.cpu.brand_string")
    return platform.processor() or platform.machine()


def _system() -> str:
    release = ".".join(platform.release().split(".")[:2])
    kernel = f"{platform.system()} {release}"
    if sys.platform != "linux":
        return kernel
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']} ({kernel})"
    except (OSError, KeyError):
        return kernel


def describe_versions() -> str:
    syft = told(str(BIN / "syft"), "--version").removeprefix("syft ")
    found = [f"{name} {version(name)}" for name in ("envsync", "uv", "py-rattler")]
    return ", ".join([*found, f"syft {syft}", f"Python {platform.python_version()}"])


def splice(document: str, table: str) -> str:
    """``document`` with ``table`` between its two markers.

    Raises:
        ValueError: it lacks one of them.
    """
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks {BEGIN} or, after it, {END}")
    return f"{head}{BEGIN}\n{table}{END}{tail}"
