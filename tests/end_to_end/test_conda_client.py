"""An image whose own conda is asked: nothing is said where it agrees, and what differs where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from envsync.lock.store import read_lock
from tests.end_to_end.program import envsync
from tests.imagekit.engine import Recipe, build
from tests.imagekit.machine import MissingToolError
from tests.imagekit.recipes import CONDA

pytestmark = [pytest.mark.engine, pytest.mark.network]

OUTPUTS = Path(__file__).parents[1] / "probe" / "conda_outputs"
EXPLICIT, EXPORT = ((OUTPUTS / f"conda-26.7-{name}").read_text() for name in ("explicit.txt", "environment.yml"))
PRINTS = '#!/bin/sh\ncase "$1" in list) cat /opt/explicit.txt ;; env) cat /opt/environment.yml ;; *) exit 9 ;; esac\n'


def pulled(folder: Path, name: str, method: str, *, conda: str = PRINTS, export: str = EXPORT) -> tuple[int, list[str]]:
    """Exit status, and what is noted in the lock, of an image whose conda prints this."""
    recipe = Recipe(
        name=f"conda-client-{name}",
        parent=CONDA,
        python="3.11",
        files={"conda": conda, "explicit.txt": EXPLICIT, "environment.yml": export},
        script="cp /media/explicit.txt /media/environment.yml /opt/\ncp /media/conda /opt/conda/bin/conda\n"
        "chmod 755 /opt/conda/bin/conda",
    )
    try:
        tag = build(recipe)
    except MissingToolError as error:
        pytest.skip(str(error))
    result = envsync("pull", tag, "--method", method, cwd=folder)
    (snapshot,) = (folder / "lockfiles").rglob("snapshot.json")
    written = b"".join(path.read_bytes() for path in snapshot.parent.iterdir())
    assert b"secret" not in written.replace(b'"secrets":', b"")  # which is a module of Python's own
    found = read_lock(snapshot.parent).snapshot.skipped
    assert {note.place for note in found} <= {"/opt/conda"}, result.said
    return result.status, [f"{note.subject}: {note.reason}" for note in found]


@pytest.mark.parametrize("method", ["run", "both"])
def test_a_conda_that_agrees(method: str, tmp_path: Path) -> None:
    assert pulled(tmp_path, "agrees", method) == (0, [])


def test_a_conda_that_lies_is_no_disagreement_of_the_two_ways(tmp_path: Path) -> None:
    lie = EXPORT.replace("click=8.1.7", "click=8.1.6").replace("tabulate==0.9.0", "tabulate==0.8")
    assert pulled(tmp_path, "lies", "both", export=lie) == (
        1,
        [
            "conda env export: conda only: click=8.1.6=py311_0",
            "conda env export: conda only: pip: tabulate==0.8",
            "conda env export: envsync only: click=8.1.7=py311_0",
            "conda env export: envsync only: pip: tabulate==0.9.0",
        ],
    )


def test_a_conda_that_fails(tmp_path: Path) -> None:
    status, found = pulled(tmp_path, "fails", "run", conda="#!/bin/sh\nprintf 'no \\033[2J\\n' >&2\nexit 3\n")
    reason = r"/opt/conda/bin/conda: exit status 3: no \x1b[2J"
    assert (status, found) == (1, [f"conda env export: {reason}", f"conda list --explicit: {reason}"])
