"""Real installations, repacked and installed again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from envsync.catalog.distributions import find_distributions
from envsync.catalog.libc import find_libc
from envsync.catalog.tags import platform_tag
from envsync.contents import installed_path, normal_script
from envsync.files import HostTree
from envsync.model import Distribution, Interpreter
from envsync.names import normalized
from envsync.record import parse_record
from envsync.wheel.files import files_of
from envsync.wheel.parts import Repacked
from envsync.wheel.repack import repack

_MACHINE = os.uname().machine


class Source(HostTree):
    """This machine's files, readable in parts."""

    def open(self, path: PurePosixPath) -> BinaryIO:
        return Path(path).open("rb")


def run(*words: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def venv(folder: Path, python: Path | str = sys.executable) -> Path:
    """A new environment; returns its interpreter."""
    from uv import find_uv_bin

    run(find_uv_bin(), "venv", "--quiet", "--python", python, folder)
    return folder / "bin/python"


def uv_install(python: Path, *words: str | Path) -> None:
    from uv import find_uv_bin

    run(find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python", python, *words)


def look(python: Path, site: Path | None = None) -> Interpreter:
    """The interpreter of an environment, as reading an image describes it."""
    prefix = python.parent.parent
    sites = [site] if site else sorted(prefix.glob("lib/python*/site-packages"))
    eggs = [egg for folder in sites for egg in sorted(folder.glob("*.egg"))]
    version = run(python, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))").strip()
    minor = version.split(".")
    found, _ = find_distributions(HostTree(), [PurePosixPath(path) for path in (*sites, *eggs)])
    return Interpreter(
        version=version,
        abi=f"cp{minor[0]}{minor[1]}" + ("m" if minor[1] in "67" else ""),
        platform_tag=platform_tag(_MACHINE, find_libc(HostTree(), _MACHINE)),
        prefix=PurePosixPath(prefix),
        distributions=found,
    )


def distribution(interpreter: Interpreter, name: str) -> Distribution:
    return next(one for one in interpreter.distributions if normalized(one.name) == normalized(name))


def repacked(python: Path, name: str, folder: Path, site: Path | None = None) -> Repacked:
    interpreter = look(python, site)
    found = distribution(interpreter, name)
    folder.mkdir(exist_ok=True)
    return repack(files_of(found, interpreter, Source()), found, interpreter, Source(), folder)


def installed(python: Path, name: str) -> dict[str, bytes]:
    """The files that an installed wheel consists of, in their normal form."""
    interpreter = look(python)
    found = distribution(interpreter, name)
    assert found.metadata is not None
    info = Path(found.metadata)
    generated = {point.name for point in found.entry_points if point.group.endswith("_scripts")}
    files = {}
    for entry in parse_record((info / "RECORD").read_text(encoding="utf-8")):
        path = installed_path(entry.path, info.name, generated)
        if path is not None:
            data = (info.parent / entry.path).read_bytes()
            files[path] = normal_script(data) if path.startswith("bin/") else data
    return files
