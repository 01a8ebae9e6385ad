"""What a distribution consists of, comparable wherever it is: in a wheel, in an image, in an environment here.

Each file has a path in *normal form*: below ``site-packages`` as RECORD has it; of scripts ``bin/NAME``, of headers
``include/…`` without the parts that name an interpreter, of other data the path below the prefix. What installers add
of themselves (bytecode, RECORD, INSTALLER, the scripts of entry points) is no part of it, and the first line of a
script that starts a Python is ``#!python``, as wheels have it.
Specs: https://packaging.python.org/en/latest/specifications/recording-installed-packages/ and, of wheels,
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping

from envsync.model import Distribution
from envsync.names import normalized
from envsync.reference import Digest

MARKER = "envsync.json"
"""The file of a ``.dist-info`` that says that envsync repacked it."""

INSTALLERS_OWN = frozenset(
    {
        "RECORD",
        "RECORD.jws",
        "RECORD.p7s",
        "INSTALLER",
        "REQUESTED",
        "direct_url.json",
        "uv_build.json",
        "uv_cache.json",
        MARKER,
    }
)
"""Files of a ``.dist-info`` that installers write, each as it likes."""

LONGEST_SCRIPT = 1 << 20
"""Bytes: what is larger and begins with ``#!`` is no script that an installer wrote the first line of."""

_SCRIPTS = ("console_scripts", "gui_scripts")
_SCRIPT_FOLDERS = ("bin/", "Scripts/")
_HEADERS = re.compile(r"include/(?:site/)?python[0-9][0-9.]*[a-z]*/")
_TRAMPOLINE = re.compile(rb"#!/bin/sh\n'''exec' [^\n]* \"\$0\" \"\$@\"\n' '''\n")
_SHEBANG = re.compile(rb"#![^\n]*python[^\n]*\n")
_ENV = re.compile(rb"#![ \t]*/usr/bin/env[ \t]")
_VARIANT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def installed_path(recorded: str, info: str, generated: Collection[str] = ()) -> str | None:
    """The normal form of a path of an installed RECORD; ``None``: an installer's own, or outside of the environment.

    Args:
        recorded: relative to ``site-packages``; not absolute.
        info: the name of the ``.dist-info`` folder.
        generated: names of the scripts of entry points, see :func:`is_generated`.
    """
    is_special = (
        recorded[:1] in "/." or ".." in recorded or "__pycache__" in recorded or recorded.startswith(f"{info}/")
    )
    if not is_special:  # nearly always; what follows would come to the same, in ten times as long
        return recorded
    parts = recorded.split("/")
    if "__pycache__" in parts or "" in parts[:1]:
        return None
    if parts[0] == info and len(parts) == 2 and parts[1] in INSTALLERS_OWN:
        return None
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    inner = "/".join(parts[ups:])
    if ".." in parts[ups:] or not inner:
        return None
    if not ups:
        return recorded
    path = _HEADERS.sub("include/", inner, count=1)
    if path.startswith("include/"):
        return _header(path)
    if path.startswith(_SCRIPT_FOLDERS):
        name = path.partition("/")[2]
        return None if is_generated(name, generated) else f"bin/{name}"
    return path


def wheel_path(stored: str, name: str, data: str, generated: Collection[str] = ()) -> str | None:
    """The normal form of a path inside a wheel; ``None``: none that is installed as it is.

    Args:
        stored: as the wheel's RECORD has it.
        name: of the distribution, as the wheel's METADATA spells it: where installers put headers.
        data: the name of its ``.data`` folder.
        generated: see :func:`installed_path`.
    """
    first, _, rest = stored.partition("/")
    if first != data:
        info = first if first.endswith(".dist-info") else ""
        return installed_path(stored, info, generated) if not stored.startswith(("/", "../")) else None
    scheme, _, inner = rest.partition("/")
    if not inner or ".." in inner.split("/"):
        return None
    match scheme:
        case "purelib" | "platlib":
            return installed_path(inner, "", generated)
        case "scripts":
            return None if is_generated(inner, generated) else f"bin/{inner}"
        case "headers":
            return _header(f"include/{name}/{inner}")
        case "data":
            return installed_path(f"../{inner}", "", generated)
    return None


def _header(path: str) -> str:
    """The name that headers of a distribution lie under is spelt as whoever installed it spelt it."""
    _, name, *rest = path.split("/", 2)
    return "/".join(("include", normalized(name) if rest else name, *rest))


def without_compiled(paths: Collection[str]) -> frozenset[str]:
    """Those that are not the bytecode of another one, as Python 2 writes it; without its source it is what runs."""
    return frozenset(p for p in paths if not (p.endswith((".pyc", ".pyo")) and p[:-1] in paths))


def entry_point_scripts(distribution: Distribution) -> frozenset[str]:
    """Names of the scripts that installers make themselves."""
    return frozenset(point.name for point in distribution.entry_points if point.group in _SCRIPTS)


def is_generated(script: str, generated: Collection[str]) -> bool:
    """Whether an installer made this script for an entry point; pip also makes ``pip3`` and ``pip3.9`` of ``pip``."""
    if not generated:
        return False
    if script in generated:
        return True
    return any(script.startswith(name) and _VARIANT.fullmatch(script[len(name) :]) for name in generated)


def normal_script(data: bytes) -> bytes:
    """A script with its first line as wheels have it, where that starts a Python; else as it is."""
    if data.startswith(b"#!") and len(data) <= LONGEST_SCRIPT:
        for pattern in (_TRAMPOLINE, _SHEBANG):
            match = pattern.match(data)
            if match is not None and not _ENV.match(data):
                return b"#!python\n" + data[match.end() :]
    return data


def digest_of(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Digest:
    """One digest of all files: normal paths and SHA-256 digests, whatever their order."""
    pairs = files.items() if isinstance(files, Mapping) else files
    hasher = hashlib.sha256()
    for path, digest in sorted(pairs):
        hasher.update(path.encode("utf-8", "surrogateescape") + b"\0" + digest)
    return Digest(f"sha256:{hasher.hexdigest()}")
