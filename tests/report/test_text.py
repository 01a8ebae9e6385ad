"""What people read: compared with whole reports, at 80 columns and without colour."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from envsync.drift.compare import compare
from envsync.drift.comparison import describe_comparison
from envsync.drift.finding import Finding, Scope, Verdict, ranked
from envsync.model import OperatingSystem, Snapshot, VcsOrigin
from envsync.report import text
from tests.drift.sides import image, local, os_package, other_image, published, variables, with_python
from tests.factory import distribution

GOLDEN = Path(__file__).parent / "golden"


def drifted() -> tuple[Snapshot, Snapshot]:
    commit = VcsOrigin(url="https://github.com/acme/proj.git", vcs="git", commit="0123456789" * 4)
    expected = image(
        distribution("numpy", "1.21.6"),
        distribution("pandas", "1.3.5", requires=("numpy>=1.17",)),
        distribution("idna", "2.8"),
        distribution("pip", "23.0"),
        distribution("six", "1.16.0"),
        distribution("proj", "0.1", origin=commit),
        distribution("attrs", "23.1"),
        config=variables(
            LANG="C.UTF-8",
            TZ="Asia/Tokyo",
            DB_TOKEN=None,
            GREETING="it's\nme, and a long text that does not fit into the rest of one line",
            PYTHONPATH="/app",
            PATH="/usr/bin",
        ),
        os_packages=tuple(os_package(f"lib{letter}1", "1.2-3") for letter in "abcdefghijklmnopqrstuvwxyz"),
    )
    actual = local(
        distribution("pandas", "1.4.5"),
        distribution("idna", "3.1"),
        distribution("proj", "0.1"),
        distribution("six", "1.16.0"),
        distribution("attrs", "23.1"),
        distribution("black", "23.1"),
        distribution("ruff", "0.1"),
        config=variables(LANG="en_US.UTF-8"),
        os_packages=(os_package("liba1", "1.2-4"), os_package("libb1", "1.2-4", "arm64")),
    )
    return expected, with_python(actual, version="3.9.2")


def report(expected: Snapshot, actual: Snapshot, *more: Finding, **options: bool | int) -> str:
    findings = ranked((*compare(expected, actual), *more))
    lock = "lockfiles/acme/app/1" if expected.source == image().source else None
    comparison = describe_comparison(expected, actual, findings, expected_lock=lock)
    return text.render(findings, comparison, **options)


MODIFIED = Finding(
    kind="distribution-modified",
    scope="python",
    severity="error",
    subject="six",
    expected="7 files as installed",
    actual="1 missing: six.py; 1 changed: six-1.16.0.dist-info/METADATA",
    impact="What imports or runs the missing files fails.",
    fix="uv pip install --python .venv --no-deps --reinstall --no-cache six==1.16.0",
)
MACOS = local(os=OperatingSystem(id="macos", version_id="14.5", pretty_name="macOS 14.5"), os_packages=None)
REPORTS = {
    "drift": lambda: report(*drifted(), MODIFIED),
    "all": lambda: report(*drifted(), MODIFIED, fold=False),
    "identical": lambda: report(image(distribution("a")), local(distribution("a"))),
    "list": lambda: report(published(distribution("a"), distribution("b")), local(distribution("a"))),
    "macos": lambda: report(image(), MACOS),
    "images": lambda: report(image(distribution("a")), other_image(distribution("a", "2"), distribution("b"))),
}


@pytest.mark.parametrize("name", REPORTS)
def test_golden(name: str) -> None:
    """Set ENVSYNC_UPDATE_GOLDEN=1 to write the files anew, and read their difference."""
    told = REPORTS[name]()
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("ENVSYNC_UPDATE_GOLDEN"):
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")
    long = [line for line in told.splitlines() if len(line) > 80]
    assert all("GREETING=" in line for line in long), "only a word that cannot be broken is longer"


def test_colour_adds_nothing_but_colour() -> None:
    plain, coloured = report(*drifted()), report(*drifted(), colour=True)
    assert "\x1b[1;31merror\x1b[0m: 1 missing distribution" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_width() -> None:
    narrow = report(*drifted(), width=60)
    assert [line for line in narrow.splitlines() if len(line) > 60 and "GREETING=" not in line] == []


def test_what_an_image_says_cannot_reach_the_terminal_or_the_command() -> None:
    hostile = distribution("a\x1b[31m\u202e\n  fix: rm", "1.0\r")
    expected = image(hostile, config=variables(**{"A\x1b": "\x1b]0;title\x07", "B": "\x1b]0;x\x07'; reboot"}))
    told = report(expected, local(config=variables()))
    assert r"a\x1b[31m\u202e\n  fix: rm" in told
    assert r"fix: export B=$'\033]0;x\007\047; reboot'" in told
    assert all(line.isprintable() for line in told.split("\n"))


def test_scopes_without_distributions() -> None:
    side, only = image(distribution("a")), frozenset[Scope]({"os"})
    comparison = describe_comparison(side, side, (), scopes=only)
    assert text.render((), comparison) == ("no drift\nnot compared:\n  Python, environment variables: not asked for\n")


def system(subject: str, verdict: Verdict, **fields: str) -> Finding:
    breaks = verdict == "breaks"
    return Finding(
        kind="library-missing" if breaks else "os-package-version",
        scope="os",
        severity="error" if breaks else "note",
        verdict=verdict,
        subject=subject,
        impact="It fails." if breaks else "Nothing in the environment needs it.",
        needed_by=("numpy",) if breaks else (),
        **fields,
    )


def test_what_is_harmless_is_counted_apart_and_called_so_where_all_is_shown() -> None:
    same = image(distribution("six")), other_image(distribution("six"))
    harmless = [system("bash", "harmless", expected="1", actual="2"), system("sed", "harmless", expected="1")]
    assert report(*same, *harmless) == (
        "no drift: 1 of 1 distributions identical (Python 3.9.18)\n"
        "harmless: 2 differences of the system that nothing here needs (--all)\n"
    )
    everything = report(*same, *harmless, fold=False)
    assert "\nharmless: 2 OS packages of other versions\n  bash  1 -> 2\n  sed   1\n" in everything
    counted = "\nharmless: 2 differences of the system that nothing here needs\n"
    assert everything.endswith(f"\nno drift: 1 of 1 distributions identical (Python 3.9.18){counted}")
    both = report(*same, *harmless, system("libz.so.1", "breaks"), fold=False)
    assert f"\ndrift: 1 error; 1 of 1 distributions identical{counted}" in both


def test_the_command_for_what_breaks_is_told_whole() -> None:
    broken = [system(f"lib{n:02}.so", "breaks", fix=f"apt-get install lib{n:02}") for n in range(12)]
    told = report(image(), local(), *broken)
    assert "  … and 2 more (--all)\n" in told
    assert "lib09 lib10 lib11\n" in told
