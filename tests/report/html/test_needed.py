from __future__ import annotations

from msgspec.structs import replace

from envsync.drift.finding import Finding
from envsync.model import NeededBy, NeededLibrary, Needs, Resource
from envsync.report.html.needed import needed
from tests.report.html import sides

GIVEN = sides.everything()


def test_what_breaks_comes_first() -> None:
    found = needed(GIVEN.findings, GIVEN.expected.needs, GIVEN.actual.needs)
    assert [(need.group, need.name, need.state) for need in found[:9]] == [
        ("library", "libgdal.so.32", "breaks"),
        ("library", "libgomp.so.1", "breaks"),
        ("library", "libstdc++.so.6", "breaks"),
        ("command", "dot", "breaks"),
        ("library", "libsndfile.so.1", "breaks"),
        ("library", "libxml2.so.2", "may-differ"),
        ("resource", "locale", "may-differ"),
        ("resource", "time zone data", "may-differ"),
        ("library", "libc.so.6", "there"),
    ]


def test_each_leads_to_its_finding() -> None:
    for need in needed(GIVEN.findings, GIVEN.expected.needs, GIVEN.actual.needs):
        if need.finding is not None:
            finding: Finding = GIVEN.findings[need.finding]
            assert finding.subject in (need.name, need.package)


def test_what_the_other_side_has_and_lacks() -> None:
    found = {need.name: need for need in needed(GIVEN.findings, GIVEN.expected.needs, GIVEN.actual.needs)}
    assert found["libgomp.so.1"].here is None
    assert found["libgomp.so.1"].package == "libgomp1"
    assert found["libgomp.so.1"].needed_by == ("lightgbm", "scikit-learn", "xgboost")
    assert found["libstdc++.so.6"].here == "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
    assert found["libstdc++.so.6"].lacking == ("GLIBCXX_3.4.30", "GLIBCXX_3.4.31")
    assert (found["time zone data"].value, found["time zone data"].here) == ("2024a", "2025b")


def test_where_nobody_looked_nothing_is_known() -> None:
    assert {need.state for need in needed((), GIVEN.expected.needs, None)} == {"unknown"}
    assert needed(GIVEN.findings, None, GIVEN.actual.needs) == ()


def test_a_package_of_another_version_is_told_of_each_of_its_libraries() -> None:
    by = (NeededBy(name="a"),)
    needs = Needs(
        objects=1,
        libraries=tuple(NeededLibrary(soname=name, package="p", needed_by=by) for name in ("x.so", "y.so")),
    )
    found = (sides.finding("library-version", "p", "1", "2", package="p"),)
    assert [(need.state, need.finding) for need in needed(found, needs, needs)] == [("may-differ", 0)] * 2


def test_data_of_one_package_is_not_told_of_other_data_of_it() -> None:
    zone = Resource(kind="time-zone", value="Asia/Tokyo", package="tzdata")
    data = Resource(kind="time-zone-data", value="2024a", package="tzdata")
    here = Needs(objects=0, resources=(replace(zone, value="Etc/UTC"), replace(data, value="2025b")))
    other = sides.finding("resource-version", "time zone data", "2024a", "2025b", package="tzdata", verdict="harmless")
    variable = sides.finding("environment-variable", "TZ", "Asia/Tokyo")
    found = needed((variable, other), Needs(objects=0, resources=(zone, data)), here)
    assert [(need.name, need.state, need.finding) for need in found] == [
        ("time zone", "may-differ", 0),
        ("time zone data", "harmless", 1),
    ]
