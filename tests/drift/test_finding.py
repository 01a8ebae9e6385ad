"""``docs/drift.md`` explains everything that can be found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from envsync.drift.finding import Kind
from envsync.drift.variables import DESCRIBE_THE_CONTAINER
from envsync.report.text import TITLES

DOCS = (Path(__file__).parents[2] / "docs/drift.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_is_explained_and_has_a_title(kind: Kind) -> None:
    assert re.search(rf"^### {kind}$", DOCS, re.MULTILINE)
    assert TITLES[kind][0]


def test_nothing_else_is_explained() -> None:
    assert set(re.findall(r"^### (.*)$", DOCS, re.MULTILINE)) == set(get_args(Kind))


@pytest.mark.parametrize("name", sorted(DESCRIBE_THE_CONTAINER))
def test_the_variables_that_do_not_count_are_listed(name: str) -> None:
    assert f"`{name}`" in DOCS
