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

_VERSION = re.compile(rb"(?im)^Metadata-Version:[ \t]*(?:([0-9]{1,3})\.([0-9]{1,3}))?[^\r\n]*(?:\r?\n|\Z)(?![ \t])")
_BLANK = re.compile(rb"^\r?$", re.MULTILINE)
_CONTINUED = re.compile(rb"\A(?:[ \t][^\n]*\n?)+")
"""Lines that go on with a header that there is none of."""
_SECTION = re.compile(r"\[([^\]:]+)(?::[^\]]*)?\]")
_WANTED = ("metadata-version", "name", "version", "requires-dist", "provides-extra")


def metadata_of(pkg_info: bytes, requires: bytes, distribution: Distribution) -> bytes:
    """``METADATA`` of ``PKG-INFO`` and ``requires.txt``.

    All of ``PKG-INFO`` stays as it is; what is lacking is added below its metadata version, since a license text
    that distutils did not indent ends the headers early, and the metadata version is raised to the one that knows
    the fields that were added. See
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
    end = _BLANK.search(pkg_info)
    headers = end.start() if end else len(pkg_info)
    found = _VERSION.search(pkg_info, 0, headers) if "metadata-version" in fields else None
    place = found.end() if found else 0
    before, rest = pkg_info[:place], pkg_info[place:] if found else _CONTINUED.sub(b"", pkg_info)
    if found is None:
        lines.insert(0, f"Metadata-Version: {needed[0]}.{needed[1]}")
    elif found[1] and (int(found[1]), int(found[2])) < needed:
        before = before[: found.start(1)] + b"%d.%d" % needed + before[found.end(2) :]
    if before and not before.endswith(b"\n"):
        before += b"\n"
    return before + "".join(f"{line}\n" for line in lines).encode() + rest


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
