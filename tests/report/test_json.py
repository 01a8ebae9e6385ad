"""What programs read, and the schema that tells them what to expect."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from envsync.drift.compare import compare
from envsync.drift.comparison import describe_comparison
from envsync.model import Snapshot
from envsync.report.json import render, schema
from tests.drift.sides import image, local, other_image, published, variables
from tests.factory import distribution
from tests.report.test_text import drifted

SCHEMA = Path(__file__).parents[2] / "docs/schemas/diff.schema.json"


def rendered(expected: Snapshot, actual: Snapshot) -> str:
    findings = compare(expected, actual)
    return render(findings, describe_comparison(expected, actual, findings))


def test_the_schema_in_the_documentation_is_the_one_of_the_code() -> None:
    """Write it anew: python -m tests.report.test_json."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(schema()))


def test_real_output_follows_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    same = image(distribution("a"))
    for pair in (drifted(), (same, same), (published(), local()), (image(), other_image(distribution("b")))):
        validator.validate(json.loads(rendered(*pair)))
    broken = json.loads(rendered(*drifted()))
    broken["findings"][0]["kind"] = "distribution-lost"
    assert not validator.is_valid(broken)


def test_the_document() -> None:
    expected = image(distribution("six"), config=variables(DB_TOKEN=None))
    document = json.loads(rendered(expected, local(config=variables(DB_TOKEN=None))))
    assert list(document) == [
        "schema",
        "expected",
        "actual",
        "drift",
        "distributions",
        "findings",
        "not_compared",
    ]
    assert (document["schema"], document["drift"]) == (1, True)
    assert document["distributions"] == {"compared": 1, "identical": 0}
    assert document["expected"]["name"] == "acme/app:1"
    assert document["expected"]["config_digest"] == "sha256:" + "c" * 64
    assert document["actual"]["name"] == ".venv"
    assert document["findings"] == [
        {
            "kind": "distribution-missing",
            "scope": "python",
            "severity": "error",
            "subject": "six",
            "expected": "1.0",
            "impact": "Importing its modules fails.",
            "fix": "envsync create .venv --image acme/app:1",
        }
    ]
    assert document["not_compared"][0] == {
        "subject": "DB_TOKEN",
        "reason": "only whether it is set: its value was withheld",
    }


def test_the_same_input_gives_the_same_bytes_without_time_of_day() -> None:
    assert rendered(*drifted()) == rendered(*drifted())
    assert "2024-02-02T02:02:02Z" not in rendered(*drifted())


def test_no_drift() -> None:
    document = json.loads(rendered(image(), local()))
    assert (document["drift"], document["findings"]) == (False, [])


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
