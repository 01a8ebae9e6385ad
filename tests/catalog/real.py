"""The interpreters of this machine, and what they say of themselves when they run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from envsync.catalog.interpreters import describe_interpreter
from envsync.catalog.libc import find_libc
from envsync.files import HostTree
from envsync.model import Interpreter, Skipped
from tests.catalog.trees import KeptFiles

MACHINE = os.uname().machine
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
SYSTEM = Path("/usr/bin/python3")

_QUESTION = """
import json, sys
import sysconfig
print(json.dumps({
    "version": sys.version.split()[0],
    "prefix": sys.prefix,
    "base_prefix": getattr(sys, "base_prefix", sys.prefix),
    "path": sys.path[1:],
    "soabi": sysconfig.get_config_var("SOABI"),
    "executable": sys.executable,
}))
"""


def executables() -> list[Path]:
    """pyenv's interpreters and the OS's own, oldest first."""
    found = [path / "bin/python" for path in PYENV.glob("[23].*") if (path / "bin/python").exists()]
    found.sort(key=lambda path: [int(part) for part in path.parts[-3].split(".") if part.isdecimal()])
    return [*found, *([SYSTEM] if SYSTEM.exists() else [])]


def interpreters(at_least: tuple[int, int] = (2, 7), only: Sequence[tuple[int, int]] = ()) -> Any:
    """Parametrize a test by the interpreters there are; skipped where there is none."""
    cases = []
    for path in executables():
        series = tuple(int(part) for part in path.parts[-3].split(".")[:2]) if path != SYSTEM else None
        if series in only if only else series is None or series >= at_least:
            cases.append(pytest.param(path, id=path.parts[-3] if series else "system"))
    skip = pytest.param(None, marks=pytest.mark.skip(reason=f"no such interpreter under {PYENV}"))
    return pytest.mark.parametrize("python", cases or [skip])


def environment(home: Path, **variables: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(python: Path, env: Mapping[str, str], cwd: Path) -> dict[str, Any]:
    """What the interpreter itself says."""
    answer: dict[str, Any] = json.loads(run([python, "-c", _QUESTION], env=env, cwd=cwd).splitlines()[-1])
    return answer


def describe(python: Path, env: Mapping[str, str], cwd: Path) -> tuple[Interpreter, tuple[Skipped, ...]]:
    """What its files say; only files that an image's reader would keep are read."""
    return describe_interpreter(
        KeptFiles(),
        PurePosixPath(python),
        env=env,
        home=PurePosixPath(env["HOME"]),
        libc=find_libc(HostTree(), MACHINE),
        machine=MACHINE,
        workdir=PurePosixPath(cwd),
    )


def assert_same(python: Path, env: Mapping[str, str], cwd: Path) -> tuple[Interpreter, tuple[Skipped, ...]]:
    """Both must say the same; returns what the files say."""
    told = ask(python, env, cwd)
    found, skipped = describe(python, env, cwd)
    assert [str(entry) for entry in found.sys_path] == told["path"]
    assert (found.version, str(found.prefix), str(found.base_prefix), str(found.executable)) == (
        told["version"],
        told["prefix"],
        told["base_prefix"],
        told["executable"],
    )
    if told["soabi"] is not None:
        assert found.abi == "cp" + told["soabi"].split("-")[1]
    return found, tuple(one for one in skipped if one.place.startswith(str(cwd)))
