"""What holds for any two snapshots."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from envsync.drift.compare import compare, not_compared
from envsync.drift.comparison import Counts, describe_comparison
from envsync.drift.finding import Finding, NotCompared, ranked
from envsync.model import (
    ArchiveOrigin,
    DirectoryOrigin,
    Distribution,
    EnvironmentVariable,
    ImageConfig,
    Interpreter,
    LocalSource,
    NeededBy,
    NeededCommand,
    NeededLibrary,
    Needs,
    OperatingSystem,
    OsPackage,
    Resource,
    Skipped,
    Snapshot,
    VcsOrigin,
)
from envsync.redaction import printable
from envsync.reference import Platform
from envsync.report import json, text
from tests.drift.sides import image, local, os_package, other_image, published, variables, with_python
from tests.factory import distribution, source

words = st.sampled_from(["a", "B", "a_b", "A-b", "pip", "1.0", "2", "\x1b[31m", "; rm", "\u202e", ""]) | st.text(
    max_size=4
)
origins = st.none() | st.one_of(
    st.builds(VcsOrigin, url=words, vcs=words, commit=words, subdirectory=st.none() | words),
    st.builds(ArchiveOrigin, url=words, hashes=st.tuples(words)),
    st.builds(DirectoryOrigin, url=words, editable=st.booleans()),
)
distributions = st.builds(
    Distribution, name=words, version=words, origin=origins, requires=st.lists(words, max_size=2).map(tuple)
)
os_packages = st.builds(
    OsPackage,
    manager=st.sampled_from(["dpkg", "apk"]),
    name=words,
    version=words,
    architecture=st.sampled_from(["amd64", "all", "i386"]),
    source=words,
)
interpreters = st.builds(
    Interpreter,
    version=st.sampled_from(["3.7", "3.7.16", "3.13.0", ""]) | words,
    implementation=st.sampled_from(["cpython", "pypy"]),
    abi=st.none() | st.sampled_from(["cp37m", "cp313t"]) | words,
    distributions=st.lists(distributions, max_size=4).map(tuple),
)
some_words = st.lists(words, max_size=2).map(tuple)
places = st.none() | words.map(PurePosixPath)
needs = st.builds(
    Needs,
    objects=st.just(1),
    libraries=st.lists(
        st.builds(
            NeededLibrary,
            soname=words,
            path=places,
            package=st.none() | words,
            lacking=some_words,
            broken=some_words,
            needed_by=st.lists(st.builds(NeededBy, name=words, versions=some_words), max_size=2).map(tuple),
        ),
        max_size=3,
        unique_by=lambda one: one.soname,
    ).map(tuple),
    commands=st.lists(
        st.builds(NeededCommand, name=words, path=places, package=st.none() | words, needed_by=some_words),
        max_size=2,
        unique_by=lambda one: one.name,
    ).map(tuple),
    resources=st.lists(
        st.builds(
            Resource,
            kind=st.sampled_from(["locale", "certificates", "fonts", "dynamic-library", "time-zone"]),
            value=st.none() | words,
            path=places,
            name=st.none() | words,
            needed_by=some_words,
        ),
        max_size=3,
        unique_by=lambda one: (one.kind, one.name),
    ).map(tuple),
)
snapshots = st.builds(
    Snapshot,
    source=st.sampled_from([source(), published().source, LocalSource(path=PurePosixPath(".venv"))]),
    platform=st.none() | st.sampled_from([Platform(os="linux", architecture=a) for a in ("amd64", "arm64")]),
    config=st.none()
    | st.builds(
        ImageConfig,
        env=st.lists(st.builds(EnvironmentVariable, name=words, value=st.none() | words), max_size=3).map(tuple),
    ),
    os=st.none() | st.builds(OperatingSystem, id=words, version_id=words),
    interpreters=st.tuples(interpreters),
    os_packages=st.none() | st.lists(os_packages, max_size=4).map(tuple),
    needs=st.none() | needs,
)


@given(snapshots)
def test_nothing_differs_from_itself(side: Snapshot) -> None:
    assert compare(side, side) == ()


@settings(max_examples=200)
@given(snapshots, snapshots)
def test_any_two_can_be_compared_and_reported(expected: Snapshot, actual: Snapshot) -> None:
    findings = compare(expected, actual)
    assert findings == ranked(reversed(findings))
    assert all(finding.impact for finding in findings)
    assert [finding for finding in findings if finding.expected == finding.actual] == []
    assert all(finding.fix is None or finding.fix.isprintable() for finding in findings)
    comparison = describe_comparison(expected, actual, findings)
    report = text.render(findings, comparison)
    assert all(printable(line) == line for line in report.split("\n"))
    assert json.render(findings, comparison)


def test_most_important_first() -> None:
    expected = with_python(
        image(
            distribution("zebra"),
            distribution("b", "1.0"),
            distribution("a", "1.0"),
            config=variables(TZ="UTC", DEBIAN_FRONTEND="x"),
            os_packages=(os_package("libc6"), os_package("x", "1")),
        ),
        version="3.9.1",
    )
    actual = local(
        distribution("a", "1.1"),
        distribution("b", "2.0"),
        distribution("extra"),
        config=variables(),
        os_packages=(os_package("x", "2"),),
    )
    assert [(f.severity, f.kind, f.subject) for f in compare(expected, actual)] == [
        ("error", "distribution-missing", "zebra"),
        ("error", "distribution-version", "b"),
        ("warning", "interpreter-version", "python"),
        ("warning", "distribution-version", "a"),
        ("warning", "distribution-extra", "extra"),
        ("warning", "environment-variable", "TZ"),
        ("warning", "os-package-missing", "libc6"),
        ("note", "environment-variable", "DEBIAN_FRONTEND"),
        ("note", "os-package-version", "x"),
    ]


def drifted() -> tuple[Snapshot, Snapshot]:
    expected = image(
        distribution("a"), distribution("c"), config=variables(TZ="UTC"), os_packages=(os_package("libfoo"),)
    )
    return expected, local(distribution("B"), config=variables(), os_packages=(os_package("bash"),))


def test_scopes() -> None:
    for scope in ("python", "env", "os"):
        findings = compare(*drifted(), scopes=frozenset({scope}))
        assert {f.scope for f in findings} == {scope}


def test_ignored_names_do_not_count() -> None:
    ignore = frozenset({"a", "b", "c", "tz", "libfoo"})
    assert compare(*drifted(), ignore=ignore) == ()
    assert [f.subject for f in compare(*drifted(), ignore=ignore - {"b"})] == ["B"]


def test_what_was_not_compared_is_told() -> None:
    listed = published(distribution("a"), version="3.9")
    unread = Skipped(subject="broken", place="/x/broken.dist-info", reason="no METADATA")
    here = local(skipped=(unread,), config=variables(TOKEN=None))
    assert not_compared(listed, here, ignore=frozenset({"z", "y"})) == (
        NotCompared(subject="y, z", reason="ignored by choice"),
        NotCompared(
            subject="environment variables, operating system",
            reason="a published list of distributions does not tell them",
        ),
        NotCompared(subject="pip, setuptools, wheel", reason="the published list does not name them"),
        NotCompared(subject="patch version of Python", reason="the published list only says 3.9"),
        NotCompared(subject="TOKEN", reason="only whether it is set: its value was withheld"),
        NotCompared(subject="broken", reason="/x/broken.dist-info: no METADATA"),
    )
    assert not_compared(image(os_packages=None), other_image(), scopes=frozenset({"os"})) == (
        NotCompared(subject="Python, environment variables", reason="not asked for"),
        NotCompared(subject="OS packages", reason="none are known of the first side"),
    )


def test_what_is_identical_is_counted() -> None:
    expected = image(*(distribution(name) for name in ("a", "b", "c", "d", "e", "f")))
    actual = local(distribution("a"), distribution("b", "2"), distribution("D"), distribution("f"))
    ignore = frozenset({"e"})
    changed = Finding(
        kind="distribution-modified", scope="python", severity="error", subject="f", impact="It is broken."
    )
    findings = (*compare(expected, actual, ignore=ignore), changed)
    comparison = describe_comparison(expected, actual, findings, ignore=ignore)
    assert comparison.distributions == Counts(compared=5, identical=2)
    only_os = describe_comparison(expected, actual, (), scopes=frozenset({"os"}))
    assert only_os.distributions == Counts(compared=0, identical=0)
