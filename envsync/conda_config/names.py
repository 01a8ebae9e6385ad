"""Where an environment of a name is, as conda chooses it.

Follows https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html#envs-dirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from envsync.conda_config.condarc import conda_root
from envsync.conda_config.settings import CondaSettings
from envsync.errors import UsageError
from envsync.redaction import printable

_RESERVED = ("base", "root", ".", "..")
_DISALLOWED = "/\\ :#"


def environment_place(name: str, settings: CondaSettings, environ: Mapping[str, str], home: Path) -> Path:
    """The prefix of the environment ``name``: where there is one, else in the first folder that can be written to.

    Raises:
        UsageError: no name that conda would take, or no such folder.
    """
    if name in _RESERVED:
        raise UsageError(f"--name {name}: reserved (expected a name of its own)")
    if not name or not name.isprintable() or any(char in _DISALLOWED for char in name):
        raise UsageError(
            f"--name {printable(name)}: not the name of an environment (expected no / \\ : # or space in it)"
        )
    folders = tuple(dict.fromkeys(_folders(settings, environ, home)))
    for folder in folders:
        if _is_folder(folder / name):
            return folder / name
    for folder in folders:
        if _can_be_written(folder):
            return folder / name
    raise UsageError(
        f"--name {name}: none of {', '.join(map(str, folders))} is a folder that you may write to",
        hint="Name a path instead of a name, or set CONDA_ENVS_DIRS.",
    )


def _folders(settings: CondaSettings, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield from settings.envs_dirs
    own = home / ".conda/envs"
    conda = conda_root(environ)
    if conda is not None:
        shared = conda / "envs"
        # As conda has it, who may not write to the installation has environments at home first.
        yield from (shared, own) if os.access(conda / "conda-meta/history", os.W_OK) else (own, shared)
    elif environ.get("MAMBA_ROOT_PREFIX"):
        yield Path(environ["MAMBA_ROOT_PREFIX"]).absolute() / "envs"
    yield own


def _can_be_written(folder: Path) -> bool:
    """Whether it is a folder to write to, or can be made."""
    there = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
    return _is_folder(there) and os.access(there, os.W_OK | os.X_OK)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # in a folder that may not be looked into
        return False
