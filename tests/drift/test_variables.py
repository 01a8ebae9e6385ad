from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.drift.compare import compare, not_compared
from envsync.drift.finding import Finding
from envsync.drift.fixes import quoted
from envsync.drift.variables import DESCRIBE_THE_CONTAINER, compared_names
from tests.drift.sides import image, local, other_image, published, variables


def found(expected: dict[str, str | None], actual: dict[str, str | None]) -> tuple[Finding, ...]:
    return compare(image(config=variables(**expected)), local(config=variables(**actual)))


def test_a_variable_that_the_shell_lacks() -> None:
    assert found({"TZ": "Asia/Tokyo"}, {}) == (
        Finding(
            kind="environment-variable",
            scope="env",
            severity="warning",
            subject="TZ",
            expected="Asia/Tokyo",
            impact="Local times are of another zone.",
            verdict="may-differ",
            fix="export TZ=Asia/Tokyo",
        ),
    )


def test_a_variable_that_the_shell_sets_otherwise() -> None:
    (finding,) = found({"LANG": "C.UTF-8"}, {"LANG": ""})
    assert (finding.expected, finding.actual, finding.fix) == ("C.UTF-8", "", "export LANG=C.UTF-8")


@pytest.mark.parametrize(
    ("name", "severity", "impact"),
    [
        ("PYTHONUNBUFFERED", "note", "It changes only how output and caches are written."),
        ("PIP_NO_CACHE_DIR", "note", "Only installers of distributions read it."),
        ("APP_MODE", "warning", "Programs that read it behave otherwise."),
        ("PYTHONPATH", "warning", "It adds folders to sys.path: other modules may be imported, or none."),
    ],
)
def test_impact(name: str, severity: str, impact: str) -> None:
    (finding,) = found({name: "1"}, {})
    assert (finding.severity, finding.impact) == (severity, impact)


def test_of_a_withheld_value_only_the_presence_is_compared() -> None:
    assert found({"API_TOKEN": None}, {"API_TOKEN": None}) == ()
    assert found({"API_TOKEN": None}, {"API_TOKEN": "x"}) == ()
    assert found({"API_TOKEN": "x"}, {"API_TOKEN": None}) == ()
    (finding,) = found({"API_TOKEN": None}, {})
    assert (finding.expected, finding.fix) == (
        "(withheld)",
        "Set API_TOKEN; its value in the image was withheld.",
    )


def test_nobody_types_a_very_long_value() -> None:
    (finding,) = found({"A": "x" * 401}, {})
    assert finding.fix == "Set A to its value in the image, which has 401 characters."
    assert finding.expected == "x" * 401


def test_folders_of_the_image_are_not_exported() -> None:
    (finding,) = found({"PYTHONPATH": "/app"}, {})
    assert finding.fix == "Set PYTHONPATH to the folders here that hold the same files, where there are any."


@pytest.mark.parametrize("name", sorted(DESCRIBE_THE_CONTAINER))
def test_what_describes_the_container_does_not_count(name: str) -> None:
    assert found({name: "1"}, {}) == ()
    assert compared_names(image(config=variables(**{name: "1", "TZ": "UTC"}))) == {"TZ"}


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("A", "x y", "export A='x y'"),
        ("A", "", "export A=''"),
        ("A", "it's", """export A='it'"'"'s'"""),
        ("A", "a\nb\t'\\", r"export A=$'a\nb\t\047\\'"),
        ("A", "\x1b[31m", r"export A=$'\033[31m'"),
        ("A", "\u202e", r"export A=$'\342\200\256'"),
        ("A", "$(reboot)", "export A='$(reboot)'"),
        ("A;reboot", "1", None),
        ("a b", "1", None),
        ("-n", "1", None),
    ],
)
def test_what_to_type_is_quoted(name: str, value: str, fix: str | None) -> None:
    (finding,) = found({name: value}, {})
    assert finding.fix == fix


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("text", ["a b", "it's\n$HOME `x`", "\x1b[0m\x7f\x01" + "9", "tab\t\\", "é\u202e9\xa0", ""])
def test_a_shell_reads_back_what_was_quoted(text: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {quoted(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",))))
def test_a_quoted_word_is_one_printable_word(text: str) -> None:
    word = quoted(text)
    assert word.isprintable()
    assert len(shlex.split(word)) == 1


def test_two_images_are_compared_both_ways() -> None:
    one, other = image(config=variables(A="1", PIP_X="1")), other_image(config=variables(B="2"))
    told = [(f.subject, f.expected, f.actual, f.fix) for f in compare(one, other)]
    assert told == [("A", "1", None, None), ("B", None, "2", None), ("PIP_X", "1", None, None)]


def test_a_list_tells_no_variables() -> None:
    assert compare(published(), local(config=variables(A="1"))) == ()
    (note, *_) = not_compared(published(), local())
    assert (note.subject, note.reason) == (
        "environment variables, operating system",
        "a published list of distributions does not tell them",
    )
