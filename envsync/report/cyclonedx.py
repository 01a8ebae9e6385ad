"""``envsync diff --format cyclonedx``: one side as a software bill of materials.

Format: https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from envsync import __version__
from envsync.lock.graph import Graph, build_graph
from envsync.model import CondaPackage, Distribution, ImageSource, LocalSource, OperatingSystem, OsPackage, Snapshot
from envsync.names import normalized
from envsync.redaction import printable
from envsync.report.purls import conda_url, distribution_url, os_package_url

_ROOT = "environment"
_PYTHON = "python"
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_URL = re.compile(r"[a-z]+://(?:[A-Za-z0-9._~:/?#@!$&()*+,;=-]|%[0-9A-Fa-f]{2})+")
_UNKNOWN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NAMESPACE = uuid.UUID("7b0f6a3e-8f0d-5c53-9c0e-3a8f5d1c2b64")
"""Our own, for serial numbers that are made of what they are of."""


def render(snapshot: Snapshot, *, judged_by: Snapshot | None = None) -> str:
    """A snapshot as CycloneDX 1.6 in JSON: the same bytes for the same input.

    Its time is when the image was pulled; of a local side, when that was which it is compared with; else 1970.

    Args:
        snapshot: an image, a list, or an environment.
        judged_by: the other side, of a local one.
    """
    components = _Components(snapshot)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{__version__} {snapshot!r}"),
        metadata=BomMetaData(
            component=_root(snapshot),
            timestamp=_moment(snapshot) or (_moment(judged_by) if judged_by is not None else None) or _UNKNOWN,
            tools=ToolRepository(
                components=[Component(name="envsync", version=__version__, type=ComponentType.APPLICATION)]
            ),
            properties=[
                Property(name="envsync:skipped", value=printable(f"{note.subject}: {note.place}: {note.reason}"))
                for note in snapshot.skipped
            ],
        ),
        components=components.by_ref.values(),
        dependencies=components.dependencies(),
    )
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _moment(snapshot: Snapshot) -> datetime | None:
    if not isinstance(snapshot.source, ImageSource):
        return None
    try:
        return datetime.fromisoformat(snapshot.source.pulled_at.replace("Z", "+00:00"))
    except ValueError:  # a lock is anybody's word
        return None


def _root(snapshot: Snapshot) -> Component:
    source = snapshot.source
    platform = [Property(name="envsync:platform", value=str(snapshot.platform))] if snapshot.platform else []
    if isinstance(source, LocalSource):
        return Component(
            name=printable(str(source.path)), type=ComponentType.APPLICATION, bom_ref=_ROOT, properties=platform
        )
    digest = (source.digest or source.config_digest) if isinstance(source, ImageSource) else None
    return Component(
        name=printable(source.reference),
        version=digest,
        type=ComponentType.CONTAINER,
        bom_ref=_ROOT,
        properties=platform,
    )


class _Components:
    """What a snapshot holds, and what of it needs what."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.by_ref: dict[str, Component] = {}
        self._edges: dict[str, set[str]] = {}
        self._graph = build_graph(snapshot)
        conda = snapshot.conda_environment
        packages = conda.packages if conda is not None else ()
        self._python = self._add(_interpreter(snapshot))
        if snapshot.os is not None and snapshot.os.id:
            self._add(_operating_system(snapshot.os))
        self._distributions = {
            str(name): self._add(_distribution(one)) for name, one in self._graph.distributions.items()
        }
        self._conda = {package.name: self._add(_conda_package(package)) for package in packages}
        self._os_packages: dict[str, set[str]] = {}
        for os_package in snapshot.os_packages or ():
            ref = self._add(_os_package(os_package, snapshot))
            self._os_packages.setdefault(os_package.name, set()).add(ref)
        self._connect(snapshot, self._graph, packages)

    def dependencies(self) -> Iterator[Dependency]:
        """Of each component what it needs; the environment itself needs whatever nothing else does."""
        needed = set().union(*self._edges.values())
        roots = self._graph.roots(frozenset(self._graph.distributions))
        tops = (self.by_ref.keys() - needed) | {self._distributions[name] for name in roots}
        for ref, others in (*self._edges.items(), (_ROOT, tops)):
            wanted = [Dependency(ref=BomRef(other)) for other in sorted(others - {ref})]
            yield Dependency(ref=BomRef(ref), dependencies=wanted)

    def _add(self, component: Component) -> str:
        ref = str(component.bom_ref)
        self.by_ref[ref] = component
        self._edges.setdefault(ref, set())
        return ref

    def _connect(self, snapshot: Snapshot, graph: Graph, packages: Iterable[CondaPackage]) -> None:
        for name, needs in graph.needs.items():
            self._edges[self._distributions[name]] |= {self._distributions[other] for other in needs}
        for package in packages:
            words = (spec.split() for spec in package.depends)
            self._edges[self._conda[package.name]] |= _present(self._conda, (word[0] for word in words if word))
        for name, distribution in graph.distributions.items():
            if distribution.conda in self._conda:
                self._edges[self._conda[distribution.conda]].add(self._distributions[name])
        for who, given_by in _needs(snapshot):
            ref = self._python if who == "Python" else self._distributions.get(normalized(who))
            if ref is not None:
                self._edges[ref] |= self._os_packages.get(given_by, set())


def _present(known: Mapping[str, str], names: Iterable[str]) -> set[str]:
    return {known[name] for name in names if name in known}


def _needs(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """A distribution, and an OS package that gives it something."""
    if snapshot.needs is None:
        return
    for library in snapshot.needs.libraries:
        yield from ((who.name, library.package) for who in library.needed_by if library.package)
    for command in snapshot.needs.commands:
        yield from ((who, command.package) for who in command.needed_by if command.package)
    for resource in snapshot.needs.resources:
        yield from ((who, resource.package) for who in resource.needed_by if resource.package)


def _component(
    kind: ComponentType, name: str, version: str, purl: PackageURL | None, ref: str = "", **more: str | None
) -> Component:
    shown, number = printable(name), printable(version)
    return Component(
        name=shown,
        version=number or None,
        type=kind,
        purl=purl,
        bom_ref=ref or (str(purl) if purl is not None else f"{kind.value}:{shown}@{number}"),
        properties=[Property(name=f"envsync:{key}", value=printable(value)) for key, value in more.items() if value],
    )


def _interpreter(snapshot: Snapshot) -> Component:
    python = snapshot.python
    return _component(ComponentType.PLATFORM, python.implementation, python.version, None, _PYTHON, abi=python.abi)


def _operating_system(system: OperatingSystem) -> Component:
    return _component(ComponentType.OPERATING_SYSTEM, system.id, system.version_id, None, "operating-system")


def _distribution(distribution: Distribution) -> Component:
    file = distribution.file
    component = _component(
        ComponentType.LIBRARY,
        distribution.name,
        distribution.version,
        distribution_url(distribution),
        conda=distribution.conda,
        file=file.proof if file is not None else None,
    )
    known = file or distribution.wheel
    if known is not None:
        component.hashes = [HashType(alg=HashAlgorithm.SHA_256, content=known.sha256)]
    component.external_references = _had_from(file.url if file is not None else None)
    return component


def _conda_package(package: CondaPackage) -> Component:
    component = _component(ComponentType.LIBRARY, package.name, package.version, conda_url(package))
    hashes = ((HashAlgorithm.SHA_256, package.sha256, 64), (HashAlgorithm.MD5, package.md5, 32))
    component.hashes = [
        HashType(alg=algorithm, content=text)
        for algorithm, text, length in hashes
        if text is not None and len(text) == length and _HEXADECIMAL.fullmatch(text)
    ]
    component.external_references = _had_from(package.url)
    return component


def _had_from(url: str | None) -> list[ExternalReference]:
    if url is None or not _URL.fullmatch(url):
        return []
    return [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(url))]


def _os_package(package: OsPackage, snapshot: Snapshot) -> Component:
    source = package.source if package.source != package.name else None
    purl = os_package_url(package, snapshot.os)
    return _component(ComponentType.LIBRARY, package.name, package.version, purl, source=source)
