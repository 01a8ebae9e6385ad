"""A solver that the user has: conda, mamba or micromamba, driven by conda-lock.

https://conda.github.io/conda-lock/
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from envsync.channels import channel_url, split_package_url, ungrammatical, without_credentials
from envsync.errors import CommandError, SolveError, UnsatisfiableError, UsageError
from envsync.model import CondaPackage
from envsync.process import run
from envsync.redaction import printable
from envsync.solve.platforms import virtual_packages
from envsync.solve.repodata import longest_start
from envsync.solve.wish import Wish

if TYPE_CHECKING:
    from conda_lock.lockfile.v1.models import BaseLockedDependency

_TIMEOUT = 1800.0
_LAST_LINES = 25
_CLIENTS = ("micromamba", "mamba", "conda")
"""The fastest first."""


_NO_SOLUTION = re.compile(
    r"Unsatisfiable|ResolvePackageNotFound|PackagesNotFound|Could not solve|nothing provides|conflict|incompatible",
    re.IGNORECASE,
)
"""In the words of conda, mamba and micromamba."""


def find_client(path: str | None = None) -> Path | None:
    """The conda client on ``path``, else on PATH."""
    found = (shutil.which(name, path=path) for name in _CLIENTS)
    return next((Path(path) for path in found if path), None)


def solver_with(client: Path) -> str:
    """Name and version of the solver."""
    return f"conda-lock {installed_version('conda-lock')} with {client.stem}"


def solve_with(
    client: Path,
    wish: Wish,
    subdir: str,
    places: Mapping[str, tuple[str, ...]],
) -> tuple[CondaPackage, ...]:
    """Packages that meet all specs of ``wish``, which is not told apart from what is only preferred.

    Args:
        client: its path.
        wish: what to solve.
        subdir: the platform.
        places: where each channel is looked for: the first counts. What credentials there are the client knows itself.

    Raises:
        UnsatisfiableError: there is no solution; the client's last lines are told.
        SolveError: conda-lock failed otherwise, or wrote what is no lock.
    """
    # Credentials would stand on the client's command line, for everyone to see.
    sources: dict[str, str] = {}
    for channel, found in places.items():
        sources.setdefault(without_credentials(found[0]).rstrip("/"), channel)
    with tempfile.TemporaryDirectory(prefix="envsync-solve-") as name:
        folder = Path(name)
        (folder / "environment.yml").write_text(_environment(wish, list(sources)), encoding="utf-8")
        (folder / "virtual-packages.yml").write_text(_machine(subdir), encoding="utf-8")
        try:
            done = run(command(client, subdir), timeout=_TIMEOUT, cwd=folder, check=False)
        except CommandError as error:
            raise SolveError(f"{subdir}: {error.message}", hint=_other(client)) from error
        if done.returncode:
            kind = UnsatisfiableError if _NO_SOLUTION.search(done.stderr) else SolveError
            raise kind(f"{subdir}: conda-lock with {client.name} failed:\n{_said(done.stderr)}", hint=_other(client))
        return _read(folder / "conda-lock.yml", subdir, sources)


def _other(client: Path) -> str:
    return f"Run it without {client.name} on PATH, and rattler solves; or pull without this --platform."


def _said(stderr: str) -> str:
    """What the client said of a failure, without what conda-lock logs and its traceback."""
    lines = stderr.rpartition("Traceback (most recent call last)")[0].splitlines()
    kept = [line for line in lines if line.strip() and not line.startswith(("INFO:", "DEBUG:", "    Command:"))]
    return "\n".join(printable(line) for line in kept[-_LAST_LINES:])


def command(client: Path, subdir: str) -> list[str]:
    """The command line, to be run where the files are."""
    return [
        *(sys.executable, "-m", "conda_lock", "lock"),
        *("--kind", "lock", "--platform", subdir, "--file", "environment.yml", "--lockfile", "conda-lock.yml"),
        *("--virtual-package-spec", "virtual-packages.yml", "--conda", str(client)),
    ]


def _environment(wish: Wish, channels: Sequence[str]) -> str:
    """An ``environment.yml``; JSON is YAML."""
    return json.dumps({"channels": channels, "dependencies": sorted({*wish.specs, *wish.preferred})}, indent=2)


def _machine(subdir: str) -> str:
    return json.dumps({"subdirs": {subdir: {"packages": virtual_packages(subdir)}}}, indent=2)


def _read(path: Path, subdir: str, sources: dict[str, str]) -> tuple[CondaPackage, ...]:
    import yaml

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it bundles deprecates itself
        from conda_lock.lockfile import parse_conda_lock_file
    try:
        lock = parse_conda_lock_file(path)
        found = [p for p in lock.package if p.manager == "conda" and p.platform == subdir]
        packages = [_package(one, sources) for one in found]
    except (OSError, ValueError, KeyError, yaml.YAMLError, UsageError) as error:
        raise SolveError(
            f"{subdir}: conda-lock wrote no lock that can be read: {printable(str(error))[:500]}"
        ) from error
    return tuple(sorted(packages, key=lambda package: package.name))


def _package(locked: BaseLockedDependency, sources: dict[str, str]) -> CondaPackage:
    """Raises ValueError."""
    url = locked.url
    if found := longest_start(sources, url):
        url = sources[found] + url.removeprefix(found)
    place, subdir, file = split_package_url(url)
    build = file.removesuffix(".conda").removesuffix(".tar.bz2").rpartition("-")[2]
    if wrong := ungrammatical(locked.name, locked.version, build):
        raise ValueError(f"{wrong[0]} {wrong[1][:200]!r}")
    return CondaPackage(
        name=locked.name,
        version=locked.version,
        build=build,
        channel=channel_url(place),
        subdir=subdir,
        url="/".join((place, subdir, file)),
        md5=locked.hash.md5,
        sha256=locked.hash.sha256,
        depends=tuple(f"{name} {spec}".strip() for name, spec in sorted(locked.dependencies.items())),
    )
