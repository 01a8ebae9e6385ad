"""Pull, create and diff on real images: what is written and made equals what pip says in the image."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.end_to_end.program import Result, environment, envsync, freeze, requirement_lines
from tests.imagekit.engine import pip_freeze, run_in
from tests.imagekit.machine import pyenv_python
from tests.imagekit.projects import LEGACY, setup_project
from tests.imagekit.wheels import make_sdist

pytestmark = [pytest.mark.engine, pytest.mark.network]

WITH_PIP = ("slim", "venv", "debian_python", "debian_system", "user_site", "relayered", "old37", "inconsistent")


@pytest.fixture(scope="module")
def pulled(image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, str]]:
    """A folder in which an image was pulled by both methods, once for all tests of this module."""
    folders: dict[str, tuple[Path, str]] = {}

    def pull(name: str) -> tuple[Path, str]:
        if name not in folders:
            tag, folder = image(name), tmp_path_factory.mktemp(name)
            result = envsync("pull", tag, "--method", "both", cwd=folder)
            assert result.status == 0, result.said
            folders[name] = (folder, tag)
        return folders[name]

    return pull


def lock_of(folder: Path) -> Path:
    (snapshot,) = (folder / "lockfiles").rglob("snapshot.json")
    return snapshot.parent


def findings(result: Result) -> list[tuple[str, str]]:
    return [(f["kind"], f["subject"]) for f in json.loads(result.out)["findings"]]


@pytest.mark.parametrize("name", WITH_PIP)
def test_constraints_are_what_pip_prints_in_the_image(name: str, pulled: Callable[[str], tuple[Path, str]]) -> None:
    folder, tag = pulled(name)
    expected = requirement_lines("\n".join(pip_freeze(tag, "python" if name != "debian_system" else "python3")))
    assert requirement_lines((lock_of(folder) / "constraints.txt").read_text()) == expected


@pytest.mark.parametrize("name", [*WITH_PIP, "py27", "nopip", "origins"])
def test_a_second_pull_changes_no_byte(name: str, pulled: Callable[[str], tuple[Path, str]]) -> None:
    folder, tag = pulled(name)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in lock_of(folder).iterdir()}
    again = envsync("pull", tag, cwd=folder)
    assert again.status == 0, again.said
    assert "lock unchanged" in again.err
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in lock_of(folder).iterdir()} == before


@pytest.mark.parametrize("name", [n for n in WITH_PIP if n != "debian_system"])
def test_the_environment_has_what_the_image_has(
    name: str, pulled: Callable[[str], tuple[Path, str]], tmp_path: Path
) -> None:
    folder, tag = pulled(name)
    made = envsync("create", tmp_path / "env", cwd=folder)
    assert made.status == 0, made.said
    assert freeze(tmp_path / "env" / "bin" / "python") == requirement_lines("\n".join(pip_freeze(tag, "python")))
    clean = envsync("diff", tmp_path / "env", "--only", "python", "--verify", "--json", cwd=folder)
    assert (clean.status, findings(clean)) == (0, []), clean.said


def test_origins_become_versions_and_what_is_local_is_reported(
    pulled: Callable[[str], tuple[Path, str]], tmp_path: Path
) -> None:
    folder, tag = pulled("origins")
    constraints = requirement_lines((lock_of(folder) / "constraints.txt").read_text())
    inside, local = set(), set()
    for line in requirement_lines("\n".join(pip_freeze(tag, "python"))):
        if line.startswith("-e ") or " @ file:///src/" in line:
            local.add(line.removeprefix("-e /src/").split(" @ ")[0])
        elif " @ file:///" in line:
            inside.add(line.split(" @ ")[0])
        else:
            assert line in constraints
    assert local
    assert inside
    for name in local | inside:
        assert any(line.startswith(f"{name}==") for line in constraints)
    without = envsync("create", tmp_path / "env", cwd=folder)
    assert without.status == 1, without.said
    assert f"- {LEGACY} 1.3: not there" in without.err
    assert "no index that is configured here has it; not repacked from the image" in " ".join(without.err.split())

    name, data = make_sdist(LEGACY, "1.3", setup_project(LEGACY, "1.3"))
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / name).write_bytes(data)
    made = envsync("create", tmp_path / "env", cwd=folder, UV_FIND_LINKS=str(tmp_path / "found"))
    assert made.status == 1, made.said
    for name in local:
        assert name in made.err
    missing = envsync("diff", tmp_path / "env", "--only", "python", "--json", cwd=folder)
    absent = [found for found in findings(missing) if found[0] != "distribution-build"]
    assert sorted(absent) == sorted(("distribution-missing", name) for name in local)


def test_requirements_are_installable_without_envsync(
    pulled: Callable[[str], tuple[Path, str]], tmp_path: Path
) -> None:
    folder, _ = pulled("slim")
    lock = lock_of(folder)
    python = tmp_path / "env" / "bin" / "python"
    for words in (
        [find_uv_bin(), "venv", "--quiet", "--python", str(pyenv_python("3.9")), str(tmp_path / "env")],
        [find_uv_bin(), "pip", "install", "--quiet", "--python", str(python), "pip"],
        [
            str(python),
            "-m",
            "pip",
            "install",
            "-q",
            "-r",
            str(lock / "requirements.txt"),
            "-c",
            str(lock / "constraints.txt"),
        ],
    ):
        subprocess.run(words, env=environment(), check=True, timeout=300)
    assert freeze(python) == requirement_lines((lock / "constraints.txt").read_text())


def test_each_planted_change_is_found_and_nothing_else(
    pulled: Callable[[str], tuple[Path, str]], tmp_path: Path
) -> None:
    folder, _ = pulled("slim")
    env = tmp_path / "env"
    assert envsync("create", env, cwd=folder).status == 0
    names = sorted(line.split("==")[0] for line in freeze(env / "bin" / "python"))
    assert {"six", "idna", "certifi"} <= set(names)

    def uv(*words: str) -> None:
        subprocess.run(
            [find_uv_bin(), "pip", *words, "--quiet", "--python", str(env / "bin" / "python")],
            env=environment(),
            check=True,
        )

    uv("uninstall", "six")
    uv("install", "--no-deps", "idna==3.9")
    uv("install", "--no-deps", "iniconfig==2.0.0")
    edited = env / "lib" / "python3.9" / "site-packages" / "certifi" / "core.py"
    text = edited.read_text()
    edited.unlink()  # uv links files from its cache: write a new one
    edited.write_text(text + "# edited\n")
    found = envsync("diff", env, "--only", "python", "--json", cwd=folder)
    assert found.status == 1
    assert sorted(findings(found)) == [
        ("distribution-extra", "iniconfig"),
        ("distribution-missing", "six"),
        ("distribution-modified", "certifi"),
        ("distribution-version", "idna"),
    ]
    assert (
        envsync("diff", env, "--only", "python", "--ignore", "six", "--json", cwd=folder).out.count('"kind": "dist')
        == 3
    )
    mended = envsync("create", env, cwd=folder)
    assert mended.status == 0, mended.said
    clean = envsync("diff", env, "--only", "python", "--verify", "--json", cwd=folder)
    assert (clean.status, findings(clean)) == (0, []), clean.said


def test_two_images_can_be_compared(pulled: Callable[[str], tuple[Path, str]]) -> None:
    folder, tag = pulled("slim")
    _, other = pulled("relayered")
    found = envsync("diff", tag, other, "--only", "python", "--json", cwd=folder)
    assert found.status == 1, found.said
    assert any(kind == "distribution-missing" for kind, _ in findings(found))
    same = envsync("diff", tag, tag, cwd=folder)
    assert same.status == 0, same.said


def test_an_image_without_python_is_named(nopython_image: str, tmp_path: Path) -> None:
    for method in ("run", "read"):
        result = envsync("pull", nopython_image, "--method", method, cwd=tmp_path)
        assert result.status == 2
        assert "no Python" in result.err
    assert not (tmp_path / "lockfiles").exists()


def test_another_interpreter_of_the_image_can_be_chosen(debian_python_image: str, tmp_path: Path) -> None:
    chosen = envsync("pull", debian_python_image, "--method", "both", "--interpreter", "/usr/bin/python3", cwd=tmp_path)
    assert chosen.status == 0, chosen.said
    expected = requirement_lines(run_in(debian_python_image, "/usr/bin/python3", "-m", "pip", "freeze", "--all"))
    assert requirement_lines((lock_of(tmp_path) / "constraints.txt").read_text()) == expected


def test_a_contradiction_in_the_image_is_named_in_the_header(pulled: Callable[[str], tuple[Path, str]]) -> None:
    folder, _ = pulled("inconsistent")
    assert "# This set contradicts itself" in (lock_of(folder) / "requirements.txt").read_text()
