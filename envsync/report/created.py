"""What ``create`` says: which lock it takes, and one screen on what was made."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from envsync.create import Created
from envsync.drift.finding import Finding, Kind, shown
from envsync.drift.fixes import merged
from envsync.locate import Located
from envsync.model import ImageSource, ListSource
from envsync.names import normalized
from envsync.redaction import printable
from envsync.report.fidelity import fidelity_lines
from envsync.report.text import command_lines

_SHOWN = 8
_LAST_LINES = 12
_INSIDE: dict[Kind, str] = {
    "distribution-missing": "not there",
    "distribution-version": "other version",
    "distribution-origin": "other origin",
    "distribution-modified": "changed files",
    "distribution-extra": "extra",
}
_CONDA: dict[Kind, str] = {
    "conda-package-missing": "not there",
    "conda-package-version": "other version",
    "conda-package-build": "other build",
    "conda-package-channel": "from another channel",
    "conda-package-hash": "another file",
    "conda-files-missing": "files missing",
    "conda-files-changed": "changed files",
    "conda-overwritten": "overwritten by pip otherwise",
    "conda-package-extra": "extra",
}
_AROUND: dict[Kind, tuple[str, str]] = {
    "conda-virtual-package": (
        "virtual package of conda is not met here",
        "virtual packages of conda are not met here",
    ),
    "environment-variable": ("variable of the image is not set so here", "variables of the image are not set so here"),
    "library-version": (
        "OS package that it needs has another version here",
        "OS packages that it needs have other versions here",
    ),
    "command-version": ("command that it runs has another version here", "commands that it runs have other versions"),
    "resource-missing": ("kind of system data is absent here", "kinds of system data are absent here"),
    "resource-version": ("kind of system data is another here", "kinds of system data are others here"),
    "os-package-missing": ("OS package of the image is absent here", "OS packages of the image are absent here"),
    "os-package-version": ("OS package has another version here", "OS packages have other versions here"),
    "os-package-architecture": ("OS package has another architecture", "OS packages have another architecture"),
}


def render_source(located: Located) -> str:
    """Which lock the environment is made from, and what that lock is worth."""
    lock, source = located.lock, located.lock.snapshot.source
    match source:
        case ImageSource():
            digest = (source.digest or source.config_digest).short
            lines = [
                f"{printable(source.reference)}  {digest}  pulled {source.pulled_at[:10]}",
                f"  lock {printable(str(lock.path))}",
            ]
            if located.edited:
                lines.append(f"  edited by hand: {', '.join(located.edited)}; create goes by snapshot.json alone")
            return "\n".join(lines) + "\n"
        case ListSource():
            return "\n".join(_published(located, source)) + "\n"
    return f"{lock.path}\n"


def _published(located: Located, source: ListSource) -> Iterator[str]:
    where = "shipped with envsync" if located.shipped else str(located.lock.path)
    yield f"{printable(source.reference)}: a published list, not the image ({where})"
    yield f"  {printable(source.url)}"
    yield f"  dated {printable(source.date)}; no digest, no OS packages are known"
    for doubt in source.doubts:
        text = f"doubtful: {printable(doubt.name)} {printable(doubt.value)}: {printable(doubt.note)}"
        yield textwrap.fill(text, 78, initial_indent="  ", subsequent_indent="    ")
    yield f"  for the real thing: envsync pull {printable(source.reference)}"


def render_created(created: Created, width: int) -> str:
    """How many distributions are as in the image, which are not, and what the machine lacks."""
    built = created.built
    target = shlex.quote(str(created.target))
    work = ", ".join(
        f"{count} {what}"
        for count, what in (
            (built.unchanged, "unchanged"),
            (built.installed, "installed"),
            (built.removed, "removed"),
        )
        if count
    )
    lines = [
        f"{_identical(created)} {_alike(created)}, in {created.target}",
        f"  Python {built.python.version}{f'; {work}' if work else ''}",
    ]
    lines += [line for finding in created.python[:_SHOWN] for line in _difference(finding, width)]
    lines += _unbuilt(created, width)
    if len(created.python) > _SHOWN:
        lines.append(f"  ... and {len(created.python) - _SHOWN} more: envsync diff {target} --only python")
    if created.fidelity is not None:
        lines += fidelity_lines(created.fidelity, width)
    lines += _machine(created, width)
    lines.append(f"next: source {shlex.quote(f'{created.target}/bin/activate')}")
    return "\n".join(lines) + "\n"


def _identical(created: Created) -> str:
    """How many of how many: of conda packages and of what pip installed beside them, or of all distributions."""
    snapshot = created.located.lock.snapshot
    environment = snapshot.conda_environment
    distributions = {normalized(d.name) for d in snapshot.distributions if environment is None or d.conda is None}
    differing = {normalized(f.subject) for f in created.python if f.kind in _INSIDE}
    same, all_of_them = len(distributions - differing), len(distributions)
    if environment is None:
        return f"{same} of {all_of_them} distributions"
    packages = {package.name for package in created.conda.packages} if created.conda is not None else set()
    others = {f.subject for f in created.python if f.kind in _CONDA}
    beside = f" and {same} of {all_of_them} pip distributions" if distributions else ""
    return f"{len(packages - others)} of {len(packages)} conda packages{beside}"


def _alike(created: Created) -> str:
    if created.conda is not None and created.conda.solved is not None:
        return f"as solved for {printable(created.conda.subdir)}"
    if isinstance(created.located.lock.snapshot.source, ListSource):
        return "as listed"
    return "as in the image"


def _unbuilt(created: Created, width: int) -> Iterator[str]:
    """The last lines of builds that failed, and what would help."""
    for part in created.built.not_reproducible:
        if part.output:
            yield f"  {printable(part.name)}: the last lines of its build:"
            yield from (f"    | {printable(line)}" for line in part.output.splitlines()[-_LAST_LINES:])
        if part.hint:
            yield from textwrap.wrap(printable(part.hint), width, initial_indent="    ", subsequent_indent="    ")


def _difference(finding: Finding, width: int) -> Iterator[str]:
    what = _INSIDE.get(finding.kind) or _CONDA.get(finding.kind)
    if what is None:
        head = f"{printable(finding.subject)} {finding.actual or ''} here, {finding.expected or ''} in the image"
    else:
        head = f"{printable(finding.subject)} {printable(finding.expected or finding.actual or '')}: {what}"
    yield from textwrap.wrap(f"- {head}", width, initial_indent="  ", subsequent_indent="    ")
    yield from textwrap.wrap(printable(finding.impact), width, initial_indent="    ", subsequent_indent="    ")


def _machine(created: Created, width: int) -> Iterator[str]:
    snapshot = created.located.lock.snapshot
    if snapshot.os is None:
        return
    breaking = [finding for finding in created.machine if finding.verdict == "breaks"]
    parts = list(_machine_parts([f for f in created.machine if f.verdict not in ("breaks", "harmless")]))
    if breaking:
        parts.insert(0, f"{len(breaking)} needed {'thing is' if len(breaking) == 1 else 'things are'} missing")
    text = f"this machine: {'; '.join(parts) if parts else f'nothing missing of {printable(snapshot.os.label)}'}"
    yield from textwrap.wrap(text, width, subsequent_indent="  ")
    yield from _breaking(breaking, width)
    if parts:
        yield f"  details: envsync diff {shlex.quote(str(created.target))}"


def _breaking(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """What fails, each thing with all that is missing for it, and what brings it."""
    missing: dict[tuple[str, ...], list[str]] = {}
    for finding in findings:
        missing.setdefault(finding.needed_by, []).append(finding.subject)
    for needed_by, subjects in list(missing.items())[:_SHOWN]:
        told = f"- {shown(needed_by) or 'whatever runs'}: no {shown(subjects)}"
        yield from textwrap.wrap(told, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    if len(missing) > _SHOWN:
        yield f"  ... and {len(missing) - _SHOWN} more"
    for command in merged(finding.fix for finding in findings if finding.fix and not finding.fix[0].isupper()):
        yield from command_lines(printable(command), width, "  fix: ")


def _machine_parts(findings: Sequence[Finding]) -> Iterator[str]:
    for kind, group in groupby(sorted(findings, key=lambda f: f.kind), key=lambda f: f.kind):
        found = list(group)
        if kind in _AROUND:
            yield f"{len(found)} {_AROUND[kind][len(found) > 1]}"
        else:
            yield f"{printable(found[0].actual or '')} here, {printable(found[0].expected or '')} in the image"
