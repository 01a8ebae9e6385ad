from __future__ import annotations

import pytest

from envsync.drift.compare import compare
from envsync.drift.finding import Finding
from envsync.model import Snapshot
from tests.drift.sides import image, local, other_image, published, with_python

CREATE = "envsync create .venv --image acme/app:1"


def found(expected: Snapshot, actual: Snapshot) -> list[tuple[str, str, str | None, str | None]]:
    return [(f.kind, f.severity, f.expected, f.actual) for f in compare(expected, actual)]


@pytest.mark.parametrize(
    ("python", "findings"),
    [
        ({}, []),
        ({"version": "3.9.17"}, [("interpreter-version", "warning", "3.9.18", "3.9.17")]),
        ({"version": "3.10.1", "abi": "cp310"}, [("interpreter-version", "error", "3.9.18", "3.10.1")]),
        ({"version": "3.7.1", "abi": "cp37m"}, [("interpreter-version", "error", "3.9.18", "3.7.1")]),
        (
            {"version": "3.13.1", "abi": "cp313t"},
            [("interpreter-version", "error", "3.9.18", "3.13.1"), ("interpreter-abi", "error", "cp39", "cp313t")],
        ),
        ({"abi": "cp39d"}, [("interpreter-abi", "error", "cp39", "cp39d")]),
        ({"abi": None}, []),
        (
            {"implementation": "pypy", "abi": "pypy39_pp73"},
            [("interpreter-implementation", "error", "cpython", "pypy")],
        ),
    ],
)
def test_interpreter(python: dict[str, object], findings: list[object]) -> None:
    assert found(image(), with_python(local(), **python)) == findings


def test_impact_and_fix() -> None:
    minor, patch = (compare(image(), with_python(local(), version=v))[0] for v in ("3.10.1", "3.9.2"))
    assert patch == Finding(
        kind="interpreter-version",
        scope="python",
        severity="warning",
        subject="python",
        expected="3.9.18",
        actual="3.9.2",
        impact="Another patch release: fixes of the interpreter and its modules are there on one side only.",
        fix=f"uv python install 3.9.18 && {CREATE}",
    )
    assert minor.impact == (
        "Another minor version: compiled distributions need another ABI, and syntax and modules differ."
    )


@pytest.mark.parametrize(
    ("listed", "here", "kinds"),
    [
        ("3.9", "3.9.18", []),
        ("3.9.18", "3.9.18", []),
        ("3.9.1", "3.9.18", [("interpreter-version", "warning", "3.9.1", "3.9.18")]),
        ("3.1", "3.10.2", [("interpreter-version", "error", "3.1", "3.10.2")]),
    ],
)
def test_a_list_may_say_less(listed: str, here: str, kinds: list[object]) -> None:
    assert found(published(version=listed), with_python(local(), version=here)) == kinds
    swapped = [(kind, severity, b, a) for kind, severity, a, b in kinds]
    assert found(with_python(other_image(), version=here), published(version=listed)) == swapped


def test_two_images_have_no_fix() -> None:
    assert [f.fix for f in compare(image(), with_python(other_image(), version="3.9.2"))] == [None]
