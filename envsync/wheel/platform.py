"""The platform tag that compiled files need, by the symbol versions and libraries they ask for.

Policies: https://peps.python.org/pep-0600/ and https://peps.python.org/pep-0656/; which libraries and which versions
of libstdc++ and others a platform has is what auditwheel's tables say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from envsync.elf import Elf

_ALWAYS = frozenset(
    {
        "libatomic.so.1",
        "libgcc_s.so.1",
        "libstdc++.so.6",
        "libm.so.6",
        "libanl.so.1",
        "libdl.so.2",
        "librt.so.1",
        "libc.so.6",
        "libnsl.so.1",
        "libutil.so.1",
        "libpthread.so.0",
        "libX11.so.6",
        "libXext.so.6",
        "libXrender.so.1",
        "libICE.so.6",
        "libSM.so.6",
        "libGL.so.1",
        "libgobject-2.0.so.0",
        "libgthread-2.0.so.0",
        "libglib-2.0.so.0",
        "libresolv.so.2",
        "libz.so.1",
    }
)
_SINCE = {"libexpat.so.1": 12, "libmvec.so.1": 24}
"""The first glibc 2.x whose platform has the library."""
_LOADER = re.compile(r"ld(?:-linux|64)?[-.\w]*\.so\.[12]")
_MUSL = re.compile(r"libc\.(?:musl-\w+\.so\.1|so)|ld-musl-\w+\.so\.1|libz\.so\.1")

_Steps = tuple[tuple[tuple[int, ...], int], ...]
_FAMILIES: dict[str, _Steps] = {
    "GLIBCXX": (
        ((3, 4, 8), 5),
        ((3, 4, 13), 12),
        ((3, 4, 19), 17),
        ((3, 4, 22), 24),
        ((3, 4, 24), 27),
        ((3, 4, 28), 31),
        ((3, 4, 29), 34),
        ((3, 4, 30), 35),
        ((3, 4, 33), 39),
    ),
    "CXXABI": (
        ((1, 3, 1), 5),
        ((1, 3, 3), 12),
        ((1, 3, 7), 17),
        ((1, 3, 10), 24),
        ((1, 3, 11), 27),
        ((1, 3, 12), 31),
        ((1, 3, 13), 34),
        ((1, 3, 15), 39),
    ),
    "GCC": (((4, 2, 0), 5), ((4, 3, 0), 12), ((4, 8, 0), 17), ((7, 0, 0), 27), ((12, 0, 0), 35), ((14, 0, 0), 39)),
    "LIBATOMIC": (((1, 0), 17), ((1, 2), 24)),
    "ZLIB": (((1, 2, 2, 4), 12), ((1, 2, 5, 2), 17), ((1, 2, 9), 27), ((1, 2, 12), 37)),
}
"""Up to which version of its symbols a library comes with glibc 2.x, at the latest."""
_EXACT = {"GLIBC_ABI_DT_RELR": 36, "CXXABI_TM_1": 17, "CXXABI_FLOAT128": 24}
_OLDEST = {"x86_64": 5, "i686": 5}
_OLDEST_ELSEWHERE = 17
_VERSION = re.compile(r"([A-Z]+)_([0-9]{1,4}(?:\.[0-9]{1,4}){0,4})")


def platform_of(
    files: Sequence[Elf], machine: str, inside: Collection[str], musl: str | None
) -> tuple[str, tuple[str, ...]]:
    """The tag of the oldest platform that has all that ``files`` ask for, and why it is not a more general one.

    Args:
        files: compiled files; those for another CPU are passed over.
        machine: as ``uname -m`` spells it.
        inside: names of libraries that come with the files.
        musl: ``1_2`` where the image's libc is musl.
    """
    lowest = _OLDEST.get(machine, _OLDEST_ELSEWHERE)
    foreign: dict[str, None] = {}
    for elf in files:
        if elf.machine != machine or not elf.dynamic:
            continue
        for library in elf.needed:
            if library in inside or _LOADER.fullmatch(library):
                continue
            if musl is not None:
                if not _MUSL.fullmatch(library):
                    foreign.setdefault(library)
            elif library in _SINCE:
                lowest = max(lowest, _SINCE[library])
            elif library not in _ALWAYS:
                foreign.setdefault(library)
        for library, versions in elf.version_needed.items() if musl is None else ():
            if library in inside:
                continue
            for version in versions:
                since = _since(version)
                if since is not None:
                    lowest = max(lowest, since)
                elif library in _ALWAYS or _LOADER.fullmatch(library):
                    foreign.setdefault(f"{library} ({version})")
    if foreign:
        return f"linux_{machine}", tuple(f"needs {library} of the system" for library in foreign)
    if musl is not None:
        return f"musllinux_{musl}_{machine}", ()
    return f"manylinux_2_{lowest}_{machine}", ()


def _since(version: str) -> int | None:
    """The first glibc 2.x whose platform has a version of symbols; ``None`` for one that no platform promises."""
    if version in _EXACT:
        return _EXACT[version]
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    numbers = tuple(int(part) for part in match[2].split("."))
    if match[1] == "GLIBC":
        return numbers[1] if len(numbers) > 1 and numbers[0] == 2 else None
    return next((since for newest, since in _FAMILIES.get(match[1], ()) if numbers <= newest), None)
