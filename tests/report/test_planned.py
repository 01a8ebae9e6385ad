from __future__ import annotations

import json
from pathlib import Path

import pytest

from envsync.build.interpreter import LocalPython
from envsync.build.plan import FromImage, FromIndex, FromUrl, NotReproducible, Part, Plan
from envsync.exact.fidelity import Fidelity, Grade, Verdict
from envsync.lock.store import Lock
from envsync.model import VcsOrigin
from envsync.report.fidelity import fidelity_lines
from envsync.report.planned import plan_json, render_plan
from envsync.supply import Planned
from tests.factory import snapshot

PYTHON = LocalPython(
    path=Path("/usr/bin/python3.9"), version="3.9.18", implementation="cpython", abi="cp39", exact=True
)
SHA = "a" * 64
PROVED = FromIndex(
    name="six",
    version="1.16.0",
    filename="six-1.16.0-py2.py3-none-any.whl",
    hashes=(f"sha256={SHA}",),
    proof="proved",
    reason="its RECORD is the image's; yanked: broken",
)
SDIST = FromIndex(
    name="fbprophet",
    version="0.5",
    filename="fbprophet-0.5.tar.gz",
    hashes=(f"sha256={SHA}",),
    proof="chosen",
    is_sdist=True,
    build_requires=("pystan", "numpy"),
    as_of="2019-07-16T00:00:00Z",
    reason="no wheel fits this machine",
)
IMAGE = FromImage(
    name="gone",
    version="0.9",
    filename="gone-0.9-py3-none-any.whl",
    sha256=SHA,
    path="/cache/gone-0.9-py3-none-any.whl",
    reason="no index has it",
    notes=("/etc/x: outside of /usr/local: left out",),
)
URL = FromUrl(
    name="a",
    version="1.0",
    origin=VcsOrigin(url="https://u:secret@git.example/a.git", vcs="git", commit="f" * 40),
    requirement=f"a @ git+https://u:secret@git.example/a.git@{'f' * 40}",
)
NOWHERE = NotReproducible(
    name="pyarrow",
    version="3.1.0.dev98",
    reason="no index has it\x1b[2J",
    nearest="pyarrow==3.0.0",
    risk="another minor version",
)
EDITABLE = NotReproducible(name="mine", version="1.0", reason="an editable project", editable=True)


def planned(*parts: Part) -> Planned:
    return Planned(lock=Lock(path=Path("lock"), snapshot=snapshot()), python=PYTHON, plan=Plan(parts=parts))


def test_a_plan_for_people() -> None:
    text = render_plan(planned(NOWHERE, IMAGE, URL, SDIST, EDITABLE, PROVED), 80)
    assert text == (
        "6 distributions for Python 3.9.18 (/usr/bin/python3.9)\n"
        "\n"
        "wheels of an index (1)\n"
        "  six 1.16.0  proved\n"
        "    six-1.16.0-py2.py3-none-any.whl\n"
        "    yanked: broken\n"
        "\n"
        "sdists of an index, to be built (1)\n"
        "  fbprophet 0.5  chosen\n"
        "    fbprophet-0.5.tar.gz\n"
        "    built as of 2019-07-16T00:00:00Z, with pystan, numpy\n"
        "    no wheel fits this machine\n"
        "\n"
        "from the recorded URL or commit (1)\n"
        "  a 1.0\n"
        f"    git+https://git.example/a.git@{'f' * 40}\n"
        "\n"
        "repacked from the image (1)\n"
        "  gone 0.9\n"
        "    gone-0.9-py3-none-any.whl\n"
        "    no index has it\n"
        "    /etc/x: outside of /usr/local: left out\n"
        "\n"
        "editable or local projects, left out (1)\n"
        "  mine 1.0\n"
        "    an editable project\n"
        "\n"
        "nowhere (1)\n"
        "  pyarrow 3.1.0.dev98\n"
        "    no index has it\\x1b[2J\n"
        "    nearest: pyarrow==3.0.0 (another minor version)\n"
    )


def test_a_plan_for_programs() -> None:
    document = json.loads(plan_json(planned(PROVED, SDIST, IMAGE, URL, NOWHERE, EDITABLE)))
    assert {key: document[key] for key in ("schema", "image", "python")} == {
        "schema": 1,
        "image": "acme/app:1",
        "python": {"version": "3.9.18", "path": "/usr/bin/python3.9"},
    }
    parts = document["parts"]
    kinds = ["index-wheel", "index-sdist", "image-wheel", "url", "nowhere", "editable"]
    assert [part["kind"] for part in parts] == kinds
    assert parts[0]["hashes"] == [f"sha256={SHA}"]
    assert (parts[1]["build_requires"], parts[1]["as_of"]) == (["pystan", "numpy"], "2019-07-16T00:00:00Z")
    assert (parts[2]["hashes"], parts[2]["notes"]) == ([f"sha256={SHA}"], list(IMAGE.notes))
    assert "secret" not in parts[3]["url"]
    assert (parts[4]["nearest"], parts[4]["risk"]) == ("pyarrow==3.0.0", "another minor version")


# --- the figure --------------------------------------------------------------------------------------


def verdict(name: str, grade: Grade, reason: str = "") -> Verdict:
    return Verdict(name=name, version="1.0", grade=grade, reason=reason)


def test_all_identical() -> None:
    found = Fidelity(verdicts=(verdict("a", "identical"), verdict("b", "identical")), modules=264)
    assert fidelity_lines(found, 80) == [
        "fidelity: 2 of 2 byte-identical",
        "standard library: 264 of 264 modules identical",
    ]


def test_figures_and_reasons() -> None:
    found = Fidelity(
        verdicts=(
            verdict("a", "identical"),
            verdict("b", "same-release", "changed here: b.py\x1b[2J"),
            verdict("c", "differs", "2.0 here"),
            verdict("d", "missing"),
            verdict("e", "unknown", "nothing tells"),
        ),
        modules=3,
        differing_modules=("lib-dynload/_ssl", "os"),
    )
    assert fidelity_lines(found, 100) == [
        "fidelity: 1 of 5 byte-identical; 1 the same release with other bytes; 1 of another version; 1",
        "  missing; 1 not comparable",
        "  - b 1.0 the same release with other bytes: changed here: b.py\\x1b[2J",
        "  - e 1.0 not comparable: nothing tells",
        "standard library: 1 of 3 modules identical; 1 compiled ones of another build, or that find their",
        "  libraries elsewhere; other contents: os",
    ]


@pytest.mark.parametrize("count", [8, 9, 30])
def test_only_the_first_are_told(count: int) -> None:
    found = Fidelity(verdicts=tuple(verdict(f"a{number:02}", "same-release") for number in range(count)))
    lines = fidelity_lines(found, 100)
    assert len(lines) == 1 + 8 + (count > 8)
    assert (lines[-1] == f"  ... and {count - 8} more") is (count > 8)
