"""Metadata of what was installed before wheels, as that of a wheel."""

from __future__ import annotations

import re

from envsync.catalog.egg import parse_requires
from envsync.catalog.metadata import parse_headers
from envsync.model import Distribution
from envsync.names import LONGEST, NAME, normalized

LEFT_OUT = frozenset(
    {
        "PKG-INFO",  # becomes METADATA
        "requires.txt",
        "SOURCES.txt",
        "dependency_links.txt",
        "depends.txt",
        "installed-files.txt",
        "native_libs.txt",
        "not-zip-safe",
        "zip-safe",
    }
)
"""Files of an ``.egg-info`` that no ``.dist-info`` has."""

_END = re.compile(rb"\r?\n\r?\n")
_VERSION = re.compile(rb"(?im)^Metadata-Version:[ \t]*([0-9]{1,3})\.([0-9]{1,3})[ \t]*(?=\r?$)")
_SECTION = re.compile(r"\[([^\]:]+)(?::[^\]]*)?\]")
_WANTED = ("metadata-version", "name", "version", "requires-dist", "provides-extra")


def metadata_of(pkg_info: bytes, requires: bytes, distribution: Distribution) -> bytes:
    """``METADATA`` of ``PKG-INFO`` and ``requires.txt``.

    All of ``PKG-INFO`` stays as it is; what is lacking is added at the end of its headers, and the metadata version
    is raised to the one that knows the fields that were added. See
    https://packaging.python.org/en/latest/specifications/core-metadata/.
    """
    fields = parse_headers(pkg_info, _WANTED)
    lines: list[str] = []
    needed = (1, 0)
    if "name" not in fields:
        lines.append(f"Name: {distribution.name}")
    if "version" not in fields:
        lines.append(f"Version: {distribution.version}")
    if "requires-dist" not in fields:
        extras = [] if "provides-extra" in fields else _extras(requires)
        required = _valid(parse_requires(requires))
        lines += [f"Provides-Extra: {extra}" for extra in extras]
        lines += [f"Requires-Dist: {requirement}" for requirement in required]
        needed = (2, 1) if extras else (1, 2) if required else needed
    found = _VERSION.search(pkg_info) if "metadata-version" in fields else None
    if found is None:
        lines.insert(0, f"Metadata-Version: {needed[0]}.{needed[1]}" if needed > (1, 0) else "Metadata-Version: 1.0")
    elif (int(found[1]), int(found[2])) < needed:
        pkg_info = pkg_info[: found.start(1)] + b"%d.%d" % needed + pkg_info[found.end(2) :]
    end = _END.search(pkg_info)
    headers, rest = (pkg_info[: end.start()], pkg_info[end.start() :]) if end else (pkg_info.rstrip(b"\r\n"), b"\n")
    added = "\n".join(lines).encode()
    return (headers + b"\n" if headers and added else headers) + added + rest


def _extras(requires: bytes) -> list[str]:
    found: dict[str, None] = {}
    for line in requires.decode("utf-8", "replace").splitlines():
        match = _SECTION.fullmatch(line.strip())
        name = match[1].strip() if match else ""
        if len(name) <= LONGEST and NAME.fullmatch(name):
            found.setdefault(normalized(name))
    return list(found)


def _valid(requirements: tuple[str, ...]) -> list[str]:
    """Those that PEP 508 knows: of another one installers would refuse the whole wheel."""
    from packaging.requirements import InvalidRequirement, Requirement

    from envsync.catalog.bounds import LONGEST_REQUIREMENT, MOST_CLAUSES, clauses

    found: list[str] = []
    for text in requirements:
        if len(text) > LONGEST_REQUIREMENT or clauses(text) > MOST_CLAUSES or not text.isprintable():
            continue
        try:
            Requirement(text)
        except (InvalidRequirement, ValueError, RecursionError):
            continue
        found.append(text)
    return found
