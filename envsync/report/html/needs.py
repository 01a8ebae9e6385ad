"""Which distribution needs which library and package, from both ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from envsync.report.html.findings import mark, names
from envsync.report.html.markup import Markup, count, isolated, said, tag
from envsync.report.html.needed import Need, State, rank

_GROUPS = {"library": "library", "command": "command", "resource": "data"}
_WORDS: dict[State, str] = {
    "there": "there",
    "may-differ": "may differ",
    "breaks": "breaks",
    "harmless": "harmless",
    "neither": "in neither",
    "unknown": "not known",
}


def by_distribution(needs: Sequence[Need]) -> dict[str, list[int]]:
    """Positions of what each distribution needs, by its name: those that lack something come first."""
    found: dict[str, list[int]] = {}
    for position, need in enumerate(needs):
        for name in need.needed_by:
            found.setdefault(name, []).append(position)
    return dict(sorted(found.items(), key=lambda item: (rank(needs[item[1][0]].state), item[0].lower(), item[0])))


def identifiers(needs: Sequence[Need]) -> dict[str, str]:
    """Where the page says what a distribution needs, by its name."""
    return {name: f"d{number}" for number, name in enumerate(by_distribution(needs))}


def section(needs: Sequence[Need], objects: int) -> Markup | None:
    """Both lists; the script shows one at a time."""
    if not needs:
        return None
    users, ids = by_distribution(needs), identifiers(needs)
    counts = f"{count(len(users), 'distribution')}, {count(objects, 'compiled file')}, {count(len(needs), 'need')}"
    views = (("by-need", "By what is needed"), ("by-distribution", "By distribution"))
    buttons = (
        tag("button", title, type="button", aria_pressed="true" if number == 0 else "false", data_view=view)
        for number, (view, title) in enumerate(views)
    )
    return tag(
        "section",
        tag("h2", "What needs what of the system"),
        tag("p", counts, class_="under"),
        tag("div", *buttons, role="group", aria_label="View", class_="views"),
        tag("div", _table(needs, ids), id="by-need", class_="view"),
        tag("div", *_cards(needs, users, ids), id="by-distribution", class_="view"),
        id="needs",
    )


def _table(needs: Sequence[Need], ids: Mapping[str, str]) -> Markup:
    head = ("Verdict", "Needed", "Expected", "Actual", "By")
    return tag(
        "table",
        tag("caption", "What the environment needs of the system", class_="unseen"),
        tag("thead", tag("tr", *(tag("th", name, scope="col", role="columnheader") for name in head), role="row")),
        tag("tbody", *(_row(number, need, ids) for number, need in enumerate(needs)), role="rowgroup"),
        role="table",
        class_="needs",
    )


def _row(number: int, need: Need, ids: Mapping[str, str]) -> Markup:
    word: Markup = mark(need.state, _WORDS[need.state])
    if need.finding is not None:
        word = tag("a", word, href=f"#f{need.finding}", title="The finding")
    source = [said(one) for one in (need.value, need.path) if one is not None]
    source += [tag("span", "of ", isolated(need.package), class_="package")] if need.package is not None else []
    lacking = tag("span", said(f"without {', '.join(need.lacking)}"), class_="lacking") if need.lacking else None
    cells = (
        ("Verdict", "weight", word),
        ("Expected", "value", tag("div", *source) if source else tag("i", "none")),
        ("Actual", "value", tag("div", said(need.here) if need.here is not None else tag("i", "none"), lacking)),
        ("By", "by", names(need.needed_by, ids) if need.needed_by else tag("i", "whatever runs")),
    )
    first, *rest = (tag("td", content, class_=look, role="cell", data_label=label) for label, look, content in cells)
    kind = tag("small", _GROUPS[need.group])
    name = tag("th", isolated(need.name), kind, scope="row", role="rowheader")
    return tag("tr", first, name, *rest, id=f"n{number}", role="row")


def _cards(needs: Sequence[Need], users: Mapping[str, list[int]], ids: Mapping[str, str]) -> Iterator[Markup]:
    for name, positions in users.items():
        chips = (_chip(position, needs[position]) for position in positions)
        yield tag(
            "article",
            tag("h3", isolated(name), tag("small", count(len(positions), "need"))),
            tag("p", *chips, class_="chips"),
            id=ids[name],
        )


def _chip(position: int, need: Need) -> Markup:
    word = _WORDS[need.state]
    package = tag("small", isolated(need.package)) if need.package is not None else None
    inside = (isolated(need.name), tag("span", f" ({word})", class_="unseen"), package)
    return tag("a", *inside, href=f"#n{position}", class_=f"mark mark-{need.state}", title=word)
