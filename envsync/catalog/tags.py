"""Compatibility tags: which wheels fit an interpreter that is described, not run.

Specification: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsync.model import Interpreter, Libc

_OLDEST_MINOR = {"x86_64": 5, "i686": 5}
"""The first glibc 2.x that has a manylinux tag; 2.17 for every CPU that is not here."""
_MANYLINUX_MACHINES = frozenset(
    {"x86_64", "i686", "aarch64", "armv7l", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64"}
)
_LEGACY_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_ABI = re.compile(r"cp(\d+)([a-z]*)")


def platform_tag(machine: str, libc: Libc | None) -> str:
    """The most specific platform tag of Linux on ``machine`` (as ``uname -m`` spells it)."""
    return platform_tags(machine, libc)[0]


def platform_tags(machine: str, libc: Libc | None) -> tuple[str, ...]:
    """All platform tags, most specific first; without a known libc only ``linux_<machine>``.

    ``linux_<machine>``, which names no libc and which no index takes, comes last, as in packaging before 26.
    """
    return (*_libc_tags(machine, libc), f"linux_{machine}")


def _libc_tags(machine: str, libc: Libc | None) -> Iterator[str]:
    match = re.match(r"(\d{1,3})\.(\d{1,3})", libc.version) if libc else None
    if libc is None or match is None:
        return
    major, minor = int(match[1]), int(match[2])
    if libc.family == "musl":
        for older in range(minor, -1, -1):
            yield f"musllinux_{major}_{older}_{machine}"
    elif machine in _MANYLINUX_MACHINES and major == 2:
        for older in range(minor, _OLDEST_MINOR.get(machine, 17) - 1, -1):
            yield f"manylinux_2_{older}_{machine}"
            if older in _LEGACY_NAMES:
                yield f"{_LEGACY_NAMES[older]}_{machine}"


def compatibility_tags(interpreter: Interpreter, machine: str, libc: Libc | None) -> tuple[str, ...]:
    """``cp311-cp311-manylinux_2_36_x86_64`` and on: those of :func:`packaging.tags.sys_tags` there.

    Empty where the interpreter's version is not known to its minor part.
    """
    from packaging.tags import compatible_tags, cpython_tags

    match = re.match(r"(\d+)\.(\d+)", interpreter.version)
    if match is None:
        return ()
    version = (int(match[1]), int(match[2]))
    abi = interpreter.abi or f"cp{version[0]}{version[1]}"
    platforms = platform_tags(machine, libc)
    own = cpython_tags(version, _abis(version, abi), platforms)
    common = compatible_tags(version, f"cp{version[0]}{version[1]}", platforms)
    return tuple(str(tag) for tags in (own, common) for tag in tags)


def _abis(version: tuple[int, int], abi: str) -> list[str]:
    """A debug build of 3.8 and later loads what was built for a release build too."""
    match = _ABI.fullmatch(abi)
    if match and "d" in match[2] and version >= (3, 8):
        return [abi, f"cp{match[1]}{match[2].replace('d', '')}"]
    return [abi]
