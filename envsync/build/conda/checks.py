"""What of a lock's conda packages rattler, or another client, may be told: a lock is a file that anybody can edit.

rattler makes paths of names, versions, builds and hashes, and asks for whatever URL it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from envsync.build.conda.failure import shown
from envsync.catalog.conda.find import RECORDS
from envsync.errors import BuildError, UnsafeValueError
from envsync.lock.conda.grammar import checked, md5, package_url, sha256
from envsync.model import CondaPackage
from envsync.redaction import printable

_MOST = 1 << 53
_HINT = "Nothing was changed. The lock was edited, or is hostile: run envsync pull again."


def check_pinned(specs: Sequence[str]) -> None:
    """Let no spec through that would be more than its line of ``conda-meta/pinned``.

    Raises:
        UnsafeValueError: one of them would.
    """
    for spec in specs:
        if not spec.isprintable():
            raise UnsafeValueError(f"pinned: {printable(spec)[:200]} (expected one line)", hint=_HINT)


def check_packages(packages: Sequence[CondaPackage]) -> None:
    """Let nothing through that could lead elsewhere than to the files of these packages.

    Raises:
        UnsafeValueError: a name, version, build, hash or URL that is none, or a URL not of the package's channel.
        BuildError: no packages, too many, or one twice.
    """
    if not packages:
        raise BuildError("the lock has no conda packages (expected at least one)", hint=_HINT)
    if len(packages) > RECORDS:
        raise BuildError(f"the lock has {len(packages)} conda packages (expected {RECORDS} at most)", hint=_HINT)
    for package in packages:
        _check(package)
    counted = Counter(package.name.lower() for package in packages)
    if twice := sorted(name for name, count in counted.items() if count > 1):
        raise BuildError(f"{shown(twice)}: more than once in the lock's conda packages (expected once)", hint=_HINT)


def _check(package: CondaPackage) -> None:
    checked(package)
    md5(package)
    sha256(package)
    url, folder = package_url(package), f"{package.channel}/{package.subdir}/"
    if url != package.url:
        raise _unsafe(f"{package.name}: its URL has a user, a token or a query (expected {url})")
    # Terms of service, mirrors and credentials go by the channel: a file from elsewhere would slip past them.
    if url.rpartition("/")[0] + "/" != folder:
        raise _unsafe(f"{package.name}: its URL is not of its channel: {printable(url)[:200]} (expected {folder}…)")
    for what, number in (("build number", package.build_number), ("size", package.size or 0)):
        if not 0 <= number <= _MOST:
            raise _unsafe(f"{package.name}: {what} {number} (expected 0 to {_MOST})")


def _unsafe(what: str) -> UnsafeValueError:
    return UnsafeValueError(f"conda package {printable(what)}", hint=_HINT)
