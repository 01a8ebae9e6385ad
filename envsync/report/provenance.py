"""Why each distribution is there, and where it came from, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.lock.graph import Graph, build_graph
from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, ListSource, Snapshot, VcsOrigin
from envsync.redaction import printable, without_credentials

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

_USERS = 3


class Reasons(Struct, frozen=True, kw_only=True):
    """Who needs whom, and who is needed by nobody."""

    graph: Graph
    known: bool
    """Whether anything tells: a published list does not."""
    roots: tuple[NormalizedName, ...]
    """What no other distribution needs, sorted."""
    users: Mapping[NormalizedName, tuple[NormalizedName, ...]]
    """By whom a distribution is needed, sorted."""

    def name(self, name: NormalizedName) -> str:
        """As the distribution spells itself, for people."""
        return printable(self.graph.distributions[name].name)

    def label(self, name: NormalizedName) -> str:
        """``name version``, for people."""
        return f"{self.name(name)} {printable(self.graph.distributions[name].version)}"

    def why(self, name: NormalizedName) -> str:
        """``top level``, or by whom it is needed; empty where that is not known."""
        if not self.known:
            return ""
        users = [self.name(user) for user in self.users[name]]
        more = f" and {len(users) - _USERS} more" if len(users) > _USERS else ""
        needed = f"needed by {', '.join(users[:_USERS])}{more}" if users else ""
        return "; ".join(filter(None, ("top level" if name in self.roots else "", needed)))


def find_reasons(snapshot: Snapshot) -> Reasons:
    """Why the distributions of the environment are there."""
    graph = build_graph(snapshot)
    users: dict[NormalizedName, list[NormalizedName]] = {name: [] for name in graph.distributions}
    for name in sorted(graph.distributions):
        for other in graph.needs[name]:
            if other != name:
                users[other].append(name)
    return Reasons(
        graph=graph,
        known=not isinstance(snapshot.source, ListSource),
        roots=graph.roots(frozenset(graph.distributions)),
        users={name: tuple(several) for name, several in users.items()},
    )


def marks(distribution: Distribution) -> Iterator[str]:
    """A word for each thing that is worth to be known of a distribution."""
    match distribution.origin:
        case _ if distribution.conda is not None:
            yield "conda"
        case DirectoryOrigin(editable=editable):
            yield "editable" if editable else "from a folder"
        case VcsOrigin(vcs=vcs):
            yield printable(vcs)
        case ArchiveOrigin():
            yield "from a URL"
    if distribution.file is not None:
        yield distribution.file.proof
    if distribution.wheel is not None:
        yield "repacked"
    if distribution.patched:
        yield "patched"


def came_from(distribution: Distribution) -> Iterator[str]:
    """Where a distribution was had from, as sentences."""
    if distribution.conda is not None:
        yield f"the conda package {printable(distribution.conda)}"
    else:
        yield from _origin(distribution)
    if (file := distribution.file) is not None:
        how = "proved by its RECORD" if file.proof == "proved" else "inferred from its name and tags"
        yield f"{file.filename}, a file of an index, {how}"
        if file.note:
            yield printable(file.note)
    if (wheel := distribution.wheel) is not None:
        yield f"{wheel.filename}, repacked from the image: {printable(wheel.reason)}"


def _origin(distribution: Distribution) -> Iterator[str]:
    match distribution.origin:
        case VcsOrigin(url=url, vcs=vcs, commit=commit):
            yield _url(f"{vcs}+{url}@{commit}")
        case ArchiveOrigin(url=url):
            yield _url(url)
        case DirectoryOrigin(url=url, editable=editable):
            yield f"{'editable, from' if editable else 'from'} {_url(url)}"
        case None if distribution.file is None and distribution.wheel is None:
            yield "an index, it seems: nothing else is recorded"


def _url(text: str) -> str:
    return printable(without_credentials(text))
