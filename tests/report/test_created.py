from __future__ import annotations

from pathlib import Path

import msgspec

from envsync.build.interpreter import LocalPython
from envsync.build.venv import Built
from envsync.create import Created
from envsync.drift.finding import Finding
from envsync.locate import Located
from envsync.lock.conda.platforms import packages_for
from envsync.lock.store import Lock
from envsync.model import Doubt, ListSource, Snapshot
from envsync.report.created import render_created, render_source
from tests.factory import distribution, snapshot
from tests.lock.conda.test_solved import ARM, with_solved

PYTHON = LocalPython(
    path=Path("/usr/bin/python3.9"), version="3.9.18", implementation="cpython", abi="cp39", exact=True
)
LIST = ListSource(
    reference="digdag/digdag-python:3.9",
    url="https://example.com/list",
    date="2022-03-09",
    completeness="complete",
    doubts=(Doubt(name="idna", value="2.1", note="most likely 2.10"),),
)


def located(one: Snapshot, *, shipped: bool = False) -> Located:
    return Located(lock=Lock(path=Path("lockfiles/acme/app/1"), snapshot=one), shipped=shipped)


def created(one: Snapshot, *python: Finding, machine: tuple[Finding, ...] = ()) -> Created:
    built = Built(
        path=Path("/p/.venv"), python=PYTHON, names=(), not_reproducible=(), unchanged=1, installed=1, removed=0
    )
    return Created(located=located(one), target=Path(".venv"), built=built, python=python, machine=machine)


def finding(kind: str, subject: str, **fields: str) -> Finding:
    values = {"scope": "python", "severity": "error", "impact": "Importing its modules fails.", **fields}
    return Finding(kind=kind, subject=subject, **values)  # type: ignore[arg-type]


def test_a_twin() -> None:
    assert render_created(created(snapshot(distribution("six"), distribution("idna"))), 80) == (
        "2 of 2 distributions as in the image, in .venv\n"
        "  Python 3.9.18; 1 unchanged, 1 installed\n"
        "this machine: nothing missing of Debian GNU/Linux 12 (bookworm)\n"
        "next: source .venv/bin/activate\n"
    )


def test_what_is_not_identical_and_what_the_machine_lacks() -> None:
    missing = finding("distribution-missing", "Six", expected="1.16.0")
    other = finding("interpreter-version", "python", expected="3.9.18", actual="3.9.2")
    machine = (
        finding("os-package-missing", "libgomp1", scope="os"),
        finding("environment-variable", "A", scope="env"),
        finding("environment-variable", "B", scope="env"),
        finding("os-release", "os", scope="os", expected="Debian 12", actual="Debian 13"),
    )
    text = render_created(
        created(snapshot(distribution("six"), distribution("idna")), missing, other, machine=machine), 80
    )
    assert text.startswith(
        "1 of 2 distributions as in the image, in .venv\n"
        "  Python 3.9.18; 1 unchanged, 1 installed\n"
        "  - Six 1.16.0: not there\n"
        "    Importing its modules fails.\n"
        "  - python 3.9.2 here, 3.9.18 in the image\n"
    )
    assert "2 variables of the image are not set so here" in text
    assert "1 OS package of the\n  image is absent here" in text
    assert "Debian 13 here, Debian 12 in the image\n  details: envsync diff .venv\n" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_long_lists_are_cut() -> None:
    many = tuple(finding("distribution-missing", f"d{n}", expected="1") for n in range(11))
    text = render_created(created(snapshot(*(distribution(f"d{n}") for n in range(11))), *many), 80)
    assert text.startswith("0 of 11 distributions as in the image")
    assert "  ... and 3 more: envsync diff .venv --only python\n" in text


def test_an_image_and_a_list_say_what_they_are() -> None:
    assert render_source(located(snapshot())) == (
        "acme/app:1  sha256:cccccccccccc  pulled 2024-02-02\n  lock lockfiles/acme/app/1\n"
    )
    edited = msgspec.structs.replace(located(snapshot()), edited=("constraints.txt",))
    assert "edited by hand: constraints.txt; create goes by snapshot.json alone\n" in render_source(edited)
    text = render_source(located(snapshot(source=LIST), shipped=True))
    assert text == (
        "digdag/digdag-python:3.9: a published list, not the image (shipped with envsync)\n"
        "  https://example.com/list\n"
        "  dated 2022-03-09; no digest, no OS packages are known\n"
        "  doubtful: idna 2.1: most likely 2.10\n"
        "  for the real thing: envsync pull digdag/digdag-python:3.9\n"
    )


def test_a_list_is_matched_as_listed_and_says_nothing_of_the_machine() -> None:
    one = msgspec.structs.replace(snapshot(distribution("six")), source=LIST, os=None, os_packages=None)
    text = render_created(created(one), 80)
    assert text.startswith("1 of 1 distributions as listed, in .venv\n")
    assert "this machine" not in text


def test_what_was_solved_is_counted_where_it_was_made() -> None:
    """The lock's image has other packages, and more of them."""
    one = with_solved(ARM)
    pip = {d.name for d in one.distributions if d.conda is None}
    beside = f" and {len(pip)} of {len(pip)} pip distributions" if pip else ""
    solved = msgspec.structs.replace(created(one), conda=packages_for(one, "osx-arm64"))
    assert render_created(solved, 80).startswith(f"3 of 3 conda packages{beside} as solved for osx-arm64, in .venv\n")
    build = finding("conda-package-build", "zlib", expected="1.2.11 h9_0", actual="1.2.11 h9_1")
    differing = msgspec.structs.replace(created(one, build), conda=packages_for(one, "osx-arm64"))
    assert render_created(differing, 80).startswith("2 of 3 conda packages")
    count = len(one.conda[0].packages)
    own = msgspec.structs.replace(created(one), conda=packages_for(one, "linux-64"))
    assert render_created(own, 80).startswith(f"{count} of {count} conda packages{beside} as in the image, in .venv\n")
