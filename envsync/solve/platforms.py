"""What is taken for a machine of each platform: its virtual packages.

Named as https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html; versions as conda-lock
assumes them, so that both solvers see the same machine. No CUDA is assumed: an image that needs it says so.
"""

from __future__ import annotations

_GLIBC = {"__unix": "0", "__linux": "5.10", "__glibc": "2.28"}
_MACOS = {"__unix": "0", "__osx": "11.0"}
_PROCESSORS = {"64": "x86_64", "32": "x86", "arm64": "arm64"}


def virtual_packages(subdir: str) -> dict[str, str]:
    """Name -> version, and the build behind a space where it says something."""
    system, _, processor = subdir.partition("-")
    known = {"linux": _GLIBC, "osx": _MACOS, "win": {"__win": "0"}}.get(system, {})
    return {**known, "__archspec": f"1 {_PROCESSORS.get(processor, processor)}"}
