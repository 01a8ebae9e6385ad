"""Comparisons that have something of everything, that are large, and that are hostile."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import PurePosixPath
from typing import get_args

from msgspec import Struct

from envsync.drift.comparison import Comparison, Counts, describe_comparison
from envsync.drift.finding import Finding, Kind, NotCompared, Scope, Severity, Verdict, ranked
from envsync.exact.fidelity import Fidelity
from envsync.exact.fidelity import Verdict as Graded
from envsync.model import NeededBy, NeededCommand, NeededLibrary, Needs, OperatingSystem, Resource, Snapshot
from envsync.report import html
from tests.drift.sides import image, local, os_package
from tests.factory import distribution, source

_NAMES = """
Pillow certifi charset-normalizer click cryptography fiona gdal idna jinja2 lightgbm lxml markupsafe matplotlib
numpy opencv-python pandas pip psycopg2 pyarrow pydot pyproj pyspark python-dateutil pytz requests scikit-learn
scipy setuptools six soundfile sqlalchemy urllib3 weasyprint wheel xgboost
"""
NAMES = tuple(_NAMES.split())
LIBRARIES = {
    "libc.so.6": ("libc6", "Pillow cryptography lightgbm lxml matplotlib numpy pandas scipy xgboost Python"),
    "libgcc_s.so.1": ("libgcc-s1", "lightgbm pyarrow scipy xgboost"),
    "libgdal.so.32": ("libgdal32", "fiona gdal"),
    "libgomp.so.1": ("libgomp1", "lightgbm scikit-learn xgboost"),
    "libm.so.6": ("libc6", "Pillow numpy scipy"),
    "libpq.so.5": ("libpq5", "psycopg2"),
    "libstdc++.so.6": ("libstdc++6", "matplotlib pandas pyarrow scipy"),
    "libxml2.so.2": ("libxml2", "lxml"),
    "libz.so.1": ("zlib1g", "Pillow Python lxml"),
}
COMMANDS = {"dot": ("graphviz", "pydot"), "java": ("openjdk-17-jre-headless", "pyspark"), "git": ("git", "pip")}
DATA = (
    ("certificates", "/etc/ssl/certs/ca-certificates.crt", "ca-certificates", "requests"),
    ("dynamic-library", "/usr/lib/x86_64-linux-gnu/libsndfile.so.1", "libsndfile1", "soundfile"),
    ("locale", "C.UTF-8", None, ""),
    ("time-zone-data", "2024a", "tzdata", "pytz"),
)
PLACE = PurePosixPath("/usr/lib/x86_64-linux-gnu")
FEDORA = OperatingSystem(id="fedora", version_id="40", pretty_name="Fedora Linux 40")


class Input(Struct, frozen=True):
    """What a page is made of."""

    findings: tuple[Finding, ...]
    comparison: Comparison
    fidelity: Fidelity | None
    expected: Snapshot
    actual: Snapshot

    def page(self) -> str:
        return html.render(self.findings, self.comparison, self.fidelity, self.expected, self.actual)


def finding(
    kind: Kind, subject: str, expected: str | None = None, actual: str | None = None, **more: object
) -> Finding:
    missing = kind.endswith(("missing", "symbols"))
    around: Verdict | None = None
    scope: Scope = "python"
    if kind.startswith(("os-", "library-", "command-", "resource-")):
        scope, around = "os", "breaks" if missing else "may-differ"
    elif kind == "environment-variable":
        scope, around = "env", "may-differ"
    severity: Severity = "error" if missing else "warning"
    fields = {"scope": scope, "severity": severity, "verdict": around, "impact": f"What uses {subject} may fail."}
    return Finding(kind=kind, subject=subject, expected=expected, actual=actual, **{**fields, **more})


def needs(*, here: bool) -> Needs:
    """Those of :data:`NAMES`; ``here``: the same, asked of a machine that has not all of it."""
    absent = {"libgdal.so.32", "libgomp.so.1", "dot", "libsndfile.so.1"} if here else set()
    libraries = []
    for soname, (package, names) in LIBRARIES.items():
        there = soname not in absent
        by = tuple(NeededBy(name=name, versions=("GLIBC_2.17",) * (soname == "libc.so.6")) for name in names.split())
        lacking = ("GLIBCXX_3.4.30", "GLIBCXX_3.4.31") if here and soname == "libstdc++.so.6" else ()
        path, owner = (PLACE / soname, package) if there else (None, None)
        libraries.append(NeededLibrary(soname=soname, path=path, package=owner, lacking=lacking, needed_by=by))
    commands = tuple(
        NeededCommand(
            name=name,
            path=None if name in absent else PurePosixPath("/usr/bin") / name,
            package=package,
            needed_by=tuple(names.split()),
        )
        for name, (package, names) in sorted(COMMANDS.items())
    )
    resources = []
    for kind, value, package, names in DATA:
        name = PurePosixPath(value).name if kind == "dynamic-library" else None
        other = {"2024a": "2025b", "C.UTF-8": "en_US.UTF-8"}.get(value, value) if here else value
        by = tuple(names.split())
        there = None if name in absent else other
        resources.append(Resource(kind=kind, value=there, name=name, package=package, needed_by=by))
    return Needs(objects=412, libraries=tuple(libraries), commands=commands, resources=tuple(resources))


def everything() -> Input:
    """A data science image on a machine of another system."""
    packages = (
        *(os_package(f"lib{letter}1", "1.2-3") for letter in "abcdefghijklmnopqrst"),
        os_package("libxml2", "2.9"),
    )
    installed = [distribution(name, f"{1 + len(name) % 4}.{len(name)}") for name in NAMES]
    digest = "sha256:" + "3f1c" * 16
    expected = image(
        *installed,
        source=source("acme/datascience:2024.3", digest=digest),
        needs=needs(here=False),
        os_packages=packages,
    )
    actual = local(*installed, needs=needs(here=True), os=FEDORA, os_packages=())
    found = ranked(
        (
            *_python(),
            *_system(),
            *(
                finding("os-package-missing", p.name, p.version, verdict="harmless", severity="note")
                for p in packages[:14]
            ),
        )
    )
    comparison = describe_comparison(
        expected,
        actual,
        found,
        expected_lock="lockfiles/acme/datascience/2024.3",
        also_not_compared=(
            NotCompared(subject="files of gdal", reason="the lock does not say which files of the image are its"),
            NotCompared(subject="OS packages", reason="rpm has other names and versions than dpkg"),
        ),
    )
    grades = {"idna": "differs", "six": "missing", "gdal": "unknown", "numpy": "same-release", "scipy": "same-release"}
    verdicts = tuple(
        Graded(
            name=d.name,
            version=d.version,
            grade=grades.get(d.name, "identical"),
            reason={"same-release": "another build of this release", "differs": "3.7 here"}.get(grades.get(d.name), ""),
        )
        for d in installed
    )
    library = Fidelity(verdicts=verdicts, modules=214, differing_modules=("lib-dynload/_ssl", "sysconfig"))
    return Input(found, comparison, library, expected, actual)


def _python() -> tuple[Finding, ...]:
    create = "envsync create .venv --image acme/datascience:2024.3"
    build = "the files of 2.5 as in the image"
    return (
        finding("distribution-missing", "six", "4.3", None, fix=create),
        finding("distribution-version", "idna", "1.4", "3.7", fix=create),
        finding("distribution-build", "numpy", build, "another build of this release", severity="note"),
        finding("distribution-build", "scipy", build, "another build of this release", severity="note"),
        finding(
            "distribution-extra", "ruff", None, "0.5.1", severity="note", fix="uv pip uninstall --python .venv ruff"
        ),
        finding(
            "distribution-extra", "black", None, "24.4", severity="note", fix="uv pip uninstall --python .venv black"
        ),
        finding("environment-variable", "TZ", "Asia/Tokyo", None, fix="export TZ=Asia/Tokyo"),
        finding("environment-variable", "LANG", "C.UTF-8", "en_US.UTF-8", fix="export LANG=C.UTF-8"),
    )


def _system() -> tuple[Finding, ...]:
    def of(kind: Kind, subject: str, expected: str, actual: str | None, package: str, fix: str | None) -> Finding:
        by = LIBRARIES.get(subject) or COMMANDS.get(subject) or next(("", d[3]) for d in DATA if d[2] == package)
        names = tuple(by[1].split())
        return finding(kind, subject, expected, actual, needed_by=names, package=package, fix=fix)

    older = "Make the environment where the system is as new as the image's, or newer"
    return (
        of("library-missing", "libgdal.so.32", "from libgdal32", None, "libgdal32", "dnf install gdal-libs"),
        of("library-missing", "libgomp.so.1", "from libgomp1", None, "libgomp1", "dnf install libgomp"),
        of("library-symbols", "libstdc++.so.6", "with GLIBCXX_3.4.30", "without", "libstdc++6", older),
        finding("library-version", "libxml2", "2.9", "2.12, newer here", package="libxml2", needed_by=("lxml",)),
        of("command-missing", "dot", "from graphviz", None, "graphviz", "dnf install graphviz"),
        of(
            "library-missing",
            "libsndfile.so.1",
            f"{PLACE}/libsndfile.so.1",
            None,
            "libsndfile1",
            "dnf install libsndfile",
        ),
        of("resource-version", "time zone data", "2024a", "2025b", "tzdata", None),
        finding("resource-version", "locale", "C.UTF-8", "en_US.UTF-8"),
    )


def every_kind() -> Input:
    """One finding of each kind."""
    found = ranked(finding(kind, f"subject-{number}", "a", "b") for number, kind in enumerate(get_args(Kind)))
    return _plain(found)


def many(number: int = 1500) -> Input:
    """So many findings, three quarters of them harmless OS packages."""
    kinds: tuple[Kind, ...] = ("os-package-missing", "os-package-version", "os-package-missing", "distribution-version")
    by = tuple(NAMES[:8])
    found = ranked(
        finding(
            kind,
            f"package-{position}",
            f"1.{position}",
            None if kind.endswith("missing") else f"2.{position}",
            needed_by=by,
            **({} if kind == "distribution-version" else {"verdict": "harmless", "severity": "note"}),
        )
        for position, kind in enumerate(islice(cycle(kinds), number))
    )
    return _plain(found)


def hostile(*names: str) -> Input:
    """Everything that an image may name is named so."""
    library = tuple(
        NeededLibrary(soname=name, package=name, lacking=(name,), needed_by=(NeededBy(name=name),)) for name in names
    )
    commands = tuple(NeededCommand(name=name, package=name, needed_by=(name,)) for name in names)
    data = tuple(Resource(kind="dynamic-library", name=name, value=name, needed_by=(name,)) for name in names)
    asked = Needs(objects=1, libraries=library, commands=commands, resources=data)
    more = {"impact": names[0], "package": names[0], "needed_by": names, "fix": f"x {names[0]}"}
    kinds: tuple[Kind, ...] = ("library-missing", "distribution-version", "environment-variable")
    found = [
        finding(kind, name, name, name, **{**more, "impact": name, "fix": f"echo {name}"})
        for name in names
        for kind in kinds
    ]
    verdicts = tuple(Graded(name=name, version=name, grade="same-release", reason=name) for name in names)
    given = _plain(ranked(found), name=names[0])
    return Input(
        given.findings,
        given.comparison,
        Fidelity(verdicts=verdicts, modules=200, differing_modules=names),
        image(needs=asked),
        local(needs=asked),
    )


def compared(found: tuple[Finding, ...], expected: Snapshot, actual: Snapshot) -> Input:
    """What differs between two sides."""
    return Input(found, describe_comparison(expected, actual, found), None, expected, actual)


def _plain(found: tuple[Finding, ...], name: str = "acme/app:1") -> Input:
    expected, actual = image(source=source(name)), local()
    comparison = describe_comparison(
        expected, actual, found, also_not_compared=(NotCompared(subject=name, reason=name),)
    )
    counted = Comparison(
        expected=comparison.expected,
        actual=comparison.actual,
        distributions=Counts(compared=500, identical=120),
        not_compared=comparison.not_compared,
    )
    return Input(found, counted, None, expected, actual)
