"""``envsync diff --fix``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from envsync.drift.comparison import describe_comparison
from envsync.drift.finding import Finding
from envsync.drift.fixes import export_variable
from envsync.report.script import render
from tests.drift.sides import image, local

COMPARISON = describe_comparison(image(), local(), ())


def finding(fix: str | None, **fields: object) -> Finding:
    given = {"kind": "library-missing", "scope": "os", "severity": "error", "subject": "x", "impact": "It fails."}
    return Finding(**{**given, "fix": fix, **fields})  # type: ignore[arg-type]


def test_packages_of_the_system_come_first_and_words_are_comments() -> None:
    script = render(
        [
            finding("envsync create .venv --image acme/app:1", scope="python"),
            finding("export LANG=C.UTF-8", scope="env"),
            finding("apt-get install libgomp1"),
            finding("apt-get install graphviz"),
            finding("Find what has it: apt-file search libx.so.1", subject="libx.so.1"),
            finding("apt-get install bash", verdict="harmless"),
            finding(None),
        ],
        COMPARISON,
    )
    lines = script.splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "apt-get install libgomp1 graphviz",
        "envsync create .venv --image acme/app:1",
        "export LANG=C.UTF-8",
    ]
    assert "# - libx.so.1: Find what has it: apt-file search libx.so.1" in lines


def test_nothing_to_do() -> None:
    assert render([finding(None)], COMPARISON).endswith("# Nothing to do: no finding has a command.\n")


@given(subject=st.text(max_size=200), words=st.text(max_size=200))
def test_nothing_of_an_image_gets_out_of_a_comment(subject: str, words: str) -> None:
    script = render([finding(f"Words {words}", subject=subject)], COMPARISON)
    assert all(line.startswith("#") or line == "" for line in script.split("\n"))


def test_a_shell_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "fix.sh"
    path.write_text(render([finding("export A='1 2'"), finding("Do\nthis `touch x`")], COMPARISON))
    subprocess.run(["sh", "-e", path], check=True, cwd=tmp_path)
    assert not (tmp_path / "x").exists()


def test_a_shell_that_reads_it_goes_on_after_a_failure(tmp_path: Path) -> None:
    (tmp_path / "fix.sh").write_text(render([finding("false"), finding("export A='1 2'", scope="env")], COMPARISON))
    done = subprocess.run(
        ["sh", "-c", '. ./fix.sh; false; echo "$A"'], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "1 2\n"


def test_what_shells_take_differently_is_left_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "fix.sh"
    fix = export_variable("LINES_OF_IT", "a\nb")
    path.write_text(render([finding(fix, subject="LINES_OF_IT")], COMPARISON))
    typed = ["sh", "-c", '. ./fix.sh; printf %s "$LINES_OF_IT"']
    assert subprocess.run(typed, cwd=tmp_path, capture_output=True, check=True).stdout in (b"", b"a\nb")
    assert "LINES_OF_IT=$'a\\nb'" in path.read_text()
