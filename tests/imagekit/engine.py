"""The container engine that tests run against: asking it, and images in it that are built once and shared.

An image is built by a :class:`Recipe`; its tag holds a hash of the recipe, so that reruns, parallel workers
and other checkouts find it. Nothing outside ``envsync-test/`` is touched.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from tests.imagekit.machine import KitError, MissingToolError, cache_folder, locked, pyenv_python
from tests.imagekit.wheels import fetch_wheels

NAMESPACE = "envsync-test"
_DAY = 24 * 3600


# --- the engine --------------------------------------------------------------------------------------


def docker(*words: str | Path, timeout: float = 600) -> str:
    """Run the docker client and return what it printed on stdout.

    Raises:
        KitError: it failed; with the last lines of its stderr.
    """
    command = ["docker", *map(str, words)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise KitError(f"docker {words[0]}: still running after {timeout:g} s") from error
    if done.returncode:
        tail = "\n".join((done.stderr + done.stdout).splitlines()[-30:])
        raise KitError(f"docker {words[0]}: exit status {done.returncode}\n{tail}")
    return done.stdout


@cache
def engine_problem() -> str | None:
    """Why no engine can be used; ``None`` where one answers."""
    if shutil.which("docker") is None:
        return "no docker client on PATH"
    try:
        docker("version", "--format", "{{.Server.Version}}", timeout=20)
    except KitError as error:
        return f"no container engine answers: {str(error).splitlines()[-1]}"
    return None


def exists(tag: str) -> bool:
    try:
        docker("image", "inspect", "--format", "{{.Id}}", tag)
    except KitError:
        return False
    return True


def image_id(tag: str) -> str:
    """``sha256:…`` of the image's config."""
    return docker("image", "inspect", "--format", "{{.Id}}", tag).strip()


# --- recipes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One layer on a parent: a shell script that runs as root in a container, which is then committed."""

    name: str
    parent: Recipe | None
    script: str
    python: str = ""
    """``3.9``: whose wheels; also mounted at ``/srv`` where the script mentions that."""
    wheels: tuple[str, ...] = ()
    """``name==version``, complete: fetched by this machine, mounted read-only at ``/mnt``."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files mounted read-only at ``/media``."""
    folder: Callable[[], Path] | None = None
    """Makes a folder whose name tells what is in it; mounted read-only at ``/boot``."""
    changes: tuple[str, ...] = ()
    """Dockerfile instructions for ``docker commit``."""
    network: Literal["none", "host"] = "none"

    @property
    def tag(self) -> str:
        parts = [
            self.parent.tag if self.parent else "",
            self.script,
            self.python,
            *self.wheels,
            *self.changes,
        ]
        parts += [f"{name}\0{text}" for name, text in sorted(self.files.items())]
        if "/srv" in self.script:
            parts.append(pyenv_python(self.python).name)
        if self.folder is not None:
            parts.append(self.folder().name)
        digest = hashlib.sha256("\0\0".join(parts).encode()).hexdigest()
        return f"{NAMESPACE}/{self.name}:{digest[:12]}"


def build(recipe: Recipe) -> str:
    """The tag of the recipe's image, built now if the engine does not have it.

    Raises:
        KitError: building failed.
        MissingToolError: this machine lacks what it is built from.
    """
    tag = recipe.tag
    if exists(tag):
        return tag
    if recipe.parent is not None:
        build(recipe.parent)
    with locked(tag.replace("/", "_")):
        if not exists(tag):
            _build_base(recipe, tag) if recipe.parent is None else _build_layer(recipe, recipe.parent.tag, tag)
    return tag


def _build_base(recipe: Recipe, tag: str) -> None:
    """A Debian root file system: the recipe's script is the list of packages."""
    if shutil.which("mmdebstrap") is None:
        raise MissingToolError("mmdebstrap is not installed (apt-get install mmdebstrap)")
    tar = cache_folder() / f"{secrets.token_hex(4)}.tar"
    kept = ["/usr/share/doc/*/copyright"]
    dropped = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
    options = [f'--dpkgopt=path-exclude="{path}"' for path in dropped]
    options += [f'--dpkgopt=path-include="{path}"' for path in kept]
    packages = ",".join(recipe.script.split())
    try:
        done = subprocess.run(
            ["mmdebstrap", "--variant=minbase", *options, f"--include={packages}", "bookworm", tar],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            raise KitError("mmdebstrap failed:\n" + "\n".join(done.stderr.splitlines()[-20:]))
        docker("import", *(f"--change={change}" for change in recipe.changes), tar, tag)
    finally:
        tar.unlink(missing_ok=True)


def _build_layer(recipe: Recipe, parent: str, tag: str) -> None:
    """Run the script and commit.

    Only the command differs from the parent's own settings, so that nothing of the build ends in the image's
    config; the folders mounted on are Debian's own and empty, so that no mount point ends in its layer.
    """
    mounts = []
    if recipe.wheels:
        mounts.append((fetch_wheels(recipe.python, recipe.wheels), "/mnt"))
    if "/srv" in recipe.script:
        mounts.append((pyenv_python(recipe.python), "/srv"))
    if recipe.files:
        mounts.append((_write_files(recipe.files), "/media"))
    if recipe.folder is not None:
        mounts.append((recipe.folder(), "/boot"))
    binds = [f"--volume={source}:{target}:ro" for source, target in mounts]
    name = f"{NAMESPACE}-build-{secrets.token_hex(6)}"
    changes = (f"--change={change}" for change in ('CMD ["python3"]', *recipe.changes))
    try:
        docker(
            "run",
            "--name",
            name,
            "--network",
            recipe.network,
            *binds,
            parent,
            "/bin/sh",
            "-c",
            _PROLOGUE + recipe.script,
        )
        docker("commit", *changes, name, tag)
    finally:
        docker("rm", "--force", "--volumes", name)


_PROLOGUE = """set -eu
umask 022
export LC_ALL=C.UTF-8 HOME=/root PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_NO_INDEX=1 PIP_FIND_LINKS=/mnt PIP_NO_CACHE_DIR=1 DEBIAN_FRONTEND=noninteractive
"""


def _write_files(files: Mapping[str, str]) -> Path:
    text = "\0".join(f"{name}\0{files[name]}" for name in sorted(files))
    folder = cache_folder() / "files" / hashlib.sha256(text.encode()).hexdigest()[:12]
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


# --- asking an image ---------------------------------------------------------------------------------


def run_in(tag: str, *words: str, mounts: Mapping[Path, str] | None = None) -> str:
    """What a program of the image prints, run there by the engine without network."""
    binds = [f"--volume={source}:{target}:ro" for source, target in (mounts or {}).items()]
    return docker("run", "--rm", "--network", "none", *binds, "--entrypoint", words[0], tag, *words[1:])


def pip_freeze(tag: str, interpreter: str = "python3") -> list[str]:
    """The lines of ``pip freeze --all``, run by the engine inside the image.

    Where the interpreter has no pip, one is mounted for it as a wheel (and is not listed).
    """
    words = ("-m", "pip", "freeze", "--all", "--disable-pip-version-check")
    try:
        run_in(tag, interpreter, "-c", "import pip")
    except KitError:
        minor = run_in(tag, interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
        wheel = next(fetch_wheels(minor, ("pip==24.3.1",)).glob("pip-*.whl"))
        program = "import sys, runpy; sys.path.append('/pip.whl'); runpy.run_module('pip', run_name='__main__')"
        listed = run_in(tag, interpreter, "-c", program, *words[2:], mounts={wheel: "/pip.whl"})
        return [line for line in listed.splitlines() if not line.startswith("pip==")]
    return run_in(tag, interpreter, *words).splitlines()


def save(tag: str) -> Path:
    """The image as ``docker save`` writes it; kept by image ID, for a day."""
    folder = cache_folder() / "saved"
    folder.mkdir(exist_ok=True)
    path = folder / f"{image_id(tag).removeprefix('sha256:')[:24]}.tar"
    with locked(path.name):
        for old in folder.iterdir():
            if old != path and old.stat().st_mtime < time.time() - _DAY:
                old.unlink(missing_ok=True)
        if not path.exists():
            partial = path.with_suffix(".partial")
            docker("save", "--output", partial, tag)
            partial.rename(path)
    return path
