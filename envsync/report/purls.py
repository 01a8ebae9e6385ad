"""Package URLs of what a snapshot holds: https://github.com/package-url/purl-spec."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packageurl import PackageURL

from envsync.model import ArchiveOrigin, CondaPackage, Distribution, OperatingSystem, OsPackage, VcsOrigin
from envsync.names import normalized
from envsync.redaction import printable

_NAME = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.+~@-]*")
_TYPES = {"dpkg": "deb", "apk": "apk", "rpm": "rpm", "pacman": "alpm", "brew": "brew"}
_NAMESPACES = {"dpkg": "debian", "apk": "alpine", "rpm": "fedora", "pacman": "arch"}
"""Of systems that do not say which one they are."""


def distribution_url(distribution: Distribution) -> PackageURL | None:
    """``pkg:pypi/numpy@1.26.4``, with the file or the origin where they are known; ``None``: the name is no name."""
    qualifiers: dict[str, str | None] = {}
    match distribution.origin:
        case VcsOrigin(url=url, vcs=vcs, commit=commit):
            qualifiers["vcs_url"] = f"{vcs}+{url}@{commit}"
        case ArchiveOrigin(url=url):
            qualifiers["download_url"] = url
    if distribution.file is not None:
        qualifiers["file_name"] = distribution.file.filename
    return _url("pypi", None, normalized(distribution.name), distribution.version, qualifiers)


def conda_url(package: CondaPackage) -> PackageURL | None:
    """``pkg:conda/numpy@1.26.4?build=…&channel=conda-forge&subdir=linux-64&type=conda``."""
    is_new = package.url.endswith(".conda")
    qualifiers = {
        "build": package.build,
        "channel": package.channel.rstrip("/").rpartition("/")[2],
        "subdir": package.subdir,
        "type": "conda" if is_new else "tar.bz2" if package.url.endswith(".tar.bz2") else None,
    }
    return _url("conda", None, package.name, package.version, qualifiers)


def os_package_url(package: OsPackage, system: OperatingSystem | None) -> PackageURL | None:
    """``pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12``; an epoch of rpm's is a qualifier."""
    qualifiers: dict[str, str | None] = {"arch": package.architecture}
    version, namespace = package.version, _NAMESPACES.get(package.manager)
    if package.manager == "rpm" and ":" in version:
        qualifiers["epoch"], _, version = version.partition(":")
    if namespace is not None and system is not None and _NAME.fullmatch(system.id):
        namespace = system.id
        qualifiers["distro"] = f"{system.id}-{system.version_id}".rstrip("-")
    return _url(_TYPES[package.manager], namespace, package.name, version, qualifiers)


def _url(
    kind: str, namespace: str | None, name: str, version: str, qualifiers: Mapping[str, str | None]
) -> PackageURL | None:
    if not _NAME.fullmatch(name):
        return None
    told = {key: printable(value) for key, value in qualifiers.items() if value}
    return PackageURL(kind, namespace, name, printable(version) or None, told)
