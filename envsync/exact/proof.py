"""Which file of an index a distribution of an image was installed from.

A wheel's RECORD lists what it installs. Where that is what the image's RECORD lists, the wheel is *proved*; where it
cannot be had, the one whose tags the image's ``WHEEL`` names is *inferred*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from envsync.contents import entry_point_scripts, wheel_path, without_compiled
from envsync.errors import EnvsyncError
from envsync.exact.listing import Contents, decoded
from envsync.model import Distribution, IndexFile
from envsync.record import RecordError, parse_record

if TYPE_CHECKING:
    from envsync.index import IndexFile as ListedFile

_MOST_CANDIDATES = 4
"""Wheels of one release that are looked into."""
Members = Callable[["ListedFile", Callable[[str], bool]], Mapping[str, bytes]]
"""Members of a wheel by name, read without the rest of it where that can be.

Raises:
    EnvsyncError: it cannot be read.
"""


class Found(Struct, frozen=True, kw_only=True):
    """What an index has of a distribution, seen from the image."""

    file: IndexFile | None = None
    """What it was installed from."""
    reason: str = ""
    """Why there is none."""
    patched: tuple[str, ...] = ()
    """What differs from that file, in normal form; not what the file's own RECORD has wrong."""


def tags_of(filename: str) -> frozenset[str]:
    """The compatibility tags of a wheel's name, expanded; none where it is no wheel's."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return frozenset()
    return expanded("-".join(parts[-3:]))


def expanded(tag: str) -> frozenset[str]:
    """The tags of a compressed set, which some tools also write into ``WHEEL``."""
    parts = [part.split(".") for part in tag.split("-")]
    if len(parts) != 3:
        return frozenset()
    return frozenset(f"{one}-{two}-{three}" for one in parts[0] for two in parts[1] for three in parts[2])


def own_tags(distribution: Distribution) -> frozenset[str]:
    """What ``WHEEL`` says, expanded."""
    return frozenset().union(*map(expanded, distribution.tags))


def candidates(distribution: Distribution, files: Iterable[ListedFile]) -> tuple[ListedFile, ...]:
    """The wheels that may have been installed, likeliest first: of the very tags, else of some of them.

    What auditwheel renamed may have kept a ``WHEEL`` of fewer tags, or of other ones of the same platform.
    """
    tags = own_tags(distribution)
    ranked: list[tuple[int, str, ListedFile]] = []
    for file in files:
        own = tags_of(file.filename)
        if not own or not tags:
            continue
        if own == tags:
            rank = 0
        elif own & tags:
            rank = 1
        elif {_without_level(tag) for tag in own} & {_without_level(tag) for tag in tags}:
            rank = 2
        else:
            continue
        ranked.append((rank, file.filename, file))
    return tuple(file for *_, file in sorted(ranked, key=lambda item: item[:2]))[:_MOST_CANDIDATES]


def _without_level(tag: str) -> str:
    """``cp39-cp39-linux_x86_64`` of any manylinux level."""
    python, abi, platform = tag.split("-", 2) if tag.count("-") >= 2 else (tag, "", "")
    system, _, rest = platform.partition("_")
    if system.startswith("manylinux"):
        machine = rest if system != "manylinux" else rest.split("_", 2)[-1]
        return f"{python}-{abi}-linux_{machine}"
    return tag


def find_file(
    distribution: Distribution, contents: Contents | None, wheels: Sequence[ListedFile], members: Members
) -> Found:
    """The wheel among ``wheels`` (see :func:`candidates`) that gave the image's files.

    Args:
        distribution: of the image.
        contents: its files; ``None`` where they are not known.
        wheels: the index's, in the order to look at them.
        members: reads some of a wheel's members.
    """
    if not wheels:
        return Found(reason="no index has a wheel of its tags")
    unread: list[str] = []
    differing = 0
    for wheel in wheels:
        if contents is None or contents.recorded is None:
            unread.append("the image has no RECORD of it")
            continue
        try:
            theirs = recorded_contents(distribution, members(wheel, _is_record))
        except (EnvsyncError, RecordError) as error:
            unread.append(error.message)
            continue
        if theirs == contents.recorded:
            return _proved(distribution, contents, wheel, members)
        differing += 1
    first = wheels[0]
    if unread and not differing and own_tags(distribution) == tags_of(first.filename):
        file = _index_file(first, proof="inferred", note=f"not proved: {unread[0]}")
        if file is not None:
            return Found(file=file, patched=_known(contents))
    if differing:
        return Found(reason=f"the index's {first.filename} has other files")
    return Found(reason=f"no file of the index can be told to be it: {unread[0]}")


def recorded_contents(distribution: Distribution, members: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a wheel's RECORD says of its files: SHA-256 digests by normal path.

    Raises:
        RecordError: there is not exactly one, or it cannot be understood.
    """
    if len(members) != 1:
        raise RecordError(f"{len(members)} files called RECORD in the wheel (expected one)")
    (name, data), *_ = members.items()
    stem = name.partition("/")[0].removesuffix(".dist-info")
    generated = entry_point_scripts(distribution)
    found: dict[str, bytes] = {}
    for entry in parse_record(data.decode("utf-8", "surrogateescape")):
        normal = wheel_path(entry.path, distribution.name, f"{stem}.data", generated)
        if normal is None:
            continue
        digest = decoded(entry.digest) if entry.algorithm == "sha256" and entry.digest else None
        if digest is None:
            raise RecordError(f"RECORD of the wheel: no SHA-256 of {entry.path}")
        found[normal] = digest
    kept = without_compiled(found.keys())
    return {path: digest for path, digest in found.items() if path in kept}


def _is_record(name: str) -> bool:
    folder, _, rest = name.partition("/")
    return rest == "RECORD" and folder.endswith(".dist-info")


def _known(contents: Contents | None) -> tuple[str, ...]:
    return contents.patched if contents is not None else ()


def _proved(distribution: Distribution, contents: Contents, wheel: ListedFile, members: Members) -> Found:
    patched = contents.patched
    note = None
    if patched and not contents.missing:
        patched = tuple(path for path in patched if path not in _as_in(wheel, distribution, contents, patched, members))
        if len(patched) < len(contents.patched):
            note = f"its RECORD is wrong of {len(contents.patched) - len(patched)} of its own files"
    file = _index_file(wheel, proof="proved", note=note)
    if file is None:
        return Found(reason=f"the index tells no SHA-256 of {wheel.filename}")
    return Found(file=file, patched=patched)


def _as_in(
    wheel: ListedFile, distribution: Distribution, contents: Contents, paths: Sequence[str], members: Members
) -> frozenset[str]:
    """Those of ``paths`` that are, in the wheel itself, just what the image has: the RECORD is wrong of them."""
    stem = "-".join(wheel.filename.split("-")[:2])

    def normal(name: str) -> str | None:
        return wheel_path(name, distribution.name, f"{stem}.data")

    wanted = frozenset(paths)
    try:
        read = members(wheel, lambda name: normal(name) in wanted)
    except EnvsyncError:
        return frozenset()
    digests = ((normal(name), hashlib.sha256(data).digest()) for name, data in read.items())
    return frozenset(path for path, digest in digests if path is not None and contents.actual.get(path) == digest)


def _index_file(wheel: ListedFile, *, proof: Literal["proved", "inferred"], note: str | None) -> IndexFile | None:
    sha256 = wheel.sha256
    if sha256 is None or len(sha256) != 64:
        return None
    notes = [] if wheel.yanked is None else [f"yanked: {wheel.yanked}" if wheel.yanked else "yanked"]
    return IndexFile(
        filename=wheel.filename,
        sha256=sha256,
        # A query may be a signature, which lets whoever has it read the file.
        url=wheel.url.partition("?")[0] if wheel.url.startswith(("http://", "https://")) else None,
        size=wheel.size,
        uploaded=wheel.upload_time,
        proof=proof,
        note="; ".join([*notes, *([note] if note else [])]) or None,
    )
