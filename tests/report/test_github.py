"""Annotations: no text of an image can become a command."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envsync.drift.comparison import Accepted
from envsync.drift.finding import Finding
from envsync.exact.fidelity import Fidelity, Verdict
from envsync.report.github import escaped, escaped_property, render
from tests.drift.sides import image, os_package
from tests.report.sides import finding, hostile, nothing

LAST = "1 not compared; GitHub shows 10 annotations of each level in a step"
COMMAND = re.compile(r"::(error|warning|notice) (?:file=[^:,]+,line=\d+,)?title=[^:,]+::.*")


def report(*findings: Finding, lock: PurePosixPath | None = None) -> list[str]:
    expected = image(os_packages=(os_package("libc6"), os_package("libgomp1")))
    told = render(findings, nothing(), None, expected, lock=lock)
    assert told.endswith("\n")
    return told.splitlines()


def test_one_finding() -> None:
    assert report(finding(), lock=PurePosixPath("locks/a,b:1")) == [
        "::error file=locks/a%2Cb%3A1/os-packages.txt,line=2,title=envsync%3A missing shared library"
        "::libgomp.so.1: libgomp1 12.2.0-14%0AImporting lightgbm fails.%0Aneeded by lightgbm, xgboost"
        "%0Afix: apt-get install libgomp1",
        f"envsync: 1 error; {LAST}",
    ]
    assert report(finding())[0].startswith("::error title=envsync%3A missing shared library::libgomp.so.1: ")


def test_levels_and_what_is_harmless() -> None:
    told = report(finding(), finding(severity="warning"), finding(severity="note"), finding(verdict="harmless"))
    assert [line.split()[0] for line in told] == ["::error", "::warning", "::notice", "envsync:"]
    assert told[-1] == f"envsync: 1 error, 1 warning, 1 note; 1 harmless, not annotated; {LAST}"


def test_the_tenth_says_what_github_would_drop() -> None:
    assert len(report(*(finding(str(n)) for n in range(10)))) == 11
    told = report(*(finding(str(n)) for n in range(12)))
    assert len(told) == 11
    assert told[9] == "::error title=envsync%3A 12 errors::… and 3 more, which envsync diff --all shows"


def test_figures() -> None:
    fidelity = Fidelity(verdicts=(Verdict(name="six", version="1", grade="identical"),))
    assert render((), nothing(), fidelity, image()) == (
        f"envsync: no drift; 1 of 1 distributions byte-identical; {LAST}\n"
    )
    accepted = replace(nothing(), accepted=Accepted(baseline="::error::", count=2, gone=1))
    assert render((), accepted, None, image()) == (
        f"envsync: nothing new; 2 accepted by the baseline, 1 of it gone; {LAST}\n"
    )


def test_hostile_texts() -> None:
    for found in hostile():
        command, last = report(found, lock=PurePosixPath("lock"))
        assert COMMAND.fullmatch(command), command
        assert command.isprintable()
        assert last == f"envsync: 1 error; {LAST}"


@given(st.text())
def test_the_runner_reads_what_was_meant(text: str) -> None:
    assert "\n" not in escaped(text)
    assert "\r" not in escaped(text)
    assert not set("\r\n:,") & set(escaped_property(text))
    assert unescaped(escaped(text), "%0D", "%0A") == text
    assert unescaped(escaped_property(text), "%0D", "%0A", "%3A", "%2C") == text


def unescaped(text: str, *codes: str) -> str:
    """As the runner does: %25 last."""
    for code in codes:
        text = text.replace(code, bytes.fromhex(code[1:]).decode())
    return text.replace("%25", "%")
