"""What programs read of ``envsync show``, and the schema that tells them what to expect."""

from __future__ import annotations

import json

import jsonschema
import pytest

from envsync.model import Snapshot
from envsync.report.shown_json import render_shown_json, shown_schema
from tests.drift.sides import local, published
from tests.factory import distribution
from tests.report.inventory import inventory


@pytest.mark.parametrize(
    "shown", [inventory(), published(distribution("six")), local(distribution("six"))], ids=["image", "list", "local"]
)
def test_output_follows_the_schema(shown: Snapshot) -> None:
    jsonschema.Draft202012Validator.check_schema(shown_schema())
    text = render_shown_json(shown, "lockfiles/acme/app/1")
    jsonschema.Draft202012Validator(shown_schema()).validate(json.loads(text))
    assert text == render_shown_json(shown, "lockfiles/acme/app/1")
    assert text.replace("\n", "").isprintable()


def test_what_is_told_of_a_distribution() -> None:
    told = {one["name"]: one for one in json.loads(render_shown_json(inventory()))["distributions"]}
    assert (told["Flask"]["top_level"], told["Jinja2"]["top_level"]) == (True, False)
    assert told["Jinja2"]["needed_by"] == ["flask"]
    assert told["Flask"]["requires"] == [
        {"name": "jinja2", "requirement": "Jinja2>=3", "installed": "2.11", "satisfied": False},
        {"name": "click", "requirement": "click", "installed": "8.0.1", "satisfied": True},
        {"name": "tornado", "requirement": "tornado>6", "installed": None, "satisfied": False},
    ]
    assert told["numpy"]["file"]["proof"] == "proved"


def test_layers_and_what_each_brought() -> None:
    lower, upper = json.loads(render_shown_json(inventory()))["layers"]
    assert (lower["size"], lower["distributions"]) == (74_800_000, ["click 8.0.1", "numpy 1.21.6"])
    assert upper["command"] == "RUN /bin/sh -c pip install . # buildkit"


def test_a_list_does_not_tell_what_is_at_the_top() -> None:
    (one,) = json.loads(render_shown_json(published(distribution("six"))))["distributions"]
    assert one["top_level"] is None
