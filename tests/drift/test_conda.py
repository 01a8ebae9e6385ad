"""Drift of conda packages: one finding a package, and none of the distributions in it as well."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from envsync.drift.compare import compare, not_compared
from envsync.drift.comparison import Counts, describe_comparison
from envsync.drift.finding import Finding, NotCompared
from envsync.model import CondaEnvironment, CondaPackage, Snapshot
from envsync.report import text
from tests.drift.sides import image, local, other_image, published
from tests.factory import distribution
from tests.report.test_json import rendered

MAIN, FORGE = "https://repo.anaconda.com/pkgs/main", "https://conda.anaconda.org/conda-forge"
CREATE = "envsync create .venv --image acme/app:1"


def package(name: str = "zlib", version: str = "1.2", build: str = "h1_0", **fields: object) -> CondaPackage:
    values = {"channel": MAIN, "subdir": "linux-64", "sha256": "a" * 64, **fields}
    url = f"{values['channel']}/{values['subdir']}/{name}-{version}-{build}.tar.bz2"
    return CondaPackage(name=name, version=version, build=build, **{"url": url, **values})


def conda(*packages: CondaPackage) -> dict[str, object]:
    return {"conda": (CondaEnvironment(prefix=PurePosixPath("/usr/local"), packages=packages),)}


def two(ours: CondaPackage, theirs: CondaPackage) -> tuple[Finding, ...]:
    return compare(image(**conda(ours)), local(**conda(theirs)))


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, str, str | None, str | None]]:
    return [(f.kind, f.severity, f.subject, f.expected, f.actual) for f in findings]


def test_missing_names_who_needs_it() -> None:
    zlib, png = package(), package("libpng", depends=("zlib >=1.2,<1.3.0a0", "__glibc >=2.17"))
    (finding,) = compare(image(**conda(zlib, png)), other_image(**conda(png)))
    assert told((finding,)) == [("conda-package-missing", "error", "zlib", "1.2 h1_0", None)]
    assert finding.impact == "What imports, loads or runs its files fails; needed by libpng."
    assert finding.fix is None


def test_the_fix_of_a_local_environment_is_to_create_it() -> None:
    (finding,) = two(package(), package(version="1.3"))
    assert (finding.kind, finding.severity, finding.fix) == ("conda-package-version", "error", CREATE)


def test_extra() -> None:
    found = compare(image(**conda()), local(**conda(package())))
    assert told(found) == [("conda-package-extra", "note", "zlib", None, "1.2 h1_0")]


@pytest.mark.parametrize(
    ("theirs", "kind", "severity", "expected", "actual"),
    [
        (package(build="h2_1"), "conda-package-build", "warning", "1.2 h1_0", "1.2 h2_1"),
        (
            package(subdir="osx-64"),
            "conda-package-build",
            "warning",
            "1.2 h1_0 (linux-64)",
            "1.2 h1_0 (osx-64)",
        ),
        (package(channel=FORGE), "conda-package-channel", "note", MAIN, FORGE),
        (package(channel=FORGE, sha256=None), "conda-package-channel", "warning", MAIN, FORGE),
        (package(channel=FORGE, sha256="b" * 64), "conda-package-channel", "warning", MAIN, FORGE),
        (
            package(sha256="b" * 64),
            "conda-package-hash",
            "warning",
            "sha256:" + "a" * 64,
            "sha256:" + "b" * 64,
        ),
    ],
)
def test_the_first_difference_is_told(
    theirs: CondaPackage, kind: str, severity: str, expected: str, actual: str
) -> None:
    assert told(two(package(), theirs)) == [(kind, severity, "zlib", expected, actual)]


def test_hashes_that_only_one_side_knows_are_no_difference() -> None:
    assert two(package(sha256=None, md5="1" * 32), package()) == ()
    (finding,) = two(package(sha256=None, md5="1" * 32), package(md5="2" * 32))
    assert (finding.kind, finding.actual) == ("conda-package-hash", "md5:" + "2" * 32)


def test_the_same_files_in_another_format_are_no_drift() -> None:
    url = f"{MAIN}/linux-64/zlib-1.2-h1_0.conda"
    same, other = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    assert two(package(paths=same), package(paths=same, url=url, sha256="b" * 64)) == ()
    (unknown,) = two(package(), package(url=url, sha256="b" * 64))
    assert (unknown.kind, unknown.severity) == ("conda-package-hash", "note")
    (changed,) = two(package(paths=same), package(paths=other, url=url, sha256="b" * 64))
    assert (changed.kind, changed.severity) == ("conda-package-hash", "warning")
    (again,) = two(package(paths=same), package(paths=same, sha256="b" * 64))
    assert (again.kind, again.severity) == ("conda-package-hash", "note")


def test_files_that_one_side_lacks() -> None:
    ours = package(files=5, missing=("share/doc",))
    found = two(ours, package(files=5, missing=("bin/z", "lib/z.so", "share/doc")))
    assert told(found) == [("conda-files-missing", "error", "zlib", "5 files", "2 missing: bin/z, lib/z.so")]
    assert told(two(ours, package(files=5))) == [
        ("conda-files-missing", "note", "zlib", "1 missing: share/doc", "5 files")
    ]
    assert two(ours, ours) == ()


def test_pip_over_conda_on_one_side() -> None:
    over = package("numpy", overwritten=("lib/numpy/a.py",), overwritten_by=("numpy",))
    (finding,) = two(package("numpy"), over)
    assert told((finding,)) == [
        (
            "conda-overwritten",
            "warning",
            "numpy",
            "as conda installed it",
            "1 overwritten by numpy: lib/numpy/a.py",
        )
    ]
    assert two(over, over) == ()


def test_no_conda_environment_is_told_once_and_distributions_are_still_compared() -> None:
    expected = image(distribution("six", conda="six"), distribution("numpy", conda="numpy"), **conda(package("six")))
    found = compare(expected, local(distribution("six")))
    assert [(f.kind, f.subject) for f in found] == [
        ("distribution-missing", "numpy"),
        ("conda-environment-missing", "conda"),
    ]


def test_what_the_other_side_does_not_know_is_not_compared() -> None:
    a_list = published()
    assert compare(image(**conda(package())), a_list) == ()
    note = NotCompared(subject="conda packages", reason="the published list does not tell them")
    assert note in not_compared(image(**conda(package())), a_list)
    note = NotCompared(subject="conda packages", reason="the first side is no conda environment")
    assert compare(image(), other_image(**conda(package()))) == ()
    assert note in not_compared(image(), other_image(**conda(package())))


def test_a_distribution_is_not_told_again() -> None:
    ours = image(
        distribution("Six", "1.15", conda="six"),
        distribution("attrs", "1", conda="attrs"),
        distribution("black", "1"),
        **conda(package("six", "1.15"), package("attrs", "1")),
    )
    theirs = local(distribution("six", "1.16", conda="six"), **conda(package("six", "1.16"), package("attrs", "1")))
    assert [(f.kind, f.subject) for f in compare(ours, theirs)] == [
        ("distribution-missing", "attrs"),  # its package is there: somebody uninstalled it with pip
        ("distribution-missing", "black"),
        ("conda-package-version", "six"),
    ]


def test_a_distribution_that_pip_brought_instead_is_told() -> None:
    ours = image(distribution("six", "1.15", conda="six"), **conda(package("six", "1.15")))
    theirs = local(distribution("six", "1.16"), **conda())
    assert [f.kind for f in compare(ours, theirs)] == ["conda-package-missing", "distribution-version"]


def test_a_list_of_conda_packages_does_not_name_distributions() -> None:
    a_list = Snapshot(
        source=published().source,
        interpreters=published().interpreters,
        conda=(CondaEnvironment(packages=(package("six"),)),),
    )
    theirs = local(distribution("six", conda="six"), distribution("black"), **conda(package("six")))
    assert [(f.kind, f.subject) for f in compare(a_list, theirs)] == [("distribution-extra", "black")]


def test_names_that_do_not_count() -> None:
    assert compare(image(**conda(package())), local(**conda()), ignore=frozenset({"zlib"})) == ()  # type: ignore[arg-type]


def test_counts_in_both_reports() -> None:
    ours, theirs = image(**conda(package(), package("xz"))), local(**conda(package(version="2"), package("xz")))
    findings = compare(ours, theirs)
    comparison = describe_comparison(ours, theirs, findings)
    assert comparison.conda == Counts(compared=2, identical=1)
    shown = text.render(findings, comparison)
    assert "error: 1 conda package of another version\n  zlib  1.2 -> 2\n" in shown
    assert "drift: 1 error; 1 of 2 conda packages identical\n" in shown
    assert '"conda": {\n    "compared": 2,\n    "identical": 1\n  }' in rendered(ours, theirs)
    assert '"conda"' not in rendered(image(), local())


def test_hostile_text_is_escaped() -> None:
    ours = package("zlib", missing=())
    (finding,) = two(ours, package(missing=("a\x1b[31m",), files=1))
    assert finding.actual == r"1 missing: a\x1b[31m"
