"""What packages ask of the machine; match specs are held against rattler's own."""

from __future__ import annotations

import pytest
import rattler
from hypothesis import given
from hypothesis import strategies as st

from envsync.drift.compare import compare, not_compared
from envsync.drift.finding import Finding, NotCompared
from envsync.drift.match import compare_versions, matches_build, matches_version
from envsync.drift.virtual import Host, compare_virtual, fits
from envsync.model import CondaPackage
from tests.drift.sides import image, local, other_image
from tests.drift.test_conda import conda, package

HOST = ("__archspec=1=x86_64_v3", "__glibc=2.31=0", "__linux=5.10.0=0", "__unix=0=0")


def asking(*depends: str, name: str = "zlib", constrains: tuple[str, ...] = ()) -> CondaPackage:
    return package(name, depends=depends, constrains=constrains)


def found(*packages: CondaPackage, host: tuple[str, ...] = HOST) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
    return compare_virtual(image(**conda(*packages)), local(**conda(*packages), virtual_packages=host))


@pytest.mark.parametrize(
    "spec",
    [
        "__glibc >=2.17,<3.0.a0",
        "__glibc >=2.17, <3.0.a0",
        "__glibc >= 2.17",
        "__glibc",
        "__glibc 2.31",
        "__glibc 2.31.*",
        "__glibc =2",
        "__glibc=2.31",
        "__glibc ==2.31.0",
        "__glibc <2|>2.30",
        "__glibc !=2.30",
        "__glibc !=2.30.*",
        "__glibc * 0",
        "__archspec 1 x86_64_v2",
        "__archspec 1 x86_64_v3",
        "__archspec 1.*",
        "__unix",
        "__linux",
        "python >=99",
    ],
)
def test_what_fits(spec: str) -> None:
    assert found(asking(spec)) == ((), ())


@pytest.mark.parametrize(
    ("spec", "subject", "expected", "actual"),
    [
        ("__glibc >=2.34,<3.0.a0", "__glibc", ">=2.34,<3.0.a0", "2.31"),
        ("__glibc 2.30.*", "__glibc", "2.30.*", "2.31"),
        ("__glibc !=2.31", "__glibc", "!=2.31", "2.31"),
        ("__cuda >=11", "__cuda", ">=11", "not on this machine"),
        ("__osx >=10.13", "__osx", ">=10.13", "not on this machine"),
        ("__win", "__win", "any", "not on this machine"),
        ("__archspec 1 x86_64_v4", "__archspec", "1 x86_64_v4", "1 x86_64_v3"),
    ],
)
def test_what_does_not_fit(spec: str, subject: str, expected: str, actual: str) -> None:
    (finding,), notes = found(asking(spec))
    assert (finding.kind, finding.severity, notes) == ("conda-virtual-package", "error", ())
    assert (finding.subject, finding.expected, finding.actual) == (subject, expected, actual)
    assert finding.impact == "The machine lacks what packages need; they may not load or run: zlib."
    assert finding.fix
    assert finding.fix[0].isupper()


def test_one_finding_a_virtual_package() -> None:
    one, other = asking("__glibc >=2.34"), asking("__glibc >=2.35", "__glibc >=2.17", name="xz")
    (finding,), _ = found(one, other)
    assert finding.expected == ">=2.34 and >=2.35"
    assert finding.impact.endswith(": xz, zlib.")


def test_constrains_count_only_where_it_is_there() -> None:
    assert found(asking(constrains=("__cuda >=12",))) == ((), ())
    (finding,), _ = found(asking(constrains=("__cuda >=12",)), host=(*HOST, "__cuda=11.8=0"))
    assert (finding.severity, finding.actual) == ("warning", "11.8")


@pytest.mark.parametrize(
    "spec",
    [
        "__archspec 1 skylake",
        "__glibc ~=2.17",
        "__glibc >=2.17[build=0]",
        "__glibc[version='>=2']",
        "__glibc 1!2",
        "__conda >=24",
        "__glibc 2 0 0",
    ],
)
def test_what_cannot_be_told_is_no_verdict(spec: str) -> None:
    told = spec.replace("c[v", "c [v")
    findings, (note,) = found(asking(spec))
    assert findings == ()
    assert note.reason == f"whether the machine fits cannot be told: {told}"


def test_only_a_machine_is_asked() -> None:
    needy = asking("__cuda >=11")
    assert compare_virtual(image(**conda(needy)), other_image(**conda(needy))) == ((), ())
    assert compare_virtual(image(), local(virtual_packages=HOST)) == ((), ())
    note = NotCompared(subject="virtual packages of conda", reason="those of this machine are not known")
    assert found(needy, host=()) == ((), (note,))


def test_it_is_part_of_the_comparison() -> None:
    needy = conda(asking("__cuda >=11", "__archspec 1 zen4"))
    expected, actual = image(**needy), local(**needy, virtual_packages=HOST)
    assert [f.subject for f in compare(expected, actual)] == ["__cuda"]
    assert compare(expected, actual, ignore=frozenset({"-cuda"})) == ()  # type: ignore[arg-type]
    reason = "whether the machine fits cannot be told: __archspec 1 zen4"
    assert NotCompared(subject="__archspec", reason=reason) in not_compared(expected, actual)


@pytest.mark.parametrize(
    ("spec", "build", "verdict"),
    [("*", "h1", True), ("h*_0", "h1_0", True), ("h*_0", "h1_1", False), ("a*a", "a", False), ("*1*2*", "0102", True)],
)
def test_builds(spec: str, build: str, verdict: bool) -> None:
    assert matches_build(spec, build) is verdict


NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
VERSIONS = st.builds(str.__add__, NUMBERS, st.sampled_from(["", "", "a0", ".a0", "rc1", "b", ".alpha3"]))
OPERATORS = st.sampled_from([">=", ">", "<=", "<", "==", "!="])
CLAUSES = st.one_of(
    st.builds(str.__add__, OPERATORS, VERSIONS),
    st.builds("={}".format, NUMBERS),
    st.builds("{}.*".format, NUMBERS),
    st.builds("!={}.*".format, NUMBERS),
    st.just("*"),
)
SPECS = st.lists(st.lists(CLAUSES, min_size=1, max_size=3).map(",".join), min_size=1, max_size=3).map("|".join)


@given(SPECS, NUMBERS)
def test_a_verdict_is_rattlers(spec: str, version: str) -> None:
    verdict = matches_version(spec, version)
    if verdict is not None:
        record = rattler.PackageRecord(
            name="__glibc", version=version, build=rattler.BuildString("0"), build_number=0, subdir="linux-64"
        )
        assert verdict == rattler.MatchSpec(f"__glibc[version='{spec}']").matches(record)


@given(OPERATORS, VERSIONS, NUMBERS)
def test_simple_specs_have_a_verdict(operator: str, wanted: str, version: str) -> None:
    assert matches_version(operator + wanted, version) is not None


@given(VERSIONS, VERSIONS)
def test_versions_are_in_rattlers_order(one: str, other: str) -> None:
    left, right = rattler.Version(one), rattler.Version(other)
    assert compare_versions(one, other) == (0 if left == right else -1 if left < right else 1)


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_text_raises(spec: str, version: str, build: str) -> None:
    for name in ("__glibc", "__archspec"):
        assert fits(spec, name, Host(version=version, build=build)) in (True, False, None)
    compare_virtual(
        image(**conda(asking(f"__glibc {spec}"))),
        local(**conda(), virtual_packages=(f"__glibc={version}={build}", version)),
    )
