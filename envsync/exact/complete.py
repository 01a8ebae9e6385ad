"""What the files of an image tell beyond its catalogs: contents of distributions, and the standard library."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from envsync.exact.listing import Contents, read_contents, with_contents
from envsync.model import Distribution, Snapshot
from envsync.standard_library import standard_library

if TYPE_CHECKING:
    from envsync.rootfs import Rootfs


def complete(snapshot: Snapshot, tree: Rootfs) -> Snapshot:
    """The snapshot with what the distributions of its environment consist of; those of conda are conda's to verify."""
    python = snapshot.python
    own = [d for d in python.distributions if d.conda is None]
    found = read_contents(own, tree, tree.digests)
    by_place: dict[tuple[str, PurePosixPath | None], Distribution] = {}
    for position, contents in found.items():
        if isinstance(contents, Contents):
            distribution = own[position]
            by_place[distribution.name, distribution.metadata] = with_contents(distribution, contents)
    python = replace(
        python,
        distributions=tuple(by_place.get((d.name, d.metadata), d) for d in python.distributions),
        standard_library=standard_library(tree, python.sys_path, tree.digests),
    )
    return replace(snapshot, interpreters=(python, *snapshot.interpreters[1:]))
