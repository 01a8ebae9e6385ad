"""Kegs of Homebrew: https://docs.brew.sh/Formula-Cookbook#homebrew-terminology."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import msgspec

from envsync.catalog.bounds import OS_PACKAGES, Notes
from envsync.errors import EnvsyncError
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped
from envsync.redaction import printable

PREFIXES = ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew")
"""Of macOS on ARM and on Intel, and of Linux."""

PATTERNS: tuple[str, ...] = (
    rf"(?:{'|'.join(re.escape(prefix) for prefix in PREFIXES)})/Cellar/[^/]+/[^/]+/INSTALL_RECEIPT\.json",
)

_WORD = re.compile(r"[!-~]{1,200}")
_RECEIPT = "INSTALL_RECEIPT.json"
_UNKNOWN = "unknown"


class Receipt(msgspec.Struct):
    """What is asked of ``INSTALL_RECEIPT.json``; older ones have less."""

    installed_on_request: bool | None = None
    arch: str | None = None


def find(tree: FileTree) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
    """The version in use of each formula; ``None`` where there is no Homebrew."""
    notes = Notes("OS packages", PREFIXES[0])
    kegs = [keg for prefix in PREFIXES for keg in _kegs(tree, PurePosixPath(prefix))]
    if len(kegs) > OS_PACKAGES:
        notes.left_out(f"more than {OS_PACKAGES} packages: the others are left out")
    found: list[OsPackage] = []
    for keg in kegs[:OS_PACKAGES]:
        name, version = keg.parent.name, keg.name
        receipt = Receipt()
        if not (_WORD.fullmatch(name) and _WORD.fullmatch(version)):
            notes.add(Skipped(subject=printable(name), place=printable(str(keg)), reason="no name of a formula"))
            continue
        try:
            receipt = parse_receipt(tree.read(keg / _RECEIPT))
        except (FileReadError, ReceiptError) as error:
            notes.add(Skipped(subject=name, place=str(keg / _RECEIPT), reason=printable(error.message)))
        found.append(
            OsPackage(
                manager="brew",
                name=name,
                version=version,
                architecture=receipt.arch if receipt.arch and _WORD.fullmatch(receipt.arch) else _UNKNOWN,
                source=name,
                explicit=receipt.installed_on_request,
            )
        )
    return (tuple(found) if kegs else None), notes.all()


class ReceiptError(EnvsyncError):
    """A receipt that is none."""


def parse_receipt(data: bytes) -> Receipt:
    """Read what Homebrew notes of an installation.

    Raises:
        ReceiptError: it is no JSON, or of other types.
    """
    try:
        return msgspec.json.decode(data, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReceiptError(f"{_RECEIPT}: not what Homebrew writes") from error


def _kegs(tree: FileTree, prefix: PurePosixPath) -> list[PurePosixPath]:
    """Of each formula the folder that ``opt`` leads to, or that of the last version."""
    found: list[PurePosixPath] = []
    for name in tree.list(prefix / "Cellar"):
        versions = [one for one in tree.list(prefix / "Cellar" / name) if not one.startswith(".")]
        linked = tree.readlink(prefix / "opt" / name)
        used = [linked.name] if linked is not None and linked.name in versions else versions[-1:]
        found += [prefix / "Cellar" / name / version for version in used]
    return found
