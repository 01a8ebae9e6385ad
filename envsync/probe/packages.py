"""What package managers print: ``dpkg-query`` and ``rpm`` in the formats of ``find.py``, ``apk list --installed``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsync.catalog.rpm.header import KEY, source_name
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

_WORD = re.compile(r"[!-~]+")
_DPKG_IN_PLACE = frozenset("iUFWt")
"""dpkg-query(1), db:Status-Abbrev: installed, unpacked, half-configured, waiting for or with triggers pending."""
_APK = re.compile(r"([!-~]+)-(\d[!-,.-~]*(?:-r\d+)?) ([!-~]+) \{([!-~]*)\} .*\[installed\]")

Listed = tuple[tuple[OsPackage, ...], tuple[Skipped, ...]]


def parse_dpkg_query(text: str) -> Listed:
    """Read lines of package, version, architecture, source and state, with tabs between. Never raises."""
    packages: list[OsPackage] = []
    skipped: list[Skipped] = []
    for line in text.splitlines():
        name, *rest = line.split("\t")
        if len(rest) != 4 or len(rest[3]) < 2:
            skipped.append(_damaged("dpkg-query", line))
            continue
        version, architecture, source, state = rest
        if state[1] not in _DPKG_IN_PLACE:
            continue
        source = source.partition("(")[0].strip() or name
        if not all(_WORD.fullmatch(value) for value in (name, version, architecture, source)):
            skipped.append(_damaged("dpkg-query", line))
            continue
        packages.append(OsPackage(manager="dpkg", name=name, version=version, architecture=architecture, source=source))
    return tuple(packages), tuple(skipped)


def parse_apk_list(text: str) -> Listed:
    """Read lines such as ``musl-1.2.5-r0 x86_64 {musl} (MIT) [installed]``. Never raises."""
    packages: list[OsPackage] = []
    skipped: list[Skipped] = []
    for line in _lines(text):
        match = _APK.fullmatch(line)
        if match is None:
            skipped.append(_damaged("apk list", line))
            continue
        name, version, architecture, origin = match.groups()
        packages.append(
            OsPackage(manager="apk", name=name, version=version, architecture=architecture, source=origin or name)
        )
    return tuple(packages), tuple(skipped)


def parse_rpm_query(text: str) -> Listed:
    """Read lines of package, version, architecture and source package's file, with tabs between. Never raises."""
    packages: list[OsPackage] = []
    skipped: list[Skipped] = []
    for line in text.splitlines():
        name, *rest = line.split("\t")
        if name == KEY:
            continue
        if len(rest) != 3 or not all(_WORD.fullmatch(value) for value in (name, *rest)):
            skipped.append(_damaged("rpm", line))
            continue
        version, architecture, source = rest
        packages.append(
            OsPackage(
                manager="rpm",
                name=name,
                version=version.removeprefix("0:"),
                architecture=architecture,
                source=source_name(source) or name,
            )
        )
    return tuple(packages), tuple(skipped)


def _lines(text: str) -> Iterator[str]:
    # Repositories that cannot be reached are warned of on either stream.
    return (line for line in text.splitlines() if line.strip() and not line.startswith("WARNING"))


def _damaged(command: str, line: str) -> Skipped:
    return Skipped(subject="a package", place=command, reason=f"a line that makes no sense: {printable(line[:200])}")
