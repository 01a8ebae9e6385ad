"""Image -> snapshot, in two ways that must agree: reading its layers, and asking a container of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from envsync.catalog import conda, distributions, interpreters, libc, os_packages, os_release
from envsync.catalog.bounds import Allowance
from envsync.catalog.needs import find_needs
from envsync.errors import DisagreementError
from envsync.exact.artifacts import Artifacts, with_artifacts
from envsync.exact.complete import complete
from envsync.files import SearchableTree
from envsync.image_tree import read_tree
from envsync.lock.codec import to_json
from envsync.lock.store import without_layers
from envsync.model import (
    CondaEnvironment,
    Distribution,
    ImageSource,
    Interpreter,
    OperatingSystem,
    Skipped,
    Snapshot,
)
from envsync.redaction import printable
from envsync.reference import Digest

if TYPE_CHECKING:
    from envsync.cache import Cache
    from envsync.image.protocol import ConfigFile, Image, LayerProgress
    from envsync.probe.answer import Answer

_SHOWN_DIFFERENCES = 20
_SKIPPED = 1_000
_LONGEST = 400


def read_snapshot(
    image: Image,
    source: ImageSource,
    *,
    interpreter: PurePosixPath | None,
    cache: Cache | None = None,
    artifacts: Artifacts | None = None,
    on_progress: Callable[[LayerProgress], None] | None = None,
) -> Snapshot:
    """Learn everything from the layers; nothing of the image is executed.

    Args:
        image: what is read.
        source: where the snapshot says that it is from.
        interpreter: the environment, instead of what PATH says.
        cache: what was learnt of layers before, and will be kept of these.
        artifacts: which wheels to make of its files; ``None``: none, and no index is asked.
        on_progress: see :func:`envsync.rootfs.read_rootfs`.

    Raises:
        CorruptImageError: a layer is damaged or does not match its digest.
        NoPythonError: there is no interpreter in the image (or not at the path given).
        UnsafeValueError: a distribution's name or version would inject into a requirements file.
        WheelhouseError: a wheel cannot be kept.
    """
    config = image.config
    tree = read_tree(image, cache, on_progress)
    machine = config.platform.machine
    system = _operating_system(tree, machine)
    env = {v.name: v.value or "" for v in config.config.env}
    found = interpreters.find_interpreters(
        tree,
        env=env,
        user=config.config.user,
        workdir=PurePosixPath(config.config.workdir or "/"),
        libc=system.libc,
        machine=machine,
        chosen=interpreter,
    )
    allowance = Allowance()
    described: list[Interpreter] = []
    skipped = [*tree.skipped, *found.skipped]
    for one in found.interpreters:
        installed, unread = distributions.find_distributions(
            tree, one.sys_path, python=one.version, allowance=allowance
        )
        described.append(msgspec.structs.replace(one, distributions=installed))
        skipped += unread
    environments, marked, doubts = conda.find_conda(tree, conda.find_prefixes(tree), described)
    packages, unread = os_packages.find(tree)
    needs, unseen = find_needs(tree, marked[0], system, env, machine)
    source = msgspec.structs.replace(source, layer_sizes=tree.layer_sizes, layer_commands=config.layer_commands)
    snapshot = _snapshot(source, config, system, marked, environments, packages, (*skipped, *doubts, *unread, *unseen))
    completed = complete(msgspec.structs.replace(snapshot, needs=needs), tree)
    return with_artifacts(completed, tree, artifacts) if artifacts is not None else completed.snapshot


def run_snapshot(answer: Answer, config: ConfigFile, source: ImageSource) -> Snapshot:
    """Put together what a container answered; where its pip or conda prints other lines than the lock has is noted.

    Raises:
        UnsafeValueError: a distribution's name or version would inject into a requirements file.
    """
    found = answer.to_interpreters()
    place = str(found[0].executable)
    broken = answer.freeze_problem
    failed = [Skipped(subject="pip freeze", place=place, reason=broken)] if broken else []
    disputed = (Skipped(subject="pip freeze", place=place, reason=line) for line in answer.freeze_disagreements)
    return _snapshot(
        source,
        config,
        answer.operating_system(),
        found,
        answer.conda_environments(),
        answer.os_packages(),
        (*answer.skipped(), *failed, *disputed, *answer.conda_disagreements),
    )


def _snapshot(
    source: ImageSource,
    config: ConfigFile,
    system: OperatingSystem,
    found: tuple[Interpreter, ...],
    environments: tuple[CondaEnvironment, ...],
    packages: tuple[Any, ...] | None,
    skipped: tuple[Skipped, ...],
) -> Snapshot:
    return Snapshot(
        source=source,
        platform=config.platform,
        config=config.config,
        os=system,
        interpreters=found,
        conda=environments,
        os_packages=packages,
        skipped=_bounded(_unique(map(_shortened, skipped))),
    )


def _shortened(skipped: Skipped) -> Skipped:
    """An image chooses the names of its files, and what stands in them."""
    if max(len(skipped.subject), len(skipped.place), len(skipped.reason)) <= _LONGEST:
        return skipped
    return Skipped(subject=_cut(skipped.subject), place=_cut(skipped.place), reason=_cut(skipped.reason))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _bounded(skipped: tuple[Skipped, ...]) -> tuple[Skipped, ...]:
    """The first records, and how many there are beyond: they are for people to read."""
    if len(skipped) <= _SKIPPED:
        return skipped
    more = Skipped(subject="image", place="/", reason=f"{len(skipped) - _SKIPPED} more that were not understood")
    return more, *skipped[:_SKIPPED]


def _unique(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    return tuple(sorted(set(skipped), key=lambda one: (one.place, one.subject, one.reason)))


def _operating_system(tree: SearchableTree, machine: str) -> OperatingSystem:
    system = os_release.find(tree) or OperatingSystem()
    return msgspec.structs.replace(system, libc=libc.find_libc(tree, machine))


def image_source(
    config: ConfigFile, *, reference: str, digest: Digest | None, method: Literal["run", "read", "both"]
) -> ImageSource:
    """Where a snapshot comes from, as of now."""
    return ImageSource(
        reference=reference,
        digest=digest,
        config_digest=config.digest,
        created=config.created,
        method=method,
        pulled_at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        layers=config.diff_ids,
    )


def agree(ran: Snapshot, read: Snapshot) -> Snapshot:
    """The snapshot that both ways gave.

    Raises:
        DisagreementError: lists the differences.
    """
    packages = os_packages.of_same_managers(read.os_packages, ran.os_packages)
    sides = [_comparable(ran), _comparable(msgspec.structs.replace(without_layers(read), os_packages=packages))]
    found = list(_differences("", *sides))
    if found:
        shown = "\n".join(f"  {line}" for line in found[:_SHOWN_DIFFERENCES])
        more = f"\n  ... and {len(found) - _SHOWN_DIFFERENCES} more" if len(found) > _SHOWN_DIFFERENCES else ""
        raise DisagreementError(
            f"{ran.source.reference if isinstance(ran.source, ImageSource) else 'image'}: "
            f"running and reading it differ in {len(found)} places:\n{shown}{more}",
            hint="Nothing was written. --method run or --method read takes one side; please report the difference.",
        )
    source = read.source
    if isinstance(source, ImageSource):
        source = msgspec.structs.replace(source, method="both")
    return msgspec.structs.replace(read, source=source, skipped=_unique((*ran.skipped, *read.skipped)))


def with_files(ran: Snapshot, read: Snapshot) -> Snapshot:
    """What a container answered, and what the files of its layers tell beyond that."""
    known = {(d.name, d.metadata): d for d in read.python.distributions}

    def joined(distribution: Distribution) -> Distribution:
        other = known.get((distribution.name, distribution.metadata))
        if other is None:
            return distribution
        return msgspec.structs.replace(
            distribution, contents=other.contents, patched=other.patched, file=other.file, wheel=other.wheel
        )

    python = msgspec.structs.replace(
        ran.python,
        distributions=tuple(map(joined, ran.python.distributions)),
        standard_library=read.python.standard_library,
    )
    source = ran.source
    if isinstance(source, ImageSource) and isinstance(read.source, ImageSource):
        source = msgspec.structs.replace(
            source, layer_sizes=read.source.layer_sizes, layer_commands=read.source.layer_commands
        )
    return msgspec.structs.replace(
        ran,
        source=source,
        interpreters=(python, *ran.interpreters[1:]),
        os_packages=os_packages.joined(ran.os_packages, read.os_packages),
        needs=read.needs,
        skipped=_unique((*ran.skipped, *read.skipped)),
    )


def _comparable(snapshot: Snapshot) -> Any:
    """A snapshot's facts by name. What one side could not tell (code in a ``.pth`` file, say) is no fact."""
    plain = msgspec.to_builtins(snapshot, enc_hook=to_json)
    plain.pop("source")
    for one in plain["interpreters"]:
        one["distributions"] = {f"{d['name']} in {d.get('location')}": d for d in one.get("distributions", ())}
    plain["interpreters"] = {str(one.get("executable")): one for one in plain["interpreters"]}
    for one in plain["conda"]:
        one["packages"] = {package["name"]: package for package in one.get("packages", ())}
    plain["conda"] = {str(one.get("prefix")): one for one in plain["conda"]}
    for one in plain.get("os_packages") or ():
        one.pop("explicit", None)
    plain["os_packages"] = {f"{p['name']}:{p['architecture']}": p for p in plain.get("os_packages") or ()}
    plain.pop("skipped", None)
    plain.pop("needs", None)
    return plain


def _differences(place: str, ran: Any, read: Any) -> Iterator[str]:
    if isinstance(ran, dict) and isinstance(read, dict):
        for key in sorted(ran.keys() | read.keys()):
            yield from _differences(f"{place}/{key}", ran.get(key), read.get(key))
    elif ran != read:
        yield printable(f"{place.lstrip('/')}: run says {_brief(ran)}, read says {_brief(read)}")


def _brief(value: Any) -> str:
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 300 else text[:297] + "..."
