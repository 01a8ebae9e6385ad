from __future__ import annotations

from envsync.report.html.needed import needed
from envsync.report.html.overview import Bar, Part, bars, picture
from tests.report.html import sides
from tests.report.html.parsed import Parsed


def told(given: sides.Input) -> dict[str, list[tuple[str, int]]]:
    needs = needed(given.findings, given.expected.needs, given.actual.needs)
    shown = bars(given.findings, given.comparison, given.fidelity, needs, given.expected)
    return {bar.title: [(part.word, part.number) for part in bar.parts] for bar in shown}


def parsed(shown: list[Bar]) -> Parsed:
    drawn = picture(shown)
    assert drawn is not None
    return Parsed(drawn)


def test_each_part_of_the_environment_has_a_bar() -> None:
    assert told(sides.everything()) == {
        "Distributions": [
            ("identical", 30),
            ("of another build", 2),
            ("of another version", 1),
            ("missing", 1),
            ("not comparable", 1),
        ],
        "Standard library": [("identical", 212), ("differ", 2)],
        "Shared libraries": [("there", 5), ("may differ", 1), ("breaks", 4)],
        "Commands": [("there", 2), ("breaks", 1)],
        "Data of the system": [("there", 1), ("may differ", 2)],
        "OS packages": [("the same", 7), ("harmless", 14)],
    }


def test_without_fidelity_versions_count() -> None:
    assert told(sides.many(40)) == {
        "Distributions": [("identical", 120), ("differ", 380)],
        "OS packages": [("harmless", 30)],
    }


def test_however_few_there_are_they_are_seen() -> None:
    shown = parsed([Bar("Modules", "", (Part("same", 9_999, "identical"), Part("differs", 1, "differ")))])
    widths = [
        float(attributes["width"].removesuffix("%"))
        for name, attributes in shown.elements
        if name == "rect" and "x" in attributes
    ]
    assert [f"{width:.1f}" for width in widths] == ["98.5", "1.5"]


def test_figures_are_there_in_words() -> None:
    shown = parsed([Bar("Modules", "", (Part("same", 3, "identical"), Part("differs", 1, "differ")))])
    assert "Modules: 3 identical, 1 differ" in shown.attribute("aria-label")
    assert picture([Bar("Nothing", "", ())]) is None
