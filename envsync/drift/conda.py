"""Drift of the packages of a conda environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from envsync.drift import fixes
from envsync.drift.distributions import by_name
from envsync.drift.finding import Finding, Kind, Severity, shown
from envsync.model import CondaEnvironment, CondaPackage, ListSource, LocalSource, Snapshot
from envsync.names import normalized

ANOTHER_PACKAGE: frozenset[Kind] = frozenset(
    {
        "conda-package-missing",
        "conda-package-extra",
        "conda-package-version",
        "conda-package-build",
        "conda-package-channel",
        "conda-package-hash",
    }
)
"""Kinds of findings that explain why the distributions of a package are others."""

_DISTRIBUTION: frozenset[Kind] = frozenset(
    {"distribution-missing", "distribution-version", "distribution-origin", "distribution-extra"}
)
_REQUIRED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class _Sides(Struct, frozen=True, kw_only=True):
    """What every finding needs to know of the two sides."""

    expected: Snapshot
    actual: Snapshot
    fix: str | None

    @property
    def files_are_known(self) -> bool:
        """A published list tells nothing of what became of the files."""
        return not isinstance(self.actual.source, ListSource)


def compare_conda(expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    """Missing, extra and other packages, and what became of their files; nothing where A is no conda environment."""
    ours, theirs = expected.conda_environment, actual.conda_environment
    if ours is None:
        return
    sides = _Sides(expected=expected, actual=actual, fix=fixes.create_environment(expected, actual))
    if theirs is None:
        # A list of distributions does not tell whether conda put them there.
        if not isinstance(actual.source, ListSource):
            yield _no_environment(ours, sides)
        return
    wanted, found = packages_by_name(ours), packages_by_name(theirs)
    users = _users(wanted.values()) if wanted.keys() - found.keys() else {}
    for name, package in wanted.items():
        if name in found:
            yield from _compare_two(package, found[name], sides)
        else:
            yield _missing(package, users.get(name, ()), sides)
    for name, package in found.items():
        if name not in wanted:
            yield _extra(package, sides)


def packages_by_name(environment: CondaEnvironment) -> dict[str, CondaPackage]:
    """The packages of an environment by name; of two with one name the first."""
    named: dict[str, CondaPackage] = {}
    for package in environment.packages:
        named.setdefault(package.name, package)
    return named


def without_echoes(findings: Sequence[Finding], expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    """Leave out findings of distributions that only say again what those of their conda packages say."""
    ours, theirs = expected.conda_environment, actual.conda_environment
    if ours is None or theirs is None:
        yield from findings
        return
    others = {finding.subject for finding in findings if finding.kind in ANOTHER_PACKAGE}
    left, right = by_name(expected.distributions), by_name(actual.distributions)
    listed = isinstance(expected.source, ListSource) or isinstance(actual.source, ListSource)
    for finding in findings:
        if finding.kind in _DISTRIBUTION:
            name = normalized(finding.subject)
            owners = [side[name].conda for side in (left, right) if name in side]
            # A list of conda packages does not name the distributions in them.
            unnamed = listed and finding.kind in ("distribution-missing", "distribution-extra")
            if all(owner is not None and (unnamed or owner in others) for owner in owners):
                continue
        yield finding


def _finding(
    kind: Kind,
    severity: Severity,
    subject: str,
    impact: str,
    sides: _Sides,
    *,
    expected: str | None = None,
    actual: str | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        scope="python",
        severity=severity,
        subject=subject,
        expected=expected,
        actual=actual,
        impact=impact,
        fix=sides.fix,
    )


def _no_environment(ours: CondaEnvironment, sides: _Sides) -> Finding:
    return _finding(
        "conda-environment-missing",
        "error",
        "conda",
        "Libraries and programs that conda brought are missing; only the Python distributions can be compared.",
        sides,
        expected=f"a conda environment of {len(ours.packages)} packages",
        actual="no conda environment",
    )


def _missing(package: CondaPackage, users: Sequence[str], sides: _Sides) -> Finding:
    needed = f"; needed by {shown(users)}" if users else ""
    impact = f"What imports, loads or runs its files fails{needed}."
    return _finding("conda-package-missing", "error", package.name, impact, sides, expected=_label(package))


def _extra(package: CondaPackage, sides: _Sides) -> Finding:
    twin = isinstance(sides.actual.source, LocalSource) and not isinstance(sides.expected.source, LocalSource)
    impact = (
        "Code that came to need it works here and fails in the image."
        if twin
        else "Only the second one has it: code that came to need it does not run in the first one."
    )
    return _finding("conda-package-extra", "note", package.name, impact, sides, actual=_label(package))


def _compare_two(ours: CondaPackage, theirs: CondaPackage, sides: _Sides) -> Iterator[Finding]:
    """The one difference between two packages that explains the others; files are compared only where there is none."""
    name = ours.name
    if ours.version != theirs.version:
        impact = "Another version: its API, and what links to its libraries, may differ."
        yield _finding(
            "conda-package-version", "error", name, impact, sides, expected=ours.version, actual=theirs.version
        )
        return
    if (ours.build, ours.subdir) != (theirs.build, theirs.subdir):
        one, other = _builds(ours, theirs)
        impact = "Another build of the same version: options, patches and linked libraries may differ."
        yield _finding("conda-package-build", "warning", name, impact, sides, expected=one, actual=other)
        return
    finding = _compare_origins(ours, theirs, sides)
    if finding is not None:
        yield finding
    if sides.files_are_known:
        yield from _compare_files(ours, theirs, sides)


def _builds(ours: CondaPackage, theirs: CondaPackage) -> tuple[str, str]:
    if ours.subdir == theirs.subdir:
        return f"{ours.version} {ours.build}", f"{theirs.version} {theirs.build}"
    one, other = (f"{package.version} {package.build} ({package.subdir})" for package in (ours, theirs))
    return one, other


def _compare_origins(ours: CondaPackage, theirs: CondaPackage, sides: _Sides) -> Finding | None:
    """Of two packages of one name, version and build."""
    same = _is_same_file(ours, theirs)
    if ours.channel != theirs.channel:
        told: tuple[Severity, str] = ("note", "From another channel; the package is the same, byte for byte.")
        if same is None:
            told = (
                "warning",
                "From another channel; whether the package is the same nobody can tell: a hash is missing.",
            )
        elif not same:
            told = "warning", "Another channel's package of the same name and build: its files may differ."
        return _finding(
            "conda-package-channel", told[0], ours.name, told[1], sides, expected=ours.channel, actual=theirs.channel
        )
    if same is not False:
        return None
    repacked = _suffix(ours) != _suffix(theirs)
    if ours.paths is not None and ours.paths == theirs.paths:
        if repacked:
            return None
        judged: tuple[Severity, str] = "note", "Another package file with the same files in it."
    elif repacked and None in (ours.paths, theirs.paths):
        judged = "note", "Packed in another format; whether the files are the same nobody can tell."
    else:
        judged = "warning", "The channel had two packages of one name, version and build: their files may differ."
    one, other = _hashes(ours, theirs)
    return _finding("conda-package-hash", judged[0], ours.name, judged[1], sides, expected=one, actual=other)


def _is_same_file(ours: CondaPackage, theirs: CondaPackage) -> bool | None:
    """Whether both were the same package file; ``None`` where no hash is known of both."""
    for one, other in ((ours.sha256, theirs.sha256), (ours.md5, theirs.md5)):
        if one is not None and other is not None:
            return one == other
    return False if None not in (ours.paths, theirs.paths) and ours.paths != theirs.paths else None


def _hashes(ours: CondaPackage, theirs: CondaPackage) -> tuple[str, str]:
    for what, one, other in (
        ("sha256", ours.sha256, theirs.sha256),
        ("md5", ours.md5, theirs.md5),
        ("files", str(ours.paths), str(theirs.paths)),
    ):
        if one is not None and other is not None:
            return f"{what}:{one}", f"{what}:{other}"
    return "", ""


def _suffix(package: CondaPackage) -> str:
    return ".conda" if package.url.endswith(".conda") else ".tar.bz2"


def _compare_files(ours: CondaPackage, theirs: CondaPackage, sides: _Sides) -> Iterator[Finding]:
    gone = sorted(set(theirs.missing) - set(ours.missing))
    back = sorted(set(ours.missing) - set(theirs.missing))
    if gone:
        yield _finding(
            "conda-files-missing",
            "error",
            ours.name,
            "What imports, loads or runs the missing files fails.",
            sides,
            expected=f"{ours.files or theirs.files} files",
            actual=f"{len(gone)} missing: {shown(gone)}",
        )
    elif back:
        yield _finding(
            "conda-files-missing",
            "note",
            ours.name,
            "Files that the first side lacks are here: what needs them fails there.",
            sides,
            expected=f"{len(back)} missing: {shown(back)}",
            actual=f"{theirs.files or ours.files} files",
        )
    if (ours.overwritten, ours.overwritten_by) != (theirs.overwritten, theirs.overwritten_by):
        yield _finding(
            "conda-overwritten",
            "warning",
            ours.name,
            "pip wrote over files of the package on one side, or with other distributions: it runs other code.",
            sides,
            expected=_overwritten(ours),
            actual=_overwritten(theirs),
        )


def _overwritten(package: CondaPackage) -> str:
    if not package.overwritten:
        return "as conda installed it"
    by = f" by {shown(package.overwritten_by)}" if package.overwritten_by else ""
    return f"{len(package.overwritten)} overwritten{by}: {shown(package.overwritten)}"


def _label(package: CondaPackage) -> str:
    return f"{package.version} {package.build}"


def _users(packages: Iterable[CondaPackage]) -> Mapping[str, list[str]]:
    """Who needs a package, by its name."""
    users: dict[str, list[str]] = {}
    for package in packages:
        for name in sorted({m[0].lower() for spec in package.depends if (m := _REQUIRED_NAME.match(spec))}):
            users.setdefault(name, []).append(package.name)
    return users
