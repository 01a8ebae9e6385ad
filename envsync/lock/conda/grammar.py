"""What of a conda package may stand in a file that a conda client reads; everything else is refused.

https://docs.conda.io/projects/conda-build/en/stable/concepts/package-naming-conv.html
"""

from __future__ import annotations

import json
import re
from collections import Counter

from envsync.channels import CHANNEL_NAME, PACKAGE_NAME, SUBDIRS, TOKEN, channel_name, split_package_url, ungrammatical
from envsync.errors import UnsafeValueError
from envsync.model import CondaEnvironment, CondaPackage
from envsync.redaction import printable
from envsync.reference import Platform

_DEPENDENCY = re.compile(r"(?:[A-Za-z0-9_./-]+::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)(?P<rest>[ <>=!~\[*][ -~]*)?")
# No "$": clients fill in the reader's variables. No "#": what follows would be taken for the hash.
_URL = re.compile(r"(?:https?|file)://[A-Za-z0-9._~%+=:,!/-]+")
_HEX = {32: re.compile(r"[0-9a-f]{32}"), 64: re.compile(r"[0-9a-f]{64}")}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+!/=-]*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_SUBDIR = {
    "amd64": "linux-64",
    "386": "linux-32",
    "arm64": "linux-aarch64",
    "ppc64le": "linux-ppc64le",
    "riscv64": "linux-riscv64",
    "s390x": "linux-s390x",
}


def scalar(text: str) -> str:
    """``text`` (printable ASCII) as YAML that reads as this string: plain, else in the quotes of JSON."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return json.dumps(text)


def checked(package: CondaPackage) -> CondaPackage:
    """``package``, once its name, version and build are known to be that and nothing else.

    Raises:
        UnsafeValueError: one of them is not.
    """
    if wrong := ungrammatical(package.name, package.version, package.build):
        raise _unsafe(package.name, *wrong)
    return package


def package_url(package: CondaPackage) -> str:
    """The URL of the package file, without credentials.

    Raises:
        UnsafeValueError: it is no such URL.
    """
    try:
        url = "/".join(split_package_url(package.url))
    except ValueError as error:
        raise _unsafe(package.name, "URL", str(error)) from error
    if not _URL.fullmatch(url) or {".", ".."} & {*url.split("/")}:
        raise _unsafe(package.name, "URL", url)
    return url


def md5(package: CondaPackage) -> str | None:
    """The MD5 of the package file, in lower case; ``None``: not recorded."""
    return _hash(package.name, "md5", package.md5, 32)


def sha256(package: CondaPackage) -> str | None:
    """The SHA-256 of the package file, in lower case; ``None``: not recorded."""
    return _hash(package.name, "sha256", package.sha256, 64)


def dependencies(package: CondaPackage) -> dict[str, str]:
    """Name -> version and build that the package asks for, by name; empty where any will do.

    Raises:
        UnsafeValueError: one of its ``depends`` is not of printable ASCII.
    """
    found: dict[str, list[str]] = {}
    for spec in package.depends:
        if not (spec.isascii() and spec.isprintable()):
            raise _unsafe(package.name, "dependency", spec)
        match = _DEPENDENCY.fullmatch(spec.strip())
        if match is None:  # such as "[md5=...]": names no package that could be listed
            continue
        wanted = found.setdefault(match["name"], [])
        rest = (match["rest"] or "").strip()
        if rest and "://" not in rest:  # a channel or file in brackets: its URL may have a credential
            wanted.append(rest)
    return {name: _both(specs) for name, specs in sorted(found.items())}


def _both(specs: list[str]) -> str:
    """All of several specs of one package; only one can be told where a build belongs to it."""
    if all(" " not in spec and "[" not in spec for spec in specs):
        return ",".join(specs)
    return max(specs, key=len)


def channels(environment: CondaEnvironment) -> tuple[str, ...]:
    """The channels of an environment in order of priority; those of its packages where it names none.

    Raises:
        UnsafeValueError: neither the name nor the URL of a channel.
    """
    named = environment.channels or tuple(dict.fromkeys(channel_name(p.channel) for p in environment.packages))
    for channel in named:
        if not (CHANNEL_NAME.fullmatch(channel) or _URL.fullmatch(channel)) or {"t", ".", ".."} & {*channel.split("/")}:
            plain = TOKEN.sub("/t/withheld", channel.rpartition("@")[2])
            raise _unsafe("channels", "channel", plain)
    return named


def known_subdir(subdir: str) -> str:
    """``subdir``, once it is known to be one of conda's, which may name a file.

    Raises:
        UnsafeValueError: it is not.
    """
    if subdir not in SUBDIRS:
        raise _unsafe("solved", "subdir", subdir)
    return subdir


def subdir_of(environment: CondaEnvironment, platform: Platform | None = None) -> str | None:
    """What conda calls the platform of an environment: that of its packages, else of the image.

    Raises:
        UnsafeValueError: no such name.
    """
    counted = Counter(p.subdir for p in environment.packages if p.subdir != "noarch")
    if counted:
        subdir = min(counted, key=lambda name: (-counted[name], name))
        if not PACKAGE_NAME.fullmatch(subdir):
            raise _unsafe("subdir", "subdir", subdir)
        return subdir
    return _SUBDIR.get(platform.architecture) if platform is not None and platform.os == "linux" else None


def _hash(name: str, what: str, value: str | None, digits: int) -> str | None:
    if value is None:
        return None
    lower = value.lower()
    if not _HEX[digits].fullmatch(lower):
        raise _unsafe(name, what, value)
    return lower


def _unsafe(name: str, what: str, value: str) -> UnsafeValueError:
    return UnsafeValueError(
        f"conda package {printable(name)[:200]!r}: unsafe {what} {printable(value)[:200]!r}",
        hint="Nothing was written. The image is damaged or hostile: a record in conda-meta would add lines or options.",
    )
