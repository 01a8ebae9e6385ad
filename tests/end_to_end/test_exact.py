"""Exact bits: what is proved, what is repacked from the image, and what ``create`` makes, with an index and without."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.pylock import Pylock
from uv import find_uv_bin

from envsync.exact.fidelity import Fidelity, measure
from envsync.local import describe
from envsync.lock.store import read_lock
from envsync.model import Distribution
from tests.end_to_end.program import Result, environment, envsync
from tests.imagekit import odd, proved, replica37
from tests.imagekit.machine import pyenv_python
from tests.imagekit.odd_projects import WRONG_FILE
from tests.imagekit.test_replica37 import IMPORTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = [pytest.mark.engine, pytest.mark.network]

NO_INDEX = {
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "UV_NO_CONFIG": "1",
}
"""An index that nobody serves, and no other one."""
EDITABLE = {odd.EDITABLE, odd.DEVELOPED}
REPACKED = {
    odd.NOWHERE: "no index has it",
    odd.GONE: "it did not come from an index",
    odd.EGG: "no index has it",
    odd.ZIPPED: "no index has it",
    odd.DISTUTILS: "no index has it",
    odd.DATA: "no index has it",
    odd.WRONG_RECORD: "no index has it",
    odd.LEGACY: "the index has only its source",
    odd.PATCHED: f"not as its RECORD says: {odd.PATCHED_FILE}",
}
PROVED = {odd.YANKED, odd.COMPILED, odd.VENDORED, odd.USER, *odd.NAMESPACE, "pip", "setuptools", "six"}


class Pulled(NamedTuple):
    """An image that was pulled once."""

    folder: Path
    tag: str
    result: Result
    cache: Path

    @property
    def lock(self) -> Path:
        (snapshot,) = (self.folder / "lockfiles").rglob("snapshot.json")
        return snapshot.parent

    @property
    def wheelhouse(self) -> Path:
        return self.folder / "wheelhouse"

    def distributions(self) -> dict[str, Distribution]:
        return {one.name: one for one in read_lock(self.lock).snapshot.distributions}

    def run(self, *words: str | Path, **variables: str) -> Result:
        return envsync(*words, cwd=self.folder, **{"ENVSYNC_CACHE_DIR": str(self.cache), **variables})

    def fidelity(self, env: Path) -> Fidelity:
        found = measure(read_lock(self.lock).snapshot, describe(env), verify=True)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def pulled(image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pulled]:
    """Pull an image with an empty cache, once for all tests of this module."""
    done: dict[str, Pulled] = {}

    def pull(name: str) -> Pulled:
        if name not in done:
            tag, folder = image(name), tmp_path_factory.mktemp(name)
            made = Pulled(folder, tag, Result(0, "", ""), folder / "cache")
            wheels = "all" if name == "replica37" else "missing"
            result = made.run("pull", tag, "--wheels", wheels, "--wheelhouse", made.wheelhouse)
            assert result.status == 0, result.said
            done[name] = made._replace(result=result)
        return done[name]

    return pull


@pytest.fixture(scope="module")
def odd_made(pulled: Callable[[str], Pulled]) -> tuple[Pulled, Path, Result]:
    """The environment of the odd image."""
    one = pulled("odd")
    return one, one.folder / "env", one.run("create", "env", "--image", one.lock)


def run(*words: str | Path, **variables: str) -> str:
    done = subprocess.run(
        list(map(str, words)), env=environment(**variables), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def plan(one: Pulled, *words: str | Path, status: int, **variables: str) -> tuple[dict[str, Any], Result]:
    """What ``create --plan --json`` says, by name."""
    result = one.run("create", "--image", one.lock, "--plan", "--json", *words, **variables)
    assert result.status == status, result.said
    return {part["name"]: part for part in json.loads(result.out)["parts"]}, result


def unlike(fidelity: Fidelity) -> dict[str, tuple[str, str]]:
    """What is not identical."""
    return {v.name: (v.grade, v.reason) for v in fidelity.verdicts if v.grade != "identical"}


# --- an image made of index wheels only --------------------------------------------------------------


def test_every_distribution_is_proved_to_be_the_file_that_was_installed(pulled: Callable[[str], Pulled]) -> None:
    one = pulled("proved")
    installed = proved.installed_wheels()
    found = {name.lower(): d for name, d in one.distributions().items()}
    assert len(found) == len(installed) == len(proved.WHEELS)
    files = {re.sub(r"[-_.]+", "-", name): d.file for name, d in found.items()}
    assert {name: (file.filename, file.sha256) for name, file in files.items() if file is not None} == installed
    assert {file.proof for file in files.values() if file is not None} == {"proved"}
    assert not any(d.wheel or d.patched for d in found.values())
    assert not one.wheelhouse.exists()
    assert f"{len(installed)} proved to be files of the index" in one.result.err


def test_the_locks_of_pip_and_uv_name_these_files(pulled: Callable[[str], Pulled], tmp_path: Path) -> None:
    one = pulled("proved")
    installed = proved.installed_wheels()
    lock = Pylock.from_dict(tomllib.loads((one.lock / "pylock.toml").read_text()))
    lock.validate()
    files = {str(package.name): package.wheels or [] for package in lock.packages}
    assert {name: (wheel.name, wheel.hashes["sha256"]) for name, (wheel,) in files.items()} == installed
    text = (one.lock / "requirements.lock").read_text()
    assert re.findall(r"--hash=sha256:([0-9a-f]{64})", text) != []
    assert set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text)) == {sha256 for _, sha256 in installed.values()}

    by_uv = tmp_path / "by-uv"
    run(find_uv_bin(), "venv", "--quiet", "--python", pyenv_python("3.9"), by_uv)
    run(find_uv_bin(), "pip", "install", "--quiet", "--python", by_uv / "bin/python", "-r", one.lock / "pylock.toml")
    assert unlike(one.fidelity(by_uv)) == {}

    by_pip = tmp_path / "by-pip"
    run(pyenv_python("3.9") / "bin/python", "-m", "venv", by_pip)
    flags = ("--quiet", "--no-compile", "--require-hashes", "--no-deps")
    run(by_pip / "bin/python", "-m", "pip", "install", *flags, "-r", one.lock / "requirements.lock")
    assert unlike(one.fidelity(by_pip)) == {}


# --- an image where each distribution got there in another way ---------------------------------------


def test_pulling_says_what_is_proved_repacked_and_changed(pulled: Callable[[str], Pulled]) -> None:
    one = pulled("odd")
    found = one.distributions()
    assert {name for name, d in found.items() if d.file is not None} == PROVED | {odd.PATCHED}
    assert {d.file.proof for d in found.values() if d.file is not None} == {"proved"}
    assert {name: d.wheel.reason for name, d in found.items() if d.wheel is not None} == REPACKED
    assert {name: d.patched for name, d in found.items() if d.patched} == {
        odd.PATCHED: (odd.PATCHED_FILE,),
        odd.WRONG_RECORD: (WRONG_FILE,),
    }
    yanked = found[odd.YANKED].file
    assert yanked is not None
    assert yanked.note == "yanked: Incorrectly claims to support Python 3.5."
    assert (
        f"{len(PROVED) + 1} proved to be files of the index, {len(REPACKED)} repacked from the image" in one.result.err
    )
    for name, path in ((odd.PATCHED, odd.PATCHED_FILE), (odd.WRONG_RECORD, WRONG_FILE)):
        assert f"{name} ({path})" in one.result.err
    wheels = {d.wheel.filename for d in found.values() if d.wheel}
    assert {path.name for path in one.wheelhouse.iterdir()} == wheels | {"links.html"}


def test_a_second_pull_makes_the_same(pulled: Callable[[str], Pulled], tmp_path: Path) -> None:
    """Also where another folder is to have the wheels."""
    one = pulled("odd")
    before = {path.name: path.read_bytes() for path in one.lock.iterdir()}
    again = one.run("pull", one.tag, "--wheels", "missing", "--wheelhouse", tmp_path)
    assert again.status == 0, again.said
    assert "lock unchanged" in again.err
    assert {path.name: path.read_bytes() for path in one.lock.iterdir()} == before
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in one.wheelhouse.iterdir()
    }


def test_all_but_editable_projects_are_byte_identical(odd_made: tuple[Pulled, Path, Result]) -> None:
    """What distutils installed has no list of files: it is there, and nothing is claimed of it."""
    one, env, made = odd_made
    assert made.status == 1, made.said
    assert f"{len(PROVED) + len(REPACKED)} of 20 distributions as in the image" in made.err
    assert f"fidelity: {len(PROVED) + len(REPACKED) - 1} of 20 byte-identical; 2 missing; 1 not comparable" in made.err
    assert {name: grade for name, (grade, _) in unlike(one.fidelity(env)).items()} == {
        **dict.fromkeys(EDITABLE, "missing"),
        odd.DISTUTILS: "unknown",
    }
    site = env / "lib/python3.9/site-packages"
    assert "# Patched by hand.\n" in (site / odd.PATCHED_FILE).read_text()
    origin = json.loads((site / "envsync_fixture_gone-0.9.dist-info/direct_url.json").read_text())
    assert (origin["url"], origin["vcs_info"]["requested_revision"]) == (odd.GONE_URL, "v0.9")
    modules = [module for name, several in odd.MODULES.items() if name not in EDITABLE for module in several]
    run(
        env / "bin/python", "-c", "import importlib, sys\nfor it in sys.argv[1:]: importlib.import_module(it)", *modules
    )
    assert run(env / "bin/fixture-python") == "0.5\n"
    assert run(env / "bin/fixture-shell") == "0.5\n"


def test_the_plan_says_where_each_comes_from(pulled: Callable[[str], Pulled]) -> None:
    parts, _ = plan(pulled("odd"), status=1)
    assert {name for name, part in parts.items() if part["kind"] == "index-wheel"} == PROVED
    assert {name: part["reason"] for name, part in parts.items() if part["kind"] == "image-wheel"} == REPACKED
    assert {name for name, part in parts.items() if part["kind"] == "editable"} == EDITABLE
    assert {name: part["notes"] for name, part in parts.items() if part.get("notes")} == {
        odd.DISTUTILS: ["nothing lists its files: only modules of its name are in the wheel, no scripts or data"]
    }
    assert parts[odd.YANKED]["reason"] == (
        "its RECORD is the image's; yanked: Incorrectly claims to support Python 3.5."
    )


def test_for_another_python_the_wheels_of_the_image_are_refused(pulled: Callable[[str], Pulled]) -> None:
    parts, _ = plan(pulled("odd"), "--python", "3.8", status=1)
    refused = "the image's own wheel fits Python and platform of the image only"
    assert parts[odd.NOWHERE]["kind"] == "nowhere"
    assert parts[odd.NOWHERE]["reason"].startswith(f"no index that is configured here has it; {refused} (")
    assert (parts[odd.COMPILED]["kind"], parts[odd.COMPILED]["proof"]) == ("index-wheel", "chosen")
    assert "cp38" in parts[odd.COMPILED]["filename"]
    assert parts["six"]["proof"] == "proved"
    assert parts[odd.VENDORED]["kind"] == "nowhere"
    assert parts[odd.VENDORED]["nearest"] == "numpy==1.24.4"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_plain_installers_take_the_wheels_of_the_image(
    pulled: Callable[[str], Pulled], tmp_path: Path, installer: str
) -> None:
    one = pulled("odd")
    pins = [f"{name}=={one.distributions()[name].version}" for name in REPACKED]
    python = tmp_path / "bin" / "python"
    words: list[str | Path] = ["--quiet", "--no-index", "--no-deps", "--find-links", one.wheelhouse, *pins]
    if installer == "pip":
        run(pyenv_python("3.9") / "bin/python", "-m", "venv", tmp_path)
        run(python, "-m", "pip", "install", "--no-compile", *words)
    else:
        run(find_uv_bin(), "venv", "--quiet", "--python", pyenv_python("3.9"), tmp_path)
        run(find_uv_bin(), "pip", "install", "--python", python, *words, UV_NO_CACHE="1")
    assert unlike(one.fidelity(tmp_path)).keys() & REPACKED.keys() == {odd.DISTUTILS}


def test_a_file_that_was_tampered_with_is_named_and_mended(odd_made: tuple[Pulled, Path, Result]) -> None:
    one, env, _ = odd_made
    file = env / "lib/python3.9/site-packages" / odd.PATCHED_FILE
    good = file.read_bytes()
    file.unlink()  # which may be a link into uv's cache
    file.write_bytes(good + b"\n# Tampered with.\n")
    grade, reason = unlike(one.fidelity(env))[odd.PATCHED]
    assert (grade, reason) == ("same-release", f"changed here: {odd.PATCHED_FILE}")
    told = one.run("diff", env, "--only", "python", "--verify")
    assert told.status == 1, told.said
    assert re.search(rf"\b{odd.PATCHED}\b.*(changed|modified)", told.out), told.said
    mended = one.run("create", "env", "--image", one.lock)
    assert f"changed since it was installed: {odd.PATCHED}; installed anew" in mended.err, mended.said
    assert file.read_bytes() == good


def test_wheels_that_are_gone_are_made_again(pulled: Callable[[str], Pulled], tmp_path: Path) -> None:
    one = pulled("odd")
    parts, result = plan(one, status=1, ENVSYNC_CACHE_DIR=str(tmp_path))
    assert f"wheels of {len(REPACKED)} distributions are not at hand: reading {one.tag} again" in result.err
    assert {name for name, part in parts.items() if part["kind"] == "image-wheel"} == REPACKED.keys()
    assert {parts[name]["hashes"][0] for name in REPACKED} == {
        f"sha256={d.wheel.sha256}" for d in one.distributions().values() if d.wheel is not None
    }


def test_wheels_of_an_image_that_is_gone(pulled: Callable[[str], Pulled], tmp_path: Path) -> None:
    one = pulled("odd")
    copy = tmp_path / "lock"
    shutil.copytree(one.lock, copy)
    text = (copy / "snapshot.json").read_text()
    (copy / "snapshot.json").write_text(text.replace(f'"{one.tag}"', '"127.0.0.1:9/acme/gone:1"'))
    result = one.run("create", "--image", copy, "--plan", "--json", ENVSYNC_CACHE_DIR=str(tmp_path / "cache"))
    assert result.status == 1, result.said
    parts = {part["name"]: part for part in json.loads(result.out)["parts"]}
    assert "127.0.0.1:9/acme/gone:1 cannot be read again: " in result.err
    assert parts[odd.NOWHERE]["kind"] == "nowhere"
    assert parts[odd.NOWHERE]["reason"] == (
        "no index that is configured here has it; the image's own wheel is no longer at hand"
    )
    assert parts[odd.LEGACY]["kind"] == "index-sdist"


# --- the whole list of digdag-python:3.7 -------------------------------------------------------------


def check_replica(one: Pulled, made: Result, env: Path) -> None:
    count = len(replica37.published_pins()) + len(replica37.BASICS)
    assert made.status == 0, made.said
    assert f"{count} of {count} distributions as in the image" in made.err
    assert f"fidelity: {count} of {count} byte-identical" in made.err
    assert unlike(one.fidelity(env)) == {}
    lines = run(env / "bin/python", "-c", IMPORTS, env / "lib/python3.7/site-packages").splitlines()
    assert lines[:-1] == []
    assert int(lines[-1].removeprefix("done ")) > 60


def test_the_whole_list_from_the_index_where_it_can(pulled: Callable[[str], Pulled]) -> None:
    one = pulled("replica37")
    assert {name for name, d in one.distributions().items() if d.file is None} == set(replica37.SOURCE_ONLY)
    made = one.run("create", "auto", "--image", one.lock)
    check_replica(one, made, one.folder / "auto")


def test_the_whole_list_from_the_image_alone(pulled: Callable[[str], Pulled], tmp_path: Path) -> None:
    """No index, no cache of envsync's or uv's: the lock and its wheels are enough."""
    one = pulled("replica37")
    apart = {**NO_INDEX, "ENVSYNC_CACHE_DIR": str(tmp_path / "cache"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    words = ("--image", one.lock, "--from", "image", "--wheelhouse", one.wheelhouse)
    made = one.run("create", tmp_path / "env", *words, **apart)
    check_replica(one, made, tmp_path / "env")
