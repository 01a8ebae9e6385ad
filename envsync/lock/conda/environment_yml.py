"""``environment.yml``, as ``conda env export`` writes it, and one without builds for other platforms.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from envsync.errors import UsageError
from envsync.lock.conda.grammar import channels, checked, scalar
from envsync.lock.requirements import header, is_a_folder, origin_comment, pinned
from envsync.model import CondaEnvironment, CondaPackage, Distribution, LocalSource, Snapshot
from envsync.redaction import printable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_TAKEN = frozenset({"base", "root"})
"""Names of the environment that conda itself lives in."""
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_DIGEST = re.compile(r"@sha256:([0-9a-f]{12})[0-9a-f]*$")
_LINUX_ONLY = re.compile(
    r".*[_-]linux-(?:32|64|aarch64|ppc64le|s390x)|.*-cos[67]-.*|_libgcc_mutex|_openmp_mutex|libgcc|libgcc-ng|libgomp"
    r"|libstdcxx|libstdcxx-ng|libgfortran-ng|libgfortran4|libuuid|libnsl|libxcrypt|alsa-lib|libaio|libcap|patchelf"
)


def environment_name(snapshot: Snapshot) -> str:
    """A name for the environment, from that of the image: ``digdag-anaconda3-2019.03``; never ``base``."""
    source = snapshot.source
    reference = str(source.path) if isinstance(source, LocalSource) else source.reference
    last = _DIGEST.sub(r"-\1", reference).rpartition("/")[2]
    name = _OTHER.sub("-", last).strip("-.")[:100].rstrip("-.")
    return f"image-{name}".rstrip("-") if not name or name.lower() in _TAKEN else name


def render_environment(snapshot: Snapshot, name: str | None = None) -> str:
    """All packages with version and build, and what pip installed.

    Args:
        snapshot: of a conda environment.
        name: for the environment; by default as its user chose, else from the image's.

    Raises:
        UnsafeValueError: a name, version or URL would be more than one entry.
        UsageError: ``name`` is no name for an environment.
    """
    return _render(snapshot, name, "conda env create --file environment.yml", _with_build)


def render_nobuild(snapshot: Snapshot, name: str | None = None) -> str:
    """The same without builds; packages that only Linux has are commented out. Raises as :func:`render_environment`."""
    return _render(snapshot, name, "conda env create --file environment.nobuild.yml", _without_build)


def _with_build(package: CondaPackage) -> str:
    return f"  - {package.name}={package.version}={package.build}"


def _without_build(package: CondaPackage) -> str:
    spec = f"{package.name}={package.version}"
    return f"  # - {spec}  # only on Linux" if only_on_linux(package.name) else f"  - {spec}"


def only_on_linux(name: str) -> bool:
    """Whether a conda package of this name is, where there is none for another platform, not missed there."""
    return _LINUX_ONLY.fullmatch(name) is not None


def _render(snapshot: Snapshot, name: str | None, command: str, entry: Callable[[CondaPackage], str]) -> str:
    environment = snapshot.conda_environment or CondaEnvironment()
    named = channels(environment)
    chosen = name if name is not None else environment.name
    packages = sorted(environment.packages, key=lambda p: (p.name, p.version, p.build))
    lines = [
        *header(snapshot),
        f"#     {command}",
        f"name: {scalar(checked_name(chosen) if chosen is not None else environment_name(snapshot))}",
        "channels:" if named else "channels: []",
        *(f"  - {scalar(channel)}" for channel in named),
    ]
    entries = [entry(checked(package)) for package in packages]
    entries += _pip_section(snapshot)
    empty = all(line.lstrip().startswith("#") for line in entries)
    return "\n".join([*lines, "dependencies: []" if empty else "dependencies:", *entries]) + "\n"


def checked_name(name: str) -> str:
    """``name``, once it is known to be one for an environment that is nobody's base.

    Raises:
        UsageError: it is not.
    """
    if not _NAME.fullmatch(name) or name.lower() in _TAKEN:
        raise UsageError(
            f"--name: {printable(name)[:200]!r} (expected letters, digits, '.', '_' and '-', and not 'base' or 'root')"
        )
    return name


def _pip_section(snapshot: Snapshot) -> list[str]:
    lines: list[str] = []
    for distribution in sorted(snapshot.distributions, key=lambda d: (d.name.lower(), d.name)):
        if distribution.conda is None:
            lines += _pip_lines(distribution)
    if not lines:
        return []
    if all(line.lstrip().startswith("#") for line in lines):
        return lines
    return ["  - pip:", *lines]


def _pip_lines(distribution: Distribution) -> list[str]:
    *comments, requirement = pinned(distribution)
    if is_a_folder(distribution):
        return [f"      # - {requirement}  # {origin_comment(distribution)}"]
    return [*(f"      {comment}" for comment in comments), f"      - {scalar(requirement)}"]
