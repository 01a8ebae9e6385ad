"""The page as a file; what a browser makes of it is in test_browser.py."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.report.html import verdict
from envsync.report.text import TITLES
from tests.drift.sides import image, local, published
from tests.factory import distribution
from tests.report.html import sides
from tests.report.html.parsed import Parsed

PAGES = {"everything": sides.everything, "every kind": sides.every_kind, "hostile": lambda: sides.hostile("a", "<b>")}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]().page()


def test_the_same_input_gives_the_same_bytes(page: str) -> None:
    assert page in [make().page() for make in PAGES.values()]


def test_nothing_is_fetched(page: str) -> None:
    parsed = Parsed(page)
    assert not {"img", "link", "iframe", "object", "base", "form"}.intersection(parsed.names)
    assert parsed.attribute("src") == parsed.attribute("style") == []
    assert all(target.startswith("#") for target in parsed.attribute("href"))
    assert not [key for _, attributes in parsed.elements for key in attributes if key.startswith("on")]


def test_every_link_has_its_target_and_every_target_is_one(page: str) -> None:
    parsed = Parsed(page)
    identifiers = parsed.attribute("id")
    assert len(set(identifiers)) == len(identifiers)
    named = {target[1:] for target in parsed.attribute("href")} | set(parsed.attribute("aria-controls"))
    assert named <= set(identifiers)


def test_the_policy_allows_its_own_style_and_script_only() -> None:
    page = sides.everything().page()
    hashes = []
    for name in ("style", "script"):
        (own,) = re.findall(f"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        hashes.append(f"{name}-src 'sha256-{digest}'")
    policy = f"default-src 'none'; {'; '.join(hashes)}; base-uri 'none'; form-action 'none'"
    assert policy in Parsed(page).attribute("content")


def test_all_that_is_known_of_a_finding_is_there() -> None:
    given = sides.everything()
    text = Parsed(given.page()).text
    for finding in given.findings:
        for known in (finding.subject, finding.impact, finding.fix, finding.package, *finding.needed_by):
            assert known is None or known in text
    for kind in {finding.kind for finding in given.findings}:
        assert TITLES[kind][0] in text


def test_the_two_sides_are_described() -> None:
    text = Parsed(sides.everything().page()).text
    assert "Expected: image Name acme/datascience:2024.3 Python 3.9.18 System Debian GNU/Linux 12 (bookworm)" in text
    assert f"Digest sha256:{'3f1c' * 16} Built 2024-01-01T00:00:00Z Pulled 2024-02-02" in text
    assert "Actual: environment Name .venv Python 3.9.18 System Fedora Linux 40" in text
    assert "OS packages rpm has other names and versions than dpkg" in text


def test_commands_are_few_and_harmless_ones_are_none() -> None:
    page = sides.everything().page()
    start = page.index("What to do")
    told = Parsed(page[start - len("<h3>") : page.index("</div>", start)]).text
    assert "export LANG=C.UTF-8 TZ=Asia/Tokyo Copy" in told
    assert "uv pip uninstall --python .venv black ruff Copy" in told
    assert "dnf install gdal-libs libgomp libsndfile graphviz" in told
    assert "the image's, or newer export" in told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            sides.everything(),
            "5 needs are not met, 6 differences inside the environment, 5 may differ around it, "
            "14 are harmless; 30 of 35 distributions identical, byte for byte.",
        ),
        (sides.many(4), "1 difference inside the environment, 3 are harmless; 120 of 500 distributions identical."),
    ],
    ids=["everything", "without fidelity"],
)
def test_it_all_comes_to_one_sentence(given: sides.Input, said: str) -> None:
    assert verdict(given.findings, given.comparison, given.fidelity) == said


def test_where_nothing_differs_the_page_says_so() -> None:
    same = sides.compared((), image(distribution("a")), local(distribution("a")))
    text = Parsed(same.page()).text
    assert "No drift; 1 of 1 distribution identical." in text
    assert "Findings 0 Nothing differs." in text


def test_where_nothing_is_counted_there_is_no_picture() -> None:
    given = sides.compared((), published(), published())
    parsed = Parsed(given.page())
    assert "Overview" not in parsed.text
    assert "Expected: published list Name acme/app:1 Python 3.9 Dated 2020-02" in parsed.text


def test_what_is_so_of_all_findings_is_no_choice() -> None:
    parsed = Parsed(sides.many(40).page())
    assert parsed.attribute("data-value") == ["harmless", "warning", "note", "python", "os"]


@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=2, unique_by=lambda name: name.lower()))
def test_whatever_the_names_are_the_elements_are_the_same(names: list[str]) -> None:
    assert Parsed(sides.hostile(*names).page()).names == Parsed(sides.hostile("a", "b").page()).names
