"""Which distribution brings which: whole trees."""

from __future__ import annotations

from envsync.model import Snapshot
from envsync.report.tree import render_tree
from tests.drift.sides import published
from tests.factory import distribution, snapshot
from tests.report.inventory import inventory


def test_a_whole_tree() -> None:
    assert render_tree(inventory()).splitlines() == [
        "Flask 2.0.1",
        "├── click 8.0.1",
        "├── Jinja2 2.11 (wanted: >=3)",
        "│   └── MarkupSafe 2.0.1",
        "└── tornado (not installed; wanted: >6)",
        "mine 0.1",
        "Proj 0.1",
        "├── numpy 1.21.6",
        "└── ring-a[fast] 1.0",
        "    └── ring-b 1.0",
        "        └── ring-a 1.0 (a circle)",
    ]


def test_ascii_only() -> None:
    tree = render_tree(inventory(), ascii_only=True)
    assert tree.isascii()
    assert "|-- click 8.0.1\n|-- Jinja2 2.11 (wanted: >=3)\n|   `-- MarkupSafe 2.0.1\n`-- tornado" in tree


def test_a_subtree_is_shown_once() -> None:
    tree = render_tree(
        snapshot(
            distribution("a", requires=("common",)),
            distribution("b", requires=("common", "leaf")),
            distribution("common", requires=("leaf",)),
            distribution("leaf"),
        )
    )
    assert tree == "a 1.0\n└── common 1.0\n    └── leaf 1.0\nb 1.0\n├── common 1.0 (see above)\n└── leaf 1.0\n"


def test_lines_of_one_requirement_are_put_together_and_markers_are_those_of_the_image() -> None:
    tree = render_tree(
        snapshot(
            distribution(
                "a",
                requires=("b>=1", "b[x]<2", "b[y]; sys_platform == 'linux'", "c; python_version < '3.9'", "a[z]"),
            ),
            distribution("b", "3.0", requires=("not a requirement", "d; extra == 'x'"), extras=("x", "y")),
        )
    )
    assert tree == "a 1.0\n└── b[x,y] 3.0 (wanted: >=1,<2)\n    └── d (not installed; wanted: any version)\n"


def chain(length: int) -> Snapshot:
    return snapshot(
        *(distribution(f"d{n}", requires=(f"d{n + 1}",)) for n in range(length)), distribution(f"d{length}")
    )


def test_thousands_of_levels_are_cut() -> None:
    lines = render_tree(chain(3000)).splitlines()
    assert len(lines) == 41
    assert lines[-1].endswith("└── d40 1.0 (deeper than is shown)")


def test_a_circle_that_nobody_needs() -> None:
    ring = snapshot(distribution("a", requires=("b",)), distribution("b", requires=("a",)))
    assert render_tree(ring) == "a 1.0\n└── b 1.0\n    └── a 1.0 (a circle)\nb 1.0\n└── a 1.0 (see above)\n"


def test_a_list_tells_no_tree_and_an_empty_environment_has_none() -> None:
    told = "a published list: which of them the others need is not known\nidna 1.0\nsix 1.0\n"
    assert render_tree(published(distribution("six"), distribution("idna"))) == told
    assert render_tree(snapshot()) == "no distribution\n"
