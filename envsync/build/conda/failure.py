"""Why packages could not be installed, in a user's words, from what rattler says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from envsync.channels import without_credentials
from envsync.errors import BuildError
from envsync.model import CondaPackage
from envsync.redaction import printable
from envsync.redaction import without_credentials as redacted

Kind = Literal[
    "gone",
    "refused",
    "server",
    "hash",
    "damaged",
    "network",
    "certificate",
    "disk",
    "cache",
    "stalled",
    "long",
    "panic",
    "other",
]

_HINTS: dict[Kind, str] = {
    "gone": "Channels remove packages. If another one has it: --channel URL, or a mirror in .condarc.",
    "refused": "Check the credentials of that channel: the token or user in .condarc, or rattler's auth login.",
    "server": "Try again later, or name another place: --channel URL.",
    "hash": "The channel has another file than the image was made from. Do not install it before you know why.",
    "damaged": "Try again; if it stays so, the channel has a damaged file. Another place: --channel URL.",
    "network": "Check the network, the proxy and the channel's URL, then try again: what was fetched is kept.",
    "certificate": "If it is your own, name its CA file: SSL_CERT_FILE=FILE, or ssl_verify in .condarc.",
    "disk": "Free some space there, then try again.",
    "cache": "Make it a folder of yours, or name another one: RATTLER_CACHE_DIR=DIR.",
    "stalled": "Check the network, and whether another program holds the package cache; then try again.",
    "long": "Name a shorter path: 255 characters fit in packages of today, 80 in those of before 2017.",
    "panic": "Is each package of the lock what its name says? If so, another program may do it: --backend conda.",
    "other": "The lines above are what rattler said.",
}
_FILE = re.compile(r"failed to (?:fetch|link) (?P<file>\S+)")
_EXPECTED = re.compile(r"expected (?P<expected>[0-9a-f]+), got (?P<got>[0-9a-f]+)")
_STATUS = re.compile(r"HTTP status \w+ error \((?P<status>(?P<number>\d{3})[^)]*)\)")


class Failure(Struct, frozen=True, kw_only=True):
    """What went wrong."""

    kind: Kind
    cause: str
    """One line."""
    detail: str = ""
    """Another line."""
    package: CondaPackage | None = None
    output: str = ""
    """What rattler said, where nothing shorter tells it."""


def explain(text: str, packages: Sequence[CondaPackage]) -> Failure:
    """Read an error of ``rattler.install``."""
    text = redacted(text)
    match = _FILE.search(text)
    named = {package.url.rpartition("/")[2]: package for package in packages}
    package = named.get(match["file"]) if match else None
    kind, cause = _cause(text)
    found = _EXPECTED.search(text) if kind == "hash" else None
    detail = f"it has {found['got']}, the lock says {found['expected']}" if found else ""
    output = "" if kind != "other" else "\n".join(printable(line) for line in text.splitlines()[:20])
    return Failure(kind=kind, cause=cause, detail=detail, package=package, output=output)


def shown(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _cause(text: str) -> tuple[Kind, str]:
    last = printable(text.splitlines()[-1].removeprefix("Caused by: ")) if text else "no reason given"
    if status := _STATUS.search(text):
        number = int(status["number"])
        if number in (404, 410):
            return "gone", "the channel no longer has it"
        if number in (401, 403, 407):
            return "refused", f"refused: {status['status']}"
        return "server", f"the server fails: {status['status']}"
    if "longer than the placeholder prefix" in text:
        return "long", "the path of the environment is longer than this package has room for"
    if "rust future panicked" in text:
        return "panic", "rattler broke down"
    if "hash mismatch" in text:
        return "hash", "the channel has it with another hash"
    if "No space left on device" in text or "os error 122" in text:
        return "disk", last
    if "peer certificate" in text:  # not only "certificate": ca-certificates is a package
        return "certificate", last
    if "cache lock" in text or "create cache directory" in text or "Permission denied" in text:
        return "cache", last
    if "client error (Connect)" in text or "error sending request" in text or "connection" in text.lower():
        return "network", last
    if "failed to fetch" in text and "io error" in text:
        return "damaged", f"the file is damaged: {last}"
    return "other", last


def build_error(failure: Failure, place: str, cache: Path) -> BuildError:
    """An error that names the package, where it was looked for, the cause and the next step.

    Args:
        failure: what went wrong.
        place: the channel's URL that was asked, without credentials.
        cache: the folder of package files.
    """
    package = failure.package
    if failure.kind == "cache":
        where = f"package cache {cache}"
    elif package is None:
        where = "conda packages"
    else:
        where = f"{package.name} {package.version} {package.build}"
    lines = [f"{where}: {failure.cause}"]
    if package is not None and failure.kind not in ("cache", "disk", "long", "other"):
        lines.append(f"  {without_credentials(place)}/{package.subdir}/{package.url.rpartition('/')[2]}")
    if failure.detail:
        lines.append(f"  {failure.detail}")
    return BuildError("\n".join(lines), output=failure.output, hint=_HINTS[failure.kind])
