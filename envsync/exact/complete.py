"""What the files of an image tell beyond its catalogs: contents of distributions, and the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from envsync.exact.legacy import legacy_contents
from envsync.exact.listing import Contents, Place, read_contents, with_contents
from envsync.model import Snapshot
from envsync.standard_library import standard_library

if TYPE_CHECKING:
    from envsync.rootfs import Rootfs


class Completed(Struct, frozen=True, kw_only=True):
    """A snapshot, and the contents that it only has the digests of."""

    snapshot: Snapshot
    contents: Mapping[Place, Contents]


def complete(snapshot: Snapshot, tree: Rootfs) -> Completed:
    """Add what the distributions of the environment consist of; those of conda are conda's to verify."""
    python = snapshot.python
    own = [d for d in python.distributions if d.conda is None]
    found = read_contents(own, tree, tree.digests)
    contents = {
        (own[position].name, own[position].metadata): one
        for position, one in found.items()
        if isinstance(one, Contents)
    }
    without = [d for d in own if (d.name, d.metadata) not in contents and d.shadowed_by is None]
    contents |= legacy_contents(without, python, tree)
    python = replace(
        python,
        distributions=tuple(
            with_contents(d, contents[d.name, d.metadata]) if (d.name, d.metadata) in contents else d
            for d in python.distributions
        ),
        standard_library=standard_library(tree, python.sys_path, tree.digests),
    )
    snapshot = replace(snapshot, interpreters=(python, *snapshot.interpreters[1:]))
    return Completed(snapshot=snapshot, contents=contents)
