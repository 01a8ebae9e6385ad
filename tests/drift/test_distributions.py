from __future__ import annotations

import pytest

from envsync.drift.compare import compare
from envsync.drift.finding import Finding
from envsync.model import (
    ArchiveOrigin,
    DirectoryOrigin,
    Doubt,
    LocalSource,
    Origin,
    VcsOrigin,
)
from tests.drift.sides import image, local, other_image, published
from tests.factory import SITE, distribution

CREATE = "envsync create .venv --image acme/app:1"


def test_missing_says_who_needs_it() -> None:
    users = [distribution(name, requires=("NumPy>=1.17; python_version > '3'",)) for name in "abcde"]
    optional = distribution("z", requires=("numpy; extra == 'fast'",))
    expected = image(distribution("numpy", "1.21.6"), *users, optional)
    assert compare(expected, local(*users, optional)) == (
        Finding(
            kind="distribution-missing",
            scope="python",
            severity="error",
            subject="numpy",
            expected="1.21.6",
            impact="Importing its modules fails; needed by a, b, c and 2 more.",
            fix=CREATE,
        ),
    )


@pytest.mark.parametrize(
    ("name", "severity", "impact"),
    [
        ("six", "error", "Importing its modules fails."),
        ("setuptools", "error", "Importing its modules fails."),
        ("pip", "warning", "`python -m pip` fails."),
        ("wheel", "warning", "Building distributions of the old kind without isolation fails."),
    ],
)
def test_missing(name: str, severity: str, impact: str) -> None:
    (finding,) = compare(image(distribution(name)), local())
    assert (finding.kind, finding.severity, finding.impact) == ("distribution-missing", severity, impact)


def test_what_is_known_not_to_be_reproducible_is_still_a_finding() -> None:
    (finding,) = compare(image(distribution("My_App")), local(), accepted={"my-app": "no index has it"})
    assert finding == Finding(
        kind="distribution-missing",
        scope="python",
        severity="warning",
        subject="My_App",
        expected="1.0",
        impact="Known not to be reproducible: no index has it",
    )
    assert compare(image(distribution("my-app")), local(distribution("My.App")), accepted={"my-app": "x"}) == ()


def test_extra() -> None:
    (finding,) = compare(image(), local(distribution("Black", "23.1")))
    assert finding == Finding(
        kind="distribution-extra",
        scope="python",
        severity="warning",
        subject="Black",
        actual="23.1",
        impact="Code that imports it works here and fails in the image.",
        fix="uv pip uninstall --python .venv Black",
    )


def test_names_are_compared_normalised_and_shadowed_copies_do_not_count() -> None:
    expected = image(distribution("typing.extensions"), distribution("six", "9", shadowed_by=SITE))
    assert compare(expected, local(distribution("Typing_Extensions"))) == ()


@pytest.mark.parametrize(
    ("expected", "actual", "verdict"),
    [
        ("1.0", "1.0.0", None),
        ("2.8", "3.1", ("error", "A major release newer: expect another API.")),
        ("2.8", "1!2.8", ("error", "A major release newer: expect another API.")),
        ("3.1", "2.8", ("error", "A major release older: expect another API.")),
        (
            "1.0",
            "1.1",
            ("warning", "Newer than expected: what works with it may not exist in the other one yet."),
        ),
        (
            "1.1",
            "1.0",
            ("warning", "Older than expected: fixes and functions that the other one has are missing."),
        ),
        (
            "1.0+cpu",
            "1.0",
            ("warning", "Another build of the same release: compiled parts may differ."),
        ),
        (
            "1.0",
            "2004-beta of mine",
            ("error", "Another version, and not one that can be ordered: the API may differ."),
        ),
    ],
)
def test_versions(expected: str, actual: str, verdict: tuple[str, str] | None) -> None:
    findings = compare(image(distribution("six", expected)), local(distribution("six", actual)))
    told = [(f.kind, f.severity, f.impact, f.expected, f.actual, f.fix) for f in findings]
    assert told == ([("distribution-version", *verdict, expected, actual, CREATE)] if verdict else [])


def test_a_doubtful_published_version_weighs_less() -> None:
    doubt = Doubt(name="IDNA", value="2.20", note="no such release")
    (finding,) = compare(published(distribution("idna", "2.20"), doubts=(doubt,)), local(distribution("idna", "2.10")))
    assert (finding.severity, finding.impact) == (
        "note",
        "The published version is doubtful: no such release",
    )


def test_a_list_leaves_out_what_pip_freeze_leaves_out() -> None:
    tools = [distribution(name) for name in ("pip", "setuptools", "wheel")]
    assert compare(published(distribution("six")), local(distribution("six"), *tools)) == ()
    assert compare(other_image(distribution("six"), *tools), published(distribution("six"))) == ()
    named = compare(published(distribution("pip", "19.0")), local(distribution("pip", "20.0")))
    assert [f.kind for f in named] == ["distribution-version"]


VCS = VcsOrigin(url="https://h/a.git", vcs="git", commit="a" * 40)
URL = ArchiveOrigin(url="https://h/a-1.0.whl", hashes=("sha256=aa",))
FILE = ArchiveOrigin(url="file:///wheels/a-1.0.whl", hashes=("sha256=aa",))
FOLDER = DirectoryOrigin(url="file:///app")
SOMEWHERE = "It comes from somewhere else: the version is the same, the files may not be."
OTHER_FILE = "Another file: the hashes of the archives differ, so that some of the files do."
UNKNOWN_FOLDER = "It is installed from a folder in the image, and nobody can say whether these are its files."
ONE_EDITABLE = "It is editable on one side only: there, what is imported is whatever the folder holds."


@pytest.mark.parametrize(
    ("expected", "actual", "verdict"),
    [
        (None, None, None),
        (VCS, VCS, None),
        (
            VCS,
            VcsOrigin(url="https://h/a.git", vcs="git", commit="a" * 40, requested_revision="main"),
            None,
        ),
        (
            VCS,
            VcsOrigin(url="https://h/a.git", vcs="git", commit="b" * 40),
            ("warning", "Another commit: the version is the same, the code may not be."),
        ),
        (
            VCS,
            VcsOrigin(url="https://mirror/a", vcs="git", commit="a" * 40),
            ("note", "The same git commit from another URL: the files are the same."),
        ),
        (
            VcsOrigin(url="https://h/a", vcs="svn", commit="7"),
            VcsOrigin(url="https://mirror/a", vcs="svn", commit="7"),
            ("warning", "The same svn revision of another repository: the code may differ."),
        ),
        (
            VCS,
            VcsOrigin(url="https://h/a.git", vcs="git", commit="a" * 40, subdirectory="x"),
            ("warning", "It is built from another folder of the repository."),
        ),
        (VCS, None, ("warning", SOMEWHERE)),
        (None, VCS, ("warning", SOMEWHERE)),
        (URL, None, ("warning", SOMEWHERE)),
        (None, URL, ("warning", SOMEWHERE)),
        (URL, ArchiveOrigin(url="https://mirror/a.whl", hashes=("sha256=AA",)), None),
        (URL, ArchiveOrigin(url=URL.url, hashes=("sha256=bb",)), ("warning", OTHER_FILE)),
        (URL, ArchiveOrigin(url=URL.url, hashes=("sha512=bb",)), None),
        (
            URL,
            ArchiveOrigin(url="https://mirror/a.whl"),
            ("warning", "It comes from another URL, and no hash tells whether the file is the same."),
        ),
        (FILE, None, None),
        (FILE, ArchiveOrigin(url="https://h/a.whl"), None),
        (FILE, ArchiveOrigin(url="https://h/a.whl", hashes=("sha256=bb",)), ("warning", OTHER_FILE)),
        (FILE, VCS, ("warning", SOMEWHERE)),
        (FOLDER, None, None),
        (FOLDER, DirectoryOrigin(url="file:///home/me/app"), None),
        (FOLDER, DirectoryOrigin(url="file:///app", editable=True), ("note", ONE_EDITABLE)),
        (FOLDER, URL, ("note", UNKNOWN_FOLDER)),
        (
            None,
            DirectoryOrigin(url="file:///home/me/app", editable=True),
            (
                "warning",
                "It is editable here: what is imported is whatever the folder holds at that moment.",
            ),
        ),
        (None, FOLDER, ("warning", SOMEWHERE)),
    ],
)
def test_origins(expected: Origin | None, actual: Origin | None, verdict: tuple[str, str] | None) -> None:
    findings = compare(
        image(distribution("a", origin=expected)),
        local(distribution("a", origin=actual)),
    )
    told = [(f.kind, f.severity, f.impact, f.fix) for f in findings]
    assert told == ([("distribution-origin", *verdict, CREATE)] if verdict else [])


@pytest.mark.parametrize(
    ("expected", "actual", "severity"),
    [
        (FILE, None, "note"),
        (FOLDER, None, "note"),
        (FOLDER, DirectoryOrigin(url="file:///src"), "warning"),
        (FOLDER, FOLDER, None),
        (FILE, ArchiveOrigin(url="file:///tmp/a.whl", hashes=("sha256=aa",)), None),
        (FILE, ArchiveOrigin(url="file:///tmp/a.whl"), "warning"),
    ],
)
def test_origins_of_two_images(expected: Origin, actual: Origin | None, severity: str | None) -> None:
    findings = compare(
        image(distribution("a", origin=expected)),
        other_image(distribution("a", origin=actual)),
    )
    assert [(f.severity, f.fix) for f in findings] == ([(severity, None)] if severity else [])


def test_origins_are_shown_without_credentials() -> None:
    secret = VcsOrigin(url="https://me:s3cret@h/a.git", vcs="git", commit="a" * 40)
    (finding,) = compare(image(distribution("a", origin=secret)), local(distribution("a", origin=URL)))
    assert finding.expected == f"git+https://h/a.git@{'a' * 40}"
    assert finding.actual == "https://h/a-1.0.whl (sha256=aa)"


def test_two_environments_of_this_machine() -> None:
    one = image(distribution("a", origin=VCS), source=LocalSource(path=SITE))
    findings = compare(one, local(distribution("b")))
    assert [(f.kind, f.subject, f.fix) for f in findings] == [
        (
            "distribution-missing",
            "a",
            f"uv pip install --python .venv --no-deps 'a @ git+https://h/a.git@{'a' * 40}'",
        ),
        ("distribution-extra", "b", "uv pip uninstall --python .venv b"),
    ]
    assert findings[1].impact.startswith("Only the second one has it")
