"""``explicit.txt``: the files of all packages, as ``conda list --explicit --md5`` prints them.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html#building-identical-conda-environments
"""

from __future__ import annotations

from collections.abc import Sequence

from envsync.lock.conda.grammar import checked, known_subdir, md5, package_url, sha256, subdir_of
from envsync.lock.conda.order import in_order
from envsync.model import CondaEnvironment, CondaPackage, SolvedEnvironment
from envsync.redaction import printable
from envsync.reference import Platform

_HEADER = """\
# Exactly these package files, nothing solved. With conda, mamba or micromamba:
#     conda create --name NAME --file explicit.txt
# What pip installed is not in here, see environment.yml. conda-lock.yml stands beside this file unless a
# package has no MD5 here, which that format demands. Written by envsync; do not edit."""


def render_explicit(environment: CondaEnvironment, platform: Platform | None = None, about: Sequence[str] = ()) -> str:
    """The explicit spec of an environment; dependencies come before what needs them.

    Args:
        environment: of an image, a list or this machine.
        platform: of the image, for an environment whose packages fit all.
        about: comments that say what it is of.

    Raises:
        UnsafeValueError: a name, URL or hash would be more than one line's worth.
    """
    subdir = subdir_of(environment, platform)
    lines = [*about, _HEADER, *([f"# platform: {subdir}"] if subdir else []), "@EXPLICIT"]
    lines += [_line(checked(package)) for package in in_order(environment.packages)]
    return "\n".join(lines) + "\n"


def render_solved(solved: SolvedEnvironment, about: Sequence[str] = ()) -> str:
    """The explicit spec of what was solved for another platform. Raises as :func:`render_explicit`."""
    subdir = known_subdir(solved.subdir)
    lines = [
        *about,
        f"# Solved for {subdir} by {printable(solved.solver)}, not extracted: what of the image is not in here, or in",
        "# another version, is in snapshot.json. With conda, mamba or micromamba:",
        f"#     conda create --name NAME --file {solved_file(solved)}",
        "# Written by envsync; do not edit.",
        f"# platform: {subdir}",
        "@EXPLICIT",
    ]
    lines += [_line(checked(package)) for package in in_order(solved.packages)]
    return "\n".join(lines) + "\n"


def solved_file(solved: SolvedEnvironment) -> str:
    """The name of its file: ``explicit.osx-arm64.txt``."""
    return f"explicit.{known_subdir(solved.subdir)}.txt"


def _line(package: CondaPackage) -> str:
    url = package_url(package)
    if digest := md5(package):
        return f"{url}#{digest}"
    if digest := sha256(package):
        return f"{url}#sha256:{digest}"
    return url
