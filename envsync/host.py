"""What conda takes for packages of this machine: https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html."""

from __future__ import annotations


def virtual_packages() -> tuple[str, ...]:
    """``__glibc=2.36=0`` and the like, sorted; ``CONDA_OVERRIDE_GLIBC`` and its kin are honoured."""
    from rattler import VirtualPackage, VirtualPackageOverrides

    found = (package.into_generic() for package in VirtualPackage.detect(VirtualPackageOverrides.from_env()))
    return tuple(sorted(f"{one.name.normalized}={one.version}={one.build_string}" for one in found))


def conda_subdir() -> str:
    """What conda calls the platform of this machine: ``linux-64``, ``osx-arm64``."""
    from rattler import Subdir

    return str(Subdir.current())
