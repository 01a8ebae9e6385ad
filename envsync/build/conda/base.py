"""Updating conda's own base environment to a lock, by ``conda env update``: what it changes, and doing it.

https://docs.conda.io/projects/conda/en/stable/commands/env/update.html. What a lock does not have stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from msgspec import Struct

from envsync.build.conda.own_client import client_error, find_client, run_client
from envsync.build.conda.state import read_distributions, read_records
from envsync.build.venv import TWO_HOURS
from envsync.conda_config.condarc import conda_root
from envsync.errors import BuildError
from envsync.lock.conda.environment_yml import render_environment
from envsync.model import Snapshot
from envsync.names import normalized
from envsync.redaction import printable

BaseClient = Literal["conda", "mamba"]


class Change(Struct, frozen=True, kw_only=True):
    """One package or distribution that an update puts in, or replaces."""

    name: str
    old: str | None
    """Version and build; ``None``: it is not there yet."""
    new: str
    by_pip: bool = False


class BaseUpdate(Struct, frozen=True, kw_only=True):
    """What an update of the base environment would do."""

    prefix: Path
    program: Path
    client: BaseClient
    changes: tuple[Change, ...]
    """Sorted: conda's packages first, then pip's distributions."""
    same: int
    """How many are there already, as the lock has them."""
    others: int
    """Packages and distributions that the lock does not have: they stay, unless the solver finds that they conflict."""


def plan_base_update(lock: Snapshot, client: BaseClient) -> BaseUpdate:
    """Compare the base environment of the user's conda with a lock; nothing is changed.

    Raises:
        BuildError: no conda here, or its base environment cannot be found, or more than one could be meant.
    """
    program = find_client(client, os.environ)
    prefix = _base_of(program, client, os.environ)
    records = read_records(prefix)
    have = {name: f"{one.package.version} {one.package.build}" for name, one in records.items()}
    environment = lock.conda_environment
    packages = environment.packages if environment is not None else ()
    want = {one.name: f"{one.version} {one.build}" for one in packages}
    pip_have = {str(one.name): one.version for one in read_distributions(prefix, records).by_pip}
    pip_want = {str(normalized(one.name)): one.version for one in lock.distributions if one.conda is None}
    return BaseUpdate(
        prefix=prefix,
        program=program,
        client=client,
        changes=(*_changes(have, want), *_changes(pip_have, pip_want, by_pip=True)),
        same=len(have.items() & want.items()) + len(pip_have.items() & pip_want.items()),
        others=len(have.keys() - want.keys()) + len(pip_have.keys() - pip_want.keys()),
    )


def _base_of(program: Path, client: BaseClient, environ: Mapping[str, str]) -> Path:
    """The environment that the client is installed in, which has to be conda's own; a wrapper is in none."""
    own, root = program.resolve().parent.parent, conda_root(environ)
    if root is not None and own != root.resolve() and _is_prefix(own) and _is_prefix(root):
        beside = "" if client == "conda" else f" {client.upper()}_EXE=PATH/bin/{client}"
        without = ", and no CONDA_ROOT" if environ.get("CONDA_ROOT") else ""
        raise BuildError(
            f"{printable(str(program))}: is in another environment than conda's base, {printable(str(root))}"
            " (expected the same)",
            hint=f"Say which is meant: CONDA_EXE=PATH/bin/conda{beside}{without}",
        )
    prefix = own if root is None or _is_prefix(own) else root
    if not _is_prefix(prefix):
        raise BuildError(
            f"{printable(str(prefix))}: no base environment (expected conda-meta in it)",
            hint="Say where conda is: CONDA_EXE=PATH/bin/conda",
        )
    return prefix


def _is_prefix(folder: Path) -> bool:
    return (folder / "conda-meta").is_dir()


def _changes(have: dict[str, str], want: dict[str, str], *, by_pip: bool = False) -> tuple[Change, ...]:
    return tuple(
        Change(name=name, old=have.get(name), new=new, by_pip=by_pip)
        for name, new in sorted(want.items())
        if have.get(name) != new
    )


def update_base(
    lock: Snapshot, update: BaseUpdate, *, timeout: float = TWO_HOURS, on_line: Callable[[str], None]
) -> None:
    """Run the user's own client on its base environment.

    Args:
        lock: what the update was planned from; the environment.yml beside it may have been edited since.
        update: of :func:`plan_base_update`.
        timeout: seconds.
        on_line: called with each line that it prints to stderr, without credentials.

    Raises:
        UnsafeValueError: a value of the lock would be more than one entry of environment.yml.
        BuildError: it failed; the last lines of its output say more. What it had changed by then stays changed.
    """
    with TemporaryDirectory(prefix="envsync-") as folder:
        file = Path(folder) / "environment.yml"  # conda tells what a file is by its name
        file.write_text(render_environment(lock), encoding="utf-8")
        command: list[str | Path] = [update.program, "env", "update", "--prefix", update.prefix, "--file", file]
        done = run_client(command, update.client, timeout=timeout, on_line=on_line)
    if done.returncode:
        raise client_error(f"{update.client} env update", f"{done.stdout}\n{done.stderr}", done.returncode)
