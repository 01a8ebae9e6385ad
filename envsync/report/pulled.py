"""What ``pull`` says about a snapshot and its lock."""

from __future__ import annotations

from collections.abc import Iterator

from envsync.lock.store import Written, changes
from envsync.model import Distribution, ImageSource, Interpreter, OperatingSystem, Snapshot, SolvedEnvironment
from envsync.redaction import printable
from envsync.reference import Digest

_SHOWN = 12


def render_pulled(snapshot: Snapshot, written: Written, dropped: tuple[str, ...] = ()) -> str:
    """What was learnt, what changed since the lock that was replaced, and what to type next.

    Args:
        snapshot: of the image.
        written: what became of the lock.
        dropped: platforms that were solved for what the image was before.
    """
    lines = [*_identity(snapshot), *_contents(snapshot)]
    if written.status == "replaced" and written.previous is not None:
        lines += _changes(written.previous, snapshot)
    if snapshot.skipped:
        lines.append(f"not understood ({len(snapshot.skipped)}):")
        for skipped in snapshot.skipped[:_SHOWN]:
            lines.append(f"  {printable(skipped.subject)}: {printable(skipped.reason)}")
            lines.append(f"    at {printable(skipped.place)}")
        if len(snapshot.skipped) > _SHOWN:
            lines.append(f"  ... and {len(snapshot.skipped) - _SHOWN} more, in snapshot.json")
    lines += [f"no longer in the lock: what was solved for {one}; again: --platform {one}" for one in dropped]
    state = {"new": "lock written", "unchanged": "lock unchanged", "replaced": "lock replaced"}[written.status]
    environment = ".venv" if snapshot.conda_environment is None else ".conda"
    lines += [f"{state}: {written.path}", f"next: envsync create {environment}"]
    return "\n".join(lines) + "\n"


def _identity(snapshot: Snapshot) -> list[str]:
    source = snapshot.source
    if not isinstance(source, ImageSource):
        return [printable(str(snapshot.source))]
    digest = source.digest or source.config_digest
    return [f"{printable(source.reference)}  {digest.short}  {snapshot.platform}"]


def _contents(snapshot: Snapshot) -> list[str]:
    python = snapshot.python
    lines = [f"  Python {python.version} at {printable(str(python.executable))}{_kind(python)}"]
    lines.append(f"  {_count(len(snapshot.distributions), 'distribution')}{_origins(snapshot.distributions)}")
    lines += _artifacts(snapshot)
    if (environment := snapshot.conda_environment) is not None:
        prefix = printable(str(environment.prefix))
        lines.append(f"  {_count(len(environment.packages), 'conda package')} in {prefix}")
        lines += map(_solved, environment.solved)
    system = printable((snapshot.os or OperatingSystem()).label)
    if snapshot.os_packages is not None:
        lines.append(f"  {_count(len(snapshot.os_packages), 'OS package')} of {system}")
    else:
        lines.append(f"  {system}; no database of packages in it that is known")
    if snapshot.needs is None and isinstance(snapshot.source, ImageSource) and snapshot.source.method == "run":
        lines.append("    what the environment needs of them is not known: --method read tells it")
    prefixes = [str(one.prefix) for one in snapshot.conda if one is not snapshot.conda_environment]
    if prefixes:
        lines.append(f"  other conda environments in it: {_few(prefixes)}")
    others = [str(one.executable) for one in snapshot.interpreters[1:]]
    if others:
        lines.append(f"  also in it: {_few(others)}")
    return lines


def _artifacts(snapshot: Snapshot) -> Iterator[str]:
    """Where the files of the distributions can be had from, and which were changed in the image."""
    own = [d for d in snapshot.distributions if d.conda is None]
    proved = sum(d.file is not None and d.file.proof == "proved" for d in own)
    inferred = sum(d.file is not None and d.file.proof == "inferred" for d in own)
    repacked = sum(d.wheel is not None for d in own)
    told = [f"{proved} proved to be files of the index"] * bool(proved)
    told += [f"{inferred} inferred"] * bool(inferred)
    told += [f"{repacked} repacked from the image"] * bool(repacked)
    if told:
        yield f"    {', '.join(told)}"
    patched = [d for d in own if d.patched]
    for distribution in patched[:_SHOWN]:
        names = ", ".join(printable(name) for name in distribution.patched[:3])
        more = ", ..." if len(distribution.patched) > 3 else ""
        yield f"    not as its RECORD says: {printable(distribution.name)} ({names}{more})"
    if len(patched) > _SHOWN:
        yield f"    ... and {len(patched) - _SHOWN} more that were changed"


def missed(solved: SolvedEnvironment) -> int:
    """How many of the image's packages are missed on a platform, or are of another version there."""
    return sum(one.reason in ("absent", "not asked for", "version") for one in solved.deviations)


def _solved(solved: SolvedEnvironment) -> str:
    said = [
        f"Python {one.solved} for {one.version}" for one in solved.deviations if one.name == "python" and one.solved
    ]
    other = sum(one.reason == "version" for one in solved.deviations)
    without = missed(solved) - other
    other -= len(said)
    said += [f"{other} of another version"] * bool(other) + [f"without {without} that the image has"] * bool(without)
    tail = f"\n    {printable(', '.join(said))} (named in snapshot.json)" if said else ""
    count = _count(len(solved.packages), "conda package")
    return f"  {count} for {printable(solved.subdir)}: solved by {printable(solved.solver)}, not extracted{tail}"


def _few(names: list[str]) -> str:
    return ", ".join(printable(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def _kind(python: Interpreter) -> str:
    if python.venv is not None:
        return f" (a venv on {printable(str(python.venv.home))})"
    return " (externally managed)" if python.externally_managed else ""


def _origins(distributions: tuple[Distribution, ...]) -> str:
    elsewhere = sum(d.origin is not None for d in distributions)
    return f", {elsewhere} of them not from an index" if elsewhere else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _changes(old: Snapshot, new: Snapshot) -> list[str]:
    found = changes(old, new)
    lines = ["changed since the lock that this replaces:"]
    if isinstance(old.source, ImageSource):
        was = old.source.digest or old.source.config_digest
        lines[0] = f"changed since {was.short} ({old.source.pulled_at[:10]}):"
    else:
        lines[0] = "changed since the published list that this replaces:"
    if found.python is not None:
        lines.append(f"  ~ Python {found.python[0]} -> {found.python[1]}")
    lines += [f"  ~ {printable(a.name)} {_version(a, b)}" for a, b in found.changed]
    lines += [f"  + {printable(d.name)} {printable(d.version)}" for d in found.added]
    lines += [f"  - {printable(d.name)} {printable(d.version)}" for d in found.removed]
    if len(lines) > 1:
        return lines
    if _image(old) == _image(new):
        return ["the same image as before; the lock now says more of it"]
    return [f"{lines[0]} no distribution differs"]


def _image(snapshot: Snapshot) -> Digest | None:
    return snapshot.source.config_digest if isinstance(snapshot.source, ImageSource) else None


def _version(old: Distribution, new: Distribution) -> str:
    if old.version != new.version:
        return f"{printable(old.version)} -> {printable(new.version)}"
    return f"{printable(new.version)} (from another origin)"
