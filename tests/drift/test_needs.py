"""What an environment needs of the system, and what a machine lacks of it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from msgspec.structs import replace

from envsync.drift.compare import compare, not_compared
from envsync.drift.finding import Finding, Scope
from envsync.model import (
    EnvironmentVariable,
    ImageConfig,
    NeededBy,
    NeededCommand,
    NeededLibrary,
    Needs,
    OperatingSystem,
    OsPackage,
    Resource,
    Snapshot,
)
from envsync.names import normalized
from envsync.reference import Platform
from tests.drift.sides import image, local, os_package, other_image

DEBIAN = image().os
FEDORA = OperatingSystem(
    id="fedora", version_id="40", pretty_name="Fedora Linux 40", libc=DEBIAN.libc if DEBIAN else None
)
ALPINE = OperatingSystem(id="alpine", version_id="3.20.1", libc=DEBIAN.libc if DEBIAN else None)
UNKNOWN = OperatingSystem(id="plan9", libc=DEBIAN.libc if DEBIAN else None)
PATH = PurePosixPath("/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0")


def gomp(*names: str, versions: tuple[str, ...] = (), **fields: object) -> NeededLibrary:
    by = tuple(NeededBy(name=name, versions=versions) for name in names or ("lightgbm",))
    given = {"path": PATH, "package": "libgomp1", **fields}
    return NeededLibrary(soname="libgomp.so.1", needed_by=by, **given)  # type: ignore[arg-type]


def needs(*parts: NeededLibrary | NeededCommand | Resource) -> Needs:
    return Needs(
        objects=1,
        libraries=tuple(part for part in parts if isinstance(part, NeededLibrary)),
        commands=tuple(part for part in parts if isinstance(part, NeededCommand)),
        resources=tuple(part for part in parts if isinstance(part, Resource)),
    )


def found(
    ours: NeededLibrary | NeededCommand | Resource,
    theirs: NeededLibrary | NeededCommand | Resource,
    *,
    host: OperatingSystem | None = DEBIAN,
    rebuilt: frozenset[str] = frozenset(),
    packages: tuple[OsPackage, ...] = (os_package("libgomp1", "12.2"),),
    here: tuple[OsPackage, ...] = (os_package("libgomp1", "12.2"),),
) -> list[Finding]:
    expected = image(needs=needs(ours), os_packages=packages)
    actual = local(needs=needs(theirs), os=host, os_packages=here)
    every = compare(expected, actual, scopes=frozenset({"os"}), rebuilt=rebuilt)
    return [finding for finding in every if finding.kind not in ("os-release", "os-not-comparable")]


def test_a_library_that_is_there_is_no_finding() -> None:
    assert found(gomp(), gomp()) == []


@pytest.mark.parametrize(
    ("host", "fix"),
    [
        (DEBIAN, "apt-get install libgomp1"),
        (FEDORA, "dnf install 'libgomp.so.1()(64bit)'"),
        (ALPINE, "apk add so:libgomp.so.1"),
        (UNKNOWN, None),
        (None, None),
    ],
)
def test_a_library_that_is_missing(host: OperatingSystem | None, fix: str | None) -> None:
    names = ("lightgbm", "scikit-learn")
    (finding,) = found(gomp(*names), gomp(*names, path=None, package=None), host=host, packages=(), here=())
    assert finding.fix == fix or (finding.fix or "").endswith(("install libgomp", "add libgomp"))
    assert replace(finding, fix=None) == Finding(
        kind="library-missing",
        scope="os",
        severity="error",
        verdict="breaks",
        subject="libgomp.so.1",
        expected="from libgomp1",
        impact="Importing lightgbm, scikit-learn fails: libgomp.so.1 cannot be loaded.",
        needed_by=("lightgbm", "scikit-learn"),
        package="libgomp1",
    )


def test_its_package_is_not_told_of_again() -> None:
    (finding,) = found(gomp(), gomp(path=None, package=None), here=(os_package("bash"),))
    assert finding.kind == "library-missing"


def test_what_the_image_lacks_too_is_no_drift() -> None:
    nothing = gomp(path=None, package=None)
    assert found(nothing, nothing, packages=(), here=()) == []


def test_a_library_whose_own_needs_are_not_met() -> None:
    (finding,) = found(gomp(), gomp(broken=("libnuma.so.1",)), packages=(), here=())
    assert finding.kind == "library-missing"
    assert finding.actual == "there, but libnuma.so.1, which it needs itself, is not"
    assert finding.impact == "Importing lightgbm fails: libnuma.so.1 cannot be loaded."


def test_symbols_that_are_too_new() -> None:
    ours = NeededLibrary(
        soname="libstdc++.so.6",
        path=PATH,
        package="libstdc++6",
        needed_by=(
            NeededBy(name="pandas", versions=("GLIBCXX_3.4.11",)),
            NeededBy(name="pyarrow", versions=("GLIBCXX_3.4.11", "GLIBCXX_3.4.30")),
        ),
    )
    (finding,) = found(ours, replace(ours, lacking=("GLIBCXX_3.4.30",)), packages=(), here=())
    assert (finding.kind, finding.verdict, finding.needed_by) == ("library-symbols", "breaks", ("pyarrow",))
    assert finding.expected == "libstdc++.so.6 of libstdc++6 with GLIBCXX_3.4.30"
    assert finding.impact == "Importing pyarrow fails: this machine's libstdc++.so.6 is too old for it."


def test_what_was_built_anew_here_has_needs_of_its_own() -> None:
    assert found(gomp(), gomp(path=None, package=None), rebuilt=frozenset({"lightgbm"}), packages=(), here=()) == []
    (finding,) = found(
        gomp("lightgbm", "Scikit_Learn"),
        gomp(path=None, package=None),
        rebuilt=frozenset({"scikit-learn"}),
        packages=(),
        here=(),
    )
    assert finding.needed_by == ("lightgbm",)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (os_package("libgomp1", "14.1"), "14.1, newer here"),
        (os_package("libgomp1", "10.2"), "10.2, older here"),
    ],
)
def test_a_needed_library_of_another_version(theirs: OsPackage, words: str) -> None:
    (finding,) = found(gomp(), gomp(), here=(theirs,))
    assert (finding.kind, finding.verdict, finding.severity) == ("library-version", "may-differ", "note")
    assert (finding.subject, finding.expected, finding.actual) == ("libgomp1", "12.2", words)
    assert finding.impact == "lightgbm may behave otherwise."


def test_of_another_system_what_upstream_numbered_is_compared() -> None:
    theirs = OsPackage(manager="rpm", name="libgomp", version="1:14.1-3.fc40", architecture="x86_64", source="gcc")
    (finding,) = found(gomp(), gomp(package="libgomp"), host=FEDORA, here=(theirs,))
    assert finding.actual == "1:14.1-3.fc40 (libgomp), newer here"


def test_a_library_that_is_loaded_by_its_name() -> None:
    ours = Resource(
        kind="dynamic-library",
        name="libgomp.so.1",
        value="libgomp.so.1.0.0",
        package="libgomp1",
        needed_by=("ctypist",),
    )
    (finding,) = found(ours, Resource(kind="dynamic-library", name="libgomp.so.1"))
    assert (finding.kind, finding.subject, finding.verdict) == ("library-missing", "libgomp.so.1", "breaks")
    assert finding.impact == "Code of ctypist that loads libgomp.so.1 by its name fails."


def test_a_library_that_is_linked_by_some_and_loaded_by_others_is_told_once() -> None:
    loaded = Resource(kind="dynamic-library", name="libgomp.so.1", package="libgomp1", needed_by=("Ctypist",))
    there = needs(gomp(), replace(loaded, value="libgomp.so.1.0.0"))
    gone = needs(gomp(path=None, package=None), loaded)
    packages = (os_package("libgomp1", "12.2"),)
    every = compare(image(needs=there, os_packages=packages), local(needs=gone), scopes=frozenset({"os"}))
    (finding,) = (finding for finding in every if finding.kind == "library-missing")
    assert finding.needed_by == ("Ctypist", "lightgbm")
    assert finding.impact == (
        "Importing lightgbm fails: libgomp.so.1 cannot be loaded. "
        "Code of Ctypist that loads libgomp.so.1 by its name fails."
    )


def test_an_epoch_is_no_part_of_what_upstream_numbered() -> None:
    theirs = OsPackage(manager="rpm", name="libgomp", version="14.1-3.fc40", architecture="x86_64", source="gcc")
    packages = (os_package("libgomp1", "1:12.2"),)
    (finding,) = found(gomp(), gomp(package="libgomp"), host=FEDORA, packages=packages, here=(theirs,))
    assert finding.actual == "14.1-3.fc40 (libgomp), newer here"


def test_a_command() -> None:
    ours = NeededCommand(name="dot", path=PurePosixPath("/usr/bin/dot"), package="graphviz", needed_by=("pydot",))
    (finding,) = found(ours, replace(ours, path=None, package=None), packages=(), here=())
    assert (finding.kind, finding.verdict, finding.subject) == ("command-missing", "breaks", "dot")
    assert finding.impact == "What pydot runs it for fails."
    assert finding.fix == "apt-get install graphviz"
    assert found(ours, ours, packages=(), here=()) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (Resource(kind="time-zone", value="Etc/UTC"), Resource(kind="time-zone", value="Asia/Tokyo"), "may-differ"),
        (Resource(kind="locale", value="C.UTF-8"), Resource(kind="locale"), "may-differ"),
        (
            Resource(kind="certificates", value="/etc/ssl/certs/ca-certificates.crt", needed_by=("pycurl",)),
            Resource(kind="certificates"),
            "breaks",
        ),
        (Resource(kind="fonts", value="12", needed_by=("matplotlib",)), Resource(kind="fonts"), "may-differ"),
        (Resource(kind="fonts", value="12"), Resource(kind="fonts"), "harmless"),
        (Resource(kind="time-zone-data", value="2024a"), Resource(kind="time-zone-data", value="2025b"), "harmless"),
        (
            Resource(kind="time-zone-data", value="2024a", needed_by=("tzlocal",)),
            Resource(kind="time-zone-data", value="2025b"),
            "may-differ",
        ),
    ],
)
def test_data(ours: Resource, theirs: Resource, verdict: str) -> None:
    (finding,) = found(ours, theirs, packages=(), here=())
    assert finding.verdict == verdict
    assert finding.kind == ("resource-missing" if theirs.value is None else "resource-version")


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        (frozenset({"env", "os"}), ["TZ"]),
        (frozenset({"os"}), ["time zone"]),
    ],
)
def test_a_time_zone_that_a_variable_makes_is_told_once(scopes: frozenset[Scope], told: list[str]) -> None:
    zone = Resource(kind="time-zone", value="Asia/Tokyo")
    variable = ImageConfig(env=(EnvironmentVariable(name="TZ", value="Asia/Tokyo"),))
    expected = image(needs=needs(zone), config=variable)
    actual = local(needs=needs(replace(zone, value="Etc/UTC")), config=ImageConfig())
    assert [finding.subject for finding in compare(expected, actual, scopes=scopes)] == told
    ignored = compare(expected, actual, scopes=scopes, ignore=frozenset({normalized("TZ")}))
    assert [finding.subject for finding in ignored] == [name for name in told if name != "TZ"]


def test_other_data_that_does_the_same() -> None:
    here = Resource(kind="certificates", value="/etc/pki/tls/certs/ca-bundle.crt")
    assert found(replace(here, value="/etc/ssl/cert.pem"), here, packages=(), here=()) == []
    assert found(Resource(kind="locale"), Resource(kind="locale", value="C"), packages=(), here=()) == []


def differing(side: Snapshot) -> list[tuple[str, str | None]]:
    expected = image(needs=needs(gomp()), os_packages=(os_package("bash", "5.1"), os_package("libgomp1", "12")))
    every = compare(expected, side, scopes=frozenset({"os"}))
    return [(finding.subject, finding.verdict) for finding in every if finding.kind.startswith("os-package")]


def test_packages_that_nothing_needs_are_harmless() -> None:
    assert differing(local(needs=needs(gomp()), os_packages=(os_package("libgomp1", "12"),))) == [("bash", "harmless")]


def test_of_another_image_it_is_known_which_packages_are_needed() -> None:
    other = other_image(needs=needs(), os_packages=(os_package("bash", "5.2"), os_package("libgomp1", "13")))
    assert differing(other) == [("libgomp1", "may-differ"), ("bash", "harmless")]


def test_where_it_is_not_known_what_is_needed_there_is_no_verdict() -> None:
    assert differing(local(os_packages=(os_package("dash"),))) == [("bash", None), ("libgomp1", None)]


def test_a_lock_that_does_not_tell_what_is_needed() -> None:
    (note,) = [n for n in not_compared(image(), local()) if n.subject.startswith("what the environment")]
    assert note.reason == "the lock does not tell it; pulling it again does, unless with --wheels none"


def test_on_macos_libraries_of_linux_mean_nothing() -> None:
    mac = local(
        platform=Platform.parse("darwin/arm64"),
        os=OperatingSystem(id="macos", pretty_name="macOS 14.5"),
        needs=needs(),
        os_packages=None,
    )
    expected = image(needs=needs(gomp()), os_packages=(os_package("libgomp1"),))
    (note,) = [n for n in not_compared(expected, mac) if "shared librar" in n.subject]
    assert note.subject == "1 shared library"
    assert note.reason == ("they are of Linux; on macOS 14.5 distributions are other files, which bring or need others")
    assert not [f for f in compare(expected, mac) if f.kind.startswith("library")]


def test_what_python_itself_needs() -> None:
    (finding,) = found(gomp("Python"), gomp("Python", path=None, package=None), packages=(), here=())
    assert finding.impact == "Importing modules of Python itself fails: libgomp.so.1 cannot be loaded."


def test_who_needs_a_library_no_longer_here_is_not_told() -> None:
    (finding,) = found(gomp("lightgbm", "scikit-learn"), gomp("lightgbm", path=None, package=None))
    assert finding.needed_by == ("lightgbm",)
    assert found(gomp("Python"), gomp("lightgbm", path=None, package=None)) == []


def test_packages_of_another_system_are_harmless_since_what_is_needed_is_looked_for() -> None:
    rpm = OsPackage(manager="rpm", name="bash", version="5.2-1", architecture="x86_64", source="bash")
    every = compare(
        image(needs=needs(gomp()), os_packages=(os_package("libgomp1", "12"),)),
        local(needs=needs(gomp()), os=FEDORA, os_packages=(rpm,)),
        scopes=frozenset({"os"}),
    )
    (finding,) = (finding for finding in every if finding.kind == "os-not-comparable")
    assert finding.verdict == "harmless"
    assert finding.impact == "What the environment needs of them is looked for one by one."


@pytest.mark.parametrize("kind", ["certificates", "fonts", "java-home", "mime-types", "time-zone-data"])
@pytest.mark.parametrize("system", ["opensuse", "fedora", "alpine", "arch", "macos"])
def test_data_are_no_command_that_a_package_may_have(system: str, kind: str) -> None:
    ours = Resource(kind=kind, value="x", package="x-of-debian", needed_by=("a",))  # type: ignore[arg-type]
    host = OperatingSystem(id=system, libc=DEBIAN.libc if DEBIAN else None)
    (finding,) = found(ours, replace(ours, value=None, package=None), host=host)
    fix = finding.fix or ""
    assert kind not in fix.replace("ca-certificates", ""), fix


def test_paths_that_are_no_text_can_be_told() -> None:
    """What a folder of LD_LIBRARY_PATH may be called."""
    odd = PurePosixPath("/opt/\udcff\x1b/libgomp.so.1")
    here = gomp("a", versions=("GOMP_9",), path=odd, package=None, lacking=("GOMP_9",))
    (finding,) = found(gomp("a", versions=("GOMP_9",)), here, packages=(), here=())
    assert finding.actual == "/opt/\\udcff\\x1b/libgomp.so.1 without"
    ours = gomp("a", path=odd, package=None)
    (finding,) = found(ours, gomp("a", path=None, package=None), packages=(), here=())
    assert finding.expected == "/opt/\\udcff\\x1b/libgomp.so.1"


def test_what_only_ignored_distributions_need_is_ignored() -> None:
    def subjects(*ignored: str) -> list[str]:
        expected = image(needs=needs(gomp("lightgbm", "Scikit_Learn")), os_packages=())
        actual = local(needs=needs(gomp("lightgbm", "Scikit_Learn", path=None, package=None)), os_packages=())
        every = compare(
            expected, actual, scopes=frozenset({"os"}), ignore=frozenset(normalized(name) for name in ignored)
        )
        return [finding.subject for finding in every]

    assert subjects("lightgbm") == ["libgomp.so.1"]
    assert subjects("lightgbm", "scikit-learn") == []
    assert subjects("libgomp.so.1") == []
