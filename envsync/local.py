"""Describing an environment on this machine, from its files: nothing is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from envsync.catalog import distributions, interpreters, libc, os_packages, os_release
from envsync.catalog.needs import ask_machine
from envsync.errors import NoPythonError
from envsync.files import HostTree
from envsync.host import virtual_packages
from envsync.model import (
    CondaEnvironment,
    EnvironmentVariable,
    ImageConfig,
    Interpreter,
    LocalSource,
    Needs,
    OperatingSystem,
    OsPackage,
    Skipped,
    Snapshot,
)
from envsync.redaction import names_a_secret, without_credentials
from envsync.reference import Platform

_NAMES = ("python", "python3")
_VARIANTS = {"armv6l": "arm/v6", "armv7l": "arm/v7"}


def describe(
    env: Path,
    *,
    env_names: Collection[str] = (),
    environ: Mapping[str, str] | None = None,
    needs: Needs | None = None,
    with_virtual_packages: bool = False,
) -> Snapshot:
    """Describe a virtual environment, or another prefix with a Python in it.

    What the shell adds to ``sys.path`` (``PYTHONPATH``) is not part of the environment.

    Args:
        env: the folder that holds ``bin/python``.
        env_names: variables to look up; no other one becomes part of the snapshot.
        environ: the shell's variables; this process's own unless given.
        needs: of an image; whether this machine has them is found out.
        with_virtual_packages: find out what conda takes for packages of this machine, which takes a while.

    Raises:
        NoPythonError: the folder holds no Python that can be described.
        UnsafeValueError: a distribution's name or version could inject into a requirements file.
    """
    variables = os.environ if environ is None else environ
    tree = HostTree()
    machine = os.uname().machine
    system, packages, skipped = _describe_system(tree, machine)
    home = variables.get("HOME")
    python, doubts = interpreters.describe_interpreter(
        tree,
        _executable(env),
        env={},
        home=PurePosixPath(home) if home else None,
        libc=system.libc,
        machine=machine,
    )
    installed, unread = distributions.find_distributions(tree, python.sys_path, python=python.version)
    environments, python, unclear = _with_conda(
        tree, replace(python, distributions=installed), PurePosixPath(home) if home else None
    )
    return Snapshot(
        source=LocalSource(path=PurePosixPath(env)),
        platform=Platform.parse(f"{sys.platform}/{_VARIANTS.get(machine, machine)}"),
        config=ImageConfig(env=_look_up(env_names, variables)),
        os=system,
        interpreters=(python,),
        conda=environments,
        virtual_packages=virtual_packages() if with_virtual_packages else (),
        os_packages=packages,
        needs=ask_machine(needs, python, system, variables, machine) if needs is not None else None,
        skipped=(*doubts, *unread, *unclear, *skipped),
    )


def _with_conda(
    tree: HostTree, python: Interpreter, home: PurePosixPath | None
) -> tuple[tuple[CondaEnvironment, ...], Interpreter, tuple[Skipped, ...]]:
    """The conda environment that ``python`` belongs to, if any, and ``python`` with what conda brought marked."""
    prefix = python.prefix
    if prefix is None or not tree.list(prefix / "conda-meta"):
        return (), python, ()
    from envsync.catalog import conda

    environments, (marked,), skipped = conda.find_conda(tree, [prefix], [python], home=home)
    return environments, marked, skipped


def _executable(env: Path) -> PurePosixPath:
    folder = Path(os.path.abspath(env)) / "bin"  # noqa: PTH100 - resolve() would leave the venv by its links
    for name in _NAMES:
        try:
            if (folder / name).exists():
                return PurePosixPath(folder / name)
        except PermissionError as error:
            raise NoPythonError(
                f"{folder / name}: cannot be read, or what it leads to: {error.strerror} (expected an interpreter)",
                hint="Run it as the user whose environment it is.",
            ) from error
    for name in _NAMES:
        if (folder / name).is_symlink():
            raise NoPythonError(
                f"{folder / name}: leads to {(folder / name).readlink()}, which is gone (expected an interpreter)",
                hint=f"Make the environment again: envsync create {env}",
            )
    what = "no environment: it has no bin/python" if Path(env).is_dir() else "no such folder"
    raise NoPythonError(f"{env}: {what} (expected a virtual environment)", hint=f"Make one: envsync create {env}")


def _describe_system(
    tree: HostTree, machine: str
) -> tuple[OperatingSystem, tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    packages, skipped = os_packages.find(tree)
    if sys.platform == "darwin":
        return _macos(), packages, skipped
    return replace(os_release.find(tree) or OperatingSystem(), libc=libc.find_libc(tree, machine)), packages, skipped


def _macos() -> OperatingSystem:
    import platform

    version = platform.mac_ver()[0]
    return OperatingSystem(id="macos", version_id=version, pretty_name=f"macOS {version}")


def _look_up(names: Collection[str], variables: Mapping[str, str]) -> tuple[EnvironmentVariable, ...]:
    """The values as a lock would have them: no credentials, and text even where the bytes are none."""
    return tuple(
        EnvironmentVariable(
            name=name,
            value=None
            if names_a_secret(name)
            else without_credentials(variables[name]).encode("utf-8", "backslashreplace").decode("utf-8"),
        )
        for name in sorted(set(names) & variables.keys())
    )
