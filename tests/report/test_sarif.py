"""For code scanning: valid by the schema, the same finding tomorrow, and nothing that GitHub would refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import jsonschema
import pytest
from msgspec.structs import replace

from envsync.drift.comparison import Accepted
from envsync.drift.finding import Finding, Kind, NotCompared
from envsync.exact.fidelity import Fidelity, Verdict
from envsync.report.rules import MEANINGS
from envsync.report.sarif import RESULTS, fingerprint, render
from tests.drift.sides import image, local, os_package
from tests.factory import distribution
from tests.report.sides import compared, finding, hostile, nothing
from tests.report.test_text import drifted

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE / "data/sarif-2.1.0.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft4Validator(SCHEMA)
LOCK = PurePosixPath("lockfiles/acme/app/1")


def run(*findings: Finding, lock: PurePosixPath | None = LOCK) -> dict[str, Any]:
    log = json.loads(render(findings, nothing(), None, image(), lock=lock))
    VALIDATOR.validate(log)
    found: dict[str, Any] = log["runs"][0]
    return found


def test_golden() -> None:
    """Set ENVSYNC_UPDATE_GOLDEN=1 to write it anew."""
    expected = image(distribution("six"), os_packages=(os_package("libgomp1"),))
    findings, comparison = compared(expected, local(os_packages=(os_package("libgomp1"),)), finding())
    told = render(findings, comparison, None, expected, lock=LOCK)
    file = HERE / "golden/report.sarif"
    if os.environ.get("ENVSYNC_UPDATE_GOLDEN"):
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


def test_reports_follow_the_schema() -> None:
    expected, actual = drifted()
    findings, comparison = compared(expected, actual, *hostile())
    VALIDATOR.validate(json.loads(render(findings, comparison, None, expected)))
    assert run()["results"] == []


def test_every_kind_has_a_meaning_and_a_section_in_the_documentation() -> None:
    assert tuple(MEANINGS) == get_args(Kind)
    text = (HERE.parents[1] / "docs/drift.md").read_text(encoding="utf-8")
    assert [kind for kind in MEANINGS if f"\n### {kind}\n" not in text] == []


def test_each_result_has_the_place_that_github_asks_for() -> None:
    for lock in (LOCK, None):
        for result in run(*hostile(), lock=lock)["results"]:
            (location,) = result["locations"]
            assert location["physicalLocation"]["artifactLocation"]["uri"]
            assert location["physicalLocation"]["region"]["startLine"] >= 1


def test_a_folder_of_any_name_is_a_uri() -> None:
    (result,) = run(finding(), lock=PurePosixPath(os.fsdecode(b"l k/\xff#")))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "l%20k/%FF%23/snapshot.json"


def test_the_fingerprint_stays() -> None:
    before = fingerprint(finding())
    assert before == fingerprint(finding(actual="other", impact="Other.", fix=None, severity="note"))
    assert before == "2bc7c06c5aff37c8f5f4e7df6e1bca6b", "alerts of earlier versions would be closed and opened anew"
    assert (
        len(
            {
                before,
                fingerprint(finding("x")),
                fingerprint(finding(expected="2")),
                fingerprint(finding(kind="command-missing")),
            }
        )
        == 4
    )
    twice = run(finding(actual="1"), finding(actual="2"))["results"]
    assert [result["partialFingerprints"]["envsyncFinding/v1"] for result in twice] == [f"{before}:1", f"{before}:2"]


@pytest.mark.parametrize("severity", ["error", "warning", "note"])
def test_levels(severity: str) -> None:
    (result,) = run(finding(severity=severity))["results"]
    assert (result["level"], result.get("kind")) == (severity, None)
    (harmless,) = run(finding(severity=severity, verdict="harmless"))["results"]
    assert (harmless["level"], harmless["kind"]) == ("none", "informational")


def test_what_an_image_says_is_no_link_and_no_control_character() -> None:
    texts = [result["message"]["text"] for result in run(*hostile())["results"]]
    assert all("](" not in text for text in texts)
    assert all(line.isprintable() for text in texts for line in text.split("\n"))


def test_more_than_github_keeps() -> None:
    found = run(*(finding(str(number)) for number in range(RESULTS + 2)))
    assert len(found["results"]) == RESULTS
    (note, *_) = found["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "2 less important findings are left out: a run has at most 5000"


def test_what_else_is_known_are_notifications() -> None:
    comparison = replace(
        nothing(),
        accepted=Accepted(baseline="b.json", count=2, gone=1),
        not_compared=(NotCompared(subject="A", reason="withheld"),),
    )
    fidelity = Fidelity(verdicts=(Verdict(name="six", version="1", grade="identical"),))
    log = json.loads(render((), comparison, fidelity, image()))
    VALIDATOR.validate(log)
    notes = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == [
        "fidelity: 1 of 1 byte-identical",
        "2 findings accepted by b.json; 1 more that it knows is gone",
        "not compared: A: withheld",
    ]
