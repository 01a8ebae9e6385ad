"""What to type so that the system has what an environment needs, with the system's own package manager.

Without versions: mirrors keep only the newest one of a release. What comes from an image is held to a grammar.
"""

from __future__ import annotations

import re
from typing import Literal

from envsync.drift.fixes import quoted
from envsync.drift.package_names import Family, names_for
from envsync.loader import SONAME
from envsync.model import OperatingSystem, OsPackage

System = Family | Literal["suse"]

_IDS: dict[str, System] = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "suse": "suse",
    "opensuse": "suse",
    "alpine": "alpine",
    "arch": "arch",
    "macos": "homebrew",
}
_INSTALL: dict[System, str] = {
    "debian": "apt-get install",
    "fedora": "dnf install",
    "suse": "zypper install",
    "alpine": "apk add",
    "arch": "pacman -S",
    "homebrew": "brew install",
}
_MANAGERS: dict[str, frozenset[System]] = {
    "dpkg": frozenset({"debian"}),
    "apk": frozenset({"alpine"}),
    "rpm": frozenset({"fedora", "suse"}),
}
_SEARCH: dict[System, str] = {
    "debian": "apt-file search",
    "arch": "pacman -F",
    "homebrew": "brew search",
}
_DATA = frozenset({"certificates", "fonts", "java-home", "mime-types", "time-zone-data"})
"""Kinds of resources, which no package manager knows as names of libraries or commands."""
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")


def system_of(host: OperatingSystem | None) -> System | None:
    """Whose packages a system has; ``None``: nothing tells."""
    ids = (host.id, *host.id_like) if host is not None else ()
    return next((_IDS[one] for one in ids if one in _IDS), None)


def install_os_package(package: OsPackage, host: OperatingSystem | None) -> str | None:
    """Install a package of the image on a system that has the same package manager."""
    system = system_of(host)
    if system is None or system not in _MANAGERS.get(package.manager, ()) or not _PACKAGE.fullmatch(package.name):
        return None
    return f"{_INSTALL[system]} {package.name}"


def install_needed(
    what: str, package: str | None, expected: OperatingSystem | None, host: OperatingSystem | None
) -> str | None:
    """Install what has a shared library or a command.

    Args:
        what: a soname, the name of a command, or a kind of ``Resource``.
        package: what gives it in the image; ``None``: nothing, or not known.
        expected: the image's system.
        host: the system that lacks it.

    Returns:
        A command, or a sentence where no command is known; ``None``: the system's package manager is not known, or
        not its package of the data.
    """
    system = system_of(host)
    if system is None or not SONAME.fullmatch(what):
        return None
    if package is not None and system == system_of(expected) and _PACKAGE.fullmatch(package):
        return f"{_INSTALL[system]} {package}"
    known = names_for(what).get(system) if system != "suse" else None
    if known:
        return f"{_INSTALL[system]} {' '.join(known)}"
    if known is not None:
        return f"Not available for {host.label if host is not None else system}"
    if what in _DATA:
        return None
    if capability := _capability(system, what):
        return f"{_INSTALL[system]} {quoted(capability)}"
    return f"Find what has it: {_SEARCH[system]} {what}"


def _capability(system: System, what: str) -> str | None:
    """What a package manager takes instead of a package's name.

    https://rpm-software-management.github.io/rpm/manual/dependencies.html,
    https://wiki.alpinelinux.org/wiki/Alpine_Package_Keeper#Specifying_packages
    """
    is_library = ".so" in what
    match system:
        case "fedora" | "suse":
            return f"{what}()(64bit)" if is_library else f"/usr/bin/{what}"
        case "alpine":
            return f"so:{what}" if is_library else f"cmd:{what}"
    return None
