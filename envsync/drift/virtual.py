"""What a conda environment asks of the machine: its virtual packages, such as ``__glibc`` and ``__cuda``.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from envsync.drift.archspec import runs
from envsync.drift.finding import Finding, NotCompared, shown
from envsync.drift.match import matches_build, matches_version
from envsync.model import CondaPackage, LocalSource, Snapshot
from envsync.redaction import printable

_KNOWN = frozenset({"__unix", "__linux", "__osx", "__win", "__glibc", "__cuda", "__archspec"})
"""What is looked for on this machine; that another one is not there says nothing."""

_SPEC = re.compile(r"(?P<name>__[a-z0-9][a-z0-9_]*)(?P<rest>[^a-z0-9_].*)?", re.DOTALL)
_LOOSE = re.compile(r"(?<=[<>=!~,|])\s+|\s+(?=[,|])")
_SHOWN = 3

_ADVICE = {
    "__glibc": "Use a system whose C library fits, or the image itself.",
    "__cuda": "Install a driver that fits, or choose packages without CUDA.",
    "__archspec": "Choose builds for this processor, or use the image itself on another one.",
}
_ELSEWHERE = "Use a system of that kind, or the image itself."


class Host(Struct, frozen=True, kw_only=True):
    """One virtual package of the machine."""

    version: str
    build: str


class _Need(Struct, kw_only=True):
    """What packages ask of one virtual package."""

    unmet: dict[str, None] = {}
    """Specs, without the name."""
    users: dict[str, None] = {}
    required: bool = False
    """Whether a ``depends`` is unmet, not only a ``constrains``."""
    doubtful: dict[str, None] = {}
    """Specs of which nothing can be said."""


def compare_virtual(expected: Snapshot, actual: Snapshot) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
    """What the packages of A need of the machine that B is on, and that it has not."""
    environment = expected.conda_environment
    if environment is None or not isinstance(actual.source, LocalSource):
        return (), ()
    if not actual.virtual_packages:
        reason = "those of this machine are not known"
        return (), (NotCompared(subject="virtual packages of conda", reason=reason),)
    host = parse_host(actual.virtual_packages)
    needs: dict[str, _Need] = {}
    for package in environment.packages:
        for name, rest, required in _asked(package):
            _judge(needs.setdefault(name, _Need()), package.name, rest, name, host, required=required)
    findings = tuple(_finding(name, need, host.get(name)) for name, need in sorted(needs.items()) if need.unmet)
    notes = (
        NotCompared(subject=name, reason=f"whether the machine fits cannot be told: {shown(list(need.doubtful))}")
        for name, need in sorted(needs.items())
        if need.doubtful
    )
    return findings, tuple(notes)


def parse_host(packages: Iterable[str]) -> Mapping[str, Host]:
    """``__glibc=2.36=0`` by name."""
    host: dict[str, Host] = {}
    for text in packages:
        name, _, rest = text.partition("=")
        version, _, build = rest.partition("=")
        host[name] = Host(version=version, build=build)
    return host


def fits(rest: str, name: str, host: Host) -> bool | None:
    """Whether a virtual package fits what follows ``name`` in a match spec; ``None``: it cannot be told."""
    text = _LOOSE.sub("", rest.strip())
    if not text:
        return True
    words = text.split()
    if len(words) > 2:
        return None
    version = matches_version(words[0], host.version)
    build = _fits_build(words[1], name, host.build) if len(words) == 2 else True
    if version is False or build is False:
        return False
    return None if None in (version, build) else True


def _fits_build(wanted: str, name: str, build: str) -> bool | None:
    if name != "__archspec":
        return matches_build(wanted, build)
    # conda takes only the very same name, but a newer processor runs what an older one does.
    return True if wanted == "*" else runs(wanted, build)


def _asked(package: CondaPackage) -> Iterator[tuple[str, str, bool]]:
    for specs, required in ((package.depends, True), (package.constrains, False)):
        for spec in specs:
            match = _SPEC.fullmatch(spec.strip())
            if match is not None:
                yield match["name"], match["rest"] or "", required


def _judge(need: _Need, user: str, rest: str, name: str, host: Mapping[str, Host], *, required: bool) -> None:
    told = " ".join((name, rest.strip())).strip()
    if name in host:
        verdict = fits(rest, name, host[name])
    elif not required:
        return
    else:
        verdict = False if name in _KNOWN else None
    if verdict is None:
        need.doubtful[told] = None
    elif not verdict:
        need.unmet[rest.strip() or "any"] = None
        need.users[user] = None
        need.required = need.required or required


def _finding(name: str, need: _Need, host: Host | None) -> Finding:
    users = shown(sorted(need.users))
    impact = (
        f"The machine lacks what packages need; they may not load or run: {users}."
        if need.required
        else f"The machine is not one that packages were made to work with: {users}."
    )
    present = None if host is None else " ".join(filter(None, (host.version, host.build if _tells(host) else "")))
    return Finding(
        kind="conda-virtual-package",
        scope="python",
        severity="error" if need.required else "warning",
        subject=name,
        expected=" and ".join(map(printable, list(need.unmet)[:_SHOWN])) + (" …" if len(need.unmet) > _SHOWN else ""),
        actual="not on this machine" if present is None else printable(present),
        impact=impact,
        fix=_ADVICE.get(name, _ELSEWHERE),
    )


def _tells(host: Host) -> bool:
    return host.build not in ("", "0")
