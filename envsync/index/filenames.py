"""What the names of distribution files tell.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention and
https://packaging.python.org/en/latest/specifications/source-distribution-format/#source-distribution-file-name,
and how they were written before there were these.
"""

from __future__ import annotations

import re

from envsync.names import LONGEST, normalized, pep440

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!~-]{0,254}")
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tar")
_ODD = re.compile(r"[^A-Za-z0-9.]+")


def is_wheel_name(filename: str) -> bool:
    """Whether a file is a wheel, by its name."""
    return filename.endswith(".whl")


def is_distribution_file(filename: str) -> bool:
    """Whether a file is a wheel or an sdist, by a name that is one everywhere; eggs are neither."""
    return bool(_NAME.fullmatch(filename)) and _stem(filename) is not None


def _stem(filename: str) -> str | None:
    if filename.endswith(".whl"):
        return filename[:-4] if filename.count("-") in (4, 5) else None
    for extension in _SDISTS:
        if filename.endswith(extension):
            return filename[: -len(extension)]
    return None


def version_in(filename: str, project: str) -> str | None:
    """The version that a file name tells, which need not be normalised; ``None`` where it is of another project.

    ``project`` is normalised. The name in an sdist's may hold dashes, and so may its version.
    """
    stem = _stem(filename)
    if stem is None:
        return None
    if filename.endswith(".whl"):
        name, version = stem.split("-", 2)[:2]
        return version if normalized(name) == project else None
    end = stem.find("-")
    while end > 0:
        name = stem[:end]
        if len(name) >= len(project) and normalized(name) == project:
            return stem[end + 1 :] or None
        end = stem.find("-", end + 1)
    return None


def projects_in(filename: str) -> tuple[str, ...]:
    """The normalised names of the projects that a file may be of: one of a wheel, several of an sdist."""
    stem = _stem(filename)
    if stem is None:
        return ()
    parts = stem.split("-")
    if filename.endswith(".whl"):
        return (normalized(parts[0]),)
    return tuple(normalized("-".join(parts[:count])) for count in range(1, min(len(parts), 12)))


def comparable(version: str) -> str:
    """What is the same for two spellings of one version: ``1.0`` and ``1.0.0``, ``2019.03.01`` and ``2019.3.1``.

    Versions that PEP 440 does not know are compared as text, but for case and how tools spelt what may not stand in a
    file name.
    """
    known = pep440(version) or pep440(version.replace("_", "+", 1)) or pep440(version.replace("_", "-"))
    if known is None:
        return "=" + _ODD.sub("-", version[:LONGEST]).lower()
    public, plus, local = known.partition("+")
    head = re.match(r"(?:[0-9]+!)?[0-9.]+", public)
    release = head[0] if head else ""
    rest = public[len(release) :]
    if rest.startswith(("a", "b", "rc", "post", "dev")) and release.endswith("."):
        release = release[:-1]
    while release.endswith(".0"):
        release = release[:-2]
    return f"{release}|{rest.lstrip('.')}{plus}{local}"
