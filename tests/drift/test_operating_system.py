from __future__ import annotations

import pytest
from msgspec.structs import replace

from envsync.drift.compare import compare
from envsync.drift.finding import Finding
from envsync.model import Libc, OperatingSystem, OsPackage
from envsync.reference import Platform
from tests.drift.sides import image, local, os_package, other_image

DEBIAN_12 = image().os
DEBIAN_11 = OperatingSystem(
    id="debian",
    version_id="11",
    pretty_name="Debian GNU/Linux 11 (bullseye)",
    libc=Libc(family="glibc", version="2.31"),
)
ALPINE = OperatingSystem(id="alpine", version_id="3.20.1", libc=Libc(family="musl", version="1.2.5"))
MACOS = OperatingSystem(id="macos", version_id="14.5", pretty_name="macOS 14.5")


def found(
    expected: list[OsPackage],
    actual: list[OsPackage] | None,
    os: OperatingSystem | None = DEBIAN_12,
    expected_os: OperatingSystem | None = DEBIAN_12,
) -> tuple[Finding, ...]:
    here = None if actual is None else tuple(actual)
    return compare(
        image(os_packages=tuple(expected), os=expected_os),
        local(os_packages=here, os=os),
        scopes=frozenset({"os"}),
    )


def test_missing() -> None:
    assert found([os_package("libpq5", "15.3-0")], [os_package("bash")]) == (
        Finding(
            kind="os-package-missing",
            scope="os",
            severity="warning",
            subject="libpq5",
            expected="15.3-0 amd64",
            impact="What loads its libraries or runs its programs fails here.",
            fix="apt-get install libpq5",
        ),
    )


def test_other_version() -> None:
    assert found([os_package("libpq5", "15.3")], [os_package("libpq5", "15.5")]) == (
        Finding(
            kind="os-package-version",
            scope="os",
            severity="note",
            subject="libpq5",
            expected="15.3",
            actual="15.5",
            impact="Native code that loads its libraries may behave otherwise.",
        ),
    )


def test_other_architecture() -> None:
    assert found([os_package("libpq5")], [os_package("libpq5", "1.1", "arm64")]) == (
        Finding(
            kind="os-package-architecture",
            scope="os",
            severity="warning",
            subject="libpq5",
            expected="1.0 amd64",
            actual="1.1 arm64",
            impact="Its libraries are of another architecture: native code cannot load them.",
        ),
    )


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([os_package("tzdata", "1", "all")], [os_package("tzdata", "1", "amd64")]),
        ([os_package("tzdata", "1", "amd64")], [os_package("tzdata", "1", "all")]),
        ([os_package("a")], [os_package("a", "9", "i386"), os_package("a"), os_package("extra")]),
        ([], [os_package("a")]),
        ([], None),
    ],
)
def test_no_drift(expected: list[OsPackage], actual: list[OsPackage] | None) -> None:
    assert found(expected, actual) == ()


def test_both_architectures_of_a_multiarch_package_count() -> None:
    both = [os_package("a"), os_package("a", "1.0", "i386")]
    assert [(f.kind, f.expected) for f in found(both, both[:1])] == [("os-package-architecture", "1.0 i386")]


def test_what_is_absent_can_be_installed_and_no_version_is_forced_on_the_machine() -> None:
    findings = found([os_package("a"), os_package("b")], [os_package("b", "2")], DEBIAN_11)
    assert [(f.kind, f.fix) for f in findings] == [
        ("os-release", None),
        ("os-package-missing", "apt-get install a"),
        ("os-package-version", None),
    ]


@pytest.mark.parametrize(
    ("system", "impact"),
    [
        (DEBIAN_11, "glibc 2.31 is older than 2.36: compiled distributions may not load."),
        (ALPINE, "musl instead of glibc: compiled distributions are other files."),
        (
            OperatingSystem(id="debian", version_id="13", libc=Libc(family="glibc", version="2.41")),
            "glibc 2.41 is newer than 2.36: what loads here may not load there.",
        ),
        (MACOS, "Other system libraries: versions, certificates, time zones and locales may differ."),
        (None, "Other system libraries: versions, certificates, time zones and locales may differ."),
    ],
)
def test_release(system: OperatingSystem | None, impact: str) -> None:
    (finding,) = found([], [], system)
    shown = {DEBIAN_11: "Debian GNU/Linux 11 (bullseye)", ALPINE: "alpine 3.20.1", MACOS: "macOS 14.5"}
    assert (finding.kind, finding.severity, finding.impact) == ("os-release", "warning", impact)
    assert finding.expected == "Debian GNU/Linux 12 (bookworm)"
    assert finding.actual == shown.get(system, "debian 13" if system else "unknown OS")


@pytest.mark.parametrize(
    ("actual", "system", "shown"),
    [
        (None, MACOS, "none known"),
        ([os_package("musl", manager="apk")], ALPINE, "1 apk packages"),
    ],
)
def test_packages_of_another_family_cannot_be_compared(
    actual: list[OsPackage] | None, system: OperatingSystem, shown: str
) -> None:
    release, packages = found([os_package("a"), os_package("b")], actual, system)
    assert release.kind == "os-release"
    assert packages == Finding(
        kind="os-not-comparable",
        scope="os",
        severity="note",
        subject="OS packages",
        expected="2 dpkg packages",
        actual=shown,
        impact="Other systems name and number packages otherwise: what native code needs may be missing.",
    )


def test_apk() -> None:
    expected = image(os=ALPINE, os_packages=(os_package("libpq", "16.3-r0", "x86_64", "apk"),))
    actual = local(os=ALPINE, os_packages=(os_package("musl", manager="apk"),))
    assert [f.fix for f in compare(expected, actual)] == ["apk add libpq"]


@pytest.mark.parametrize("name", ["-o=x", "a;reboot", "a b", ""])
def test_no_command_for_a_name_that_no_package_has(name: str) -> None:
    (finding,) = found([os_package(name)], [os_package("bash")])
    assert finding.fix is None


def test_a_derivative_of_debian_is_debian_like() -> None:
    mint = OperatingSystem(id="linuxmint", id_like=("ubuntu", "debian"), version_id="21")
    assert [f.fix for f in found([os_package("a")], [os_package("b")], mint)] == [None, "apt-get install a"]


def test_two_images_are_compared_both_ways() -> None:
    one, other = image(os_packages=(os_package("a"),)), other_image(os_packages=(os_package("b"),))
    told = [(f.kind, f.severity, f.subject, f.expected, f.actual, f.fix) for f in compare(one, other)]
    assert told == [
        ("os-package-missing", "warning", "a", "1.0 amd64", None, None),
        ("os-package-extra", "note", "b", None, "1.0 amd64", None),
    ]


def test_cpu() -> None:
    arm = replace(local(), platform=Platform(os="darwin", architecture="arm64"))
    (finding,) = compare(image(), arm)
    assert (finding.kind, finding.severity, finding.expected, finding.actual) == (
        "os-architecture",
        "warning",
        "amd64",
        "arm64",
    )
    assert finding.impact == ("Another CPU architecture: compiled distributions are other files, or do not exist.")
