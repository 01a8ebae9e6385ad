"""A machine that lacks what an image's distributions need: what is said to break breaks, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from uv import find_uv_bin

from tests.end_to_end.program import ROOT, envsync
from tests.imagekit.engine import build, docker
from tests.imagekit.machine import cache_folder, locked
from tests.imagekit.needy import MACHINE, MODULES, PYTHON

pytestmark = [pytest.mark.engine, pytest.mark.network]

TRY = """
import json, subprocess, sys
failed = {}
for name, modules in json.loads(sys.argv[1]).items():
    code = "import " + ", ".join(modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        failed[name] = done.stderr.strip().splitlines()[-1]
print(json.dumps(failed))
"""
NO_NETWORK = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}


class Machine(NamedTuple):
    """A container without network: another base, the same Python, envsync, the lock and its wheels."""

    name: str

    def run(self, *words: str, allowed: frozenset[int] = frozenset({0})) -> str:
        command = ["docker", "exec", "--env=COLUMNS=80", "--workdir=/tmp", self.name, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode in allowed, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def envsync(self, *words: str, allowed: frozenset[int] = frozenset({0})) -> str:
        return self.run("python", "-m", "envsync", *words, allowed=allowed)

    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.envsync("diff", "env", "--json", allowed=frozenset({0, 1})))[
            "findings"
        ]
        return found

    def broken(self) -> dict[str, str]:
        """What cannot be imported, with the last line of the traceback."""
        found: dict[str, str] = json.loads(self.run("env/bin/python", "-c", TRY, json.dumps(MODULES)))
        return found


def program() -> Path:
    """A folder with all that envsync imports, for the Python of the machine."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"envsync-for-{PYTHON}-{wanted}"
    with locked(folder.name):
        if not folder.exists():
            staging = folder.with_name(f"{folder.name}-new")
            shutil.rmtree(staging, ignore_errors=True)
            command = [
                find_uv_bin(),
                "pip",
                "install",
                "--quiet",
                "--target",
                staging,
                "--python-version",
                PYTHON,
                ROOT,
            ]
            subprocess.run(command, check=True)
            shutil.rmtree(staging / "envsync")
            staging.rename(folder)
    return folder


@pytest.fixture(scope="module")
def needy(image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the lock of the image, all its wheels beside it."""
    folder = tmp_path_factory.mktemp("needy")
    pulled = envsync(
        "pull", image("needy"), "--wheels", "all", "--wheelhouse", folder / "wheelhouse", cwd=folder, timeout=600
    )
    assert pulled.status == 0, pulled.said
    return folder


@pytest.fixture(scope="module")
def machine(needy: Path) -> Iterator[Machine]:
    name = f"envsync-test-machine-{secrets.token_hex(4)}"
    volumes = [
        f"--volume={ROOT / 'envsync'}:/srv/envsync:ro",
        f"--volume={program()}:/mnt:ro",
        f"--volume={needy}:/media:ro",
    ]
    variables = ["--env=PYTHONPATH=/srv:/mnt", "--env=HOME=/root", "--env=TZ="]
    variables += [f"--env={variable}={value}" for variable, value in NO_NETWORK.items()]
    docker("run", "--detach", "--network=none", f"--name={name}", *volumes, *variables, build(MACHINE), "sleep", "3600")
    try:
        one = Machine(name)
        lock = next((needy / "lockfiles").rglob("snapshot.json")).parent.relative_to(needy)
        words = ("--image", f"/media/{lock}", "--from", "image", "--wheelhouse", "/media/wheelhouse")
        one.run("cp", "-r", "/media/wheelhouse", "/tmp/wheelhouse")
        one.envsync("create", "env", *words[:-1], "/tmp/wheelhouse")
        yield one
    finally:
        docker("rm", "--force", "--volumes", name)


def test_what_breaks_is_what_cannot_be_imported(machine: Machine) -> None:
    """``graphviz`` can be imported, and fails when it runs ``dot``; ``git`` is looked for by an import."""
    breaking = [finding for finding in machine.findings() if finding.get("verdict") == "breaks"]
    predicted = {name for finding in breaking for name in finding["needed_by"]}
    broken = machine.broken()
    assert predicted - {"graphviz"} == broken.keys(), broken
    assert "graphviz" in predicted
    drawn = machine.run("env/bin/python", "-c", "import graphviz; graphviz.version()", allowed=frozenset({1}))
    assert drawn == ""


def test_each_library_that_an_import_misses_was_named(machine: Machine) -> None:
    named = {(finding["subject"], name) for finding in machine.findings() for name in finding.get("needed_by", ())}
    linked = {name: line for name, line in machine.broken().items() if line.startswith("ImportError: lib")}
    assert len(linked) >= 3
    for name, line in linked.items():
        assert (line.removeprefix("ImportError: ").partition(":")[0], name) in named, line


def test_the_commands_mend_all_of_it(machine: Machine, image: Callable[[str], str]) -> None:
    """Each is a package of the image, which together have all that is missing."""
    script = machine.envsync("diff", "env", "--fix", allowed=frozenset({0, 1}))
    (line,) = [line for line in script.splitlines() if line.startswith("apt-get install ")]
    packages = line.removeprefix("apt-get install ").split()
    assert {"libgomp1", "libgl1", "libpq5", "libcurl4", "graphviz", "git", "libmagic1", "libzbar0"} <= set(packages)
    installed = docker("run", "--rm", "--network=none", image("needy"), "dpkg-query", "-W", "-f", "${Package}\n")
    assert set(packages) <= set(installed.split())
    before = machine.broken()
    assert before
    assert machine.envsync("diff", "env", "--fix", allowed=frozenset({0, 1})) == script
    assert machine.broken() == before  # nothing was run


def test_in_the_image_itself_nothing_breaks(needy: Path, image: Callable[[str], str]) -> None:
    done = docker("run", "--rm", "--network=none", image("needy"), "python", "-c", TRY, json.dumps(MODULES))
    assert json.loads(done) == {}
