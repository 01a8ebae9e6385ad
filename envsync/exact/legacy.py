"""The contents of distributions that have no RECORD: as they would be in a wheel, without its ``.dist-info``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envsync.contents import wheel_path
from envsync.exact.listing import Contents, Place
from envsync.files import FileReadError
from envsync.model import Distribution, Interpreter

if TYPE_CHECKING:
    from envsync.rootfs import Rootfs
    from envsync.wheel import Files


_CHUNK = 1 << 20
_MOST = 500
"""Distributions without RECORD that are looked at: honest images have some dozens, of the OS."""


def legacy_contents(distributions: Sequence[Distribution], python: Interpreter, tree: Rootfs) -> dict[Place, Contents]:
    """What ``installed-files.txt``, ``top_level.txt`` or an egg tells; those that nothing tells of are left out."""
    from envsync.wheel import RepackError, files_of, small_files

    if not distributions:
        return {}
    distributions = distributions[:_MOST]
    tree.prefetch(path for one in distributions for path in small_files(one, python, tree))
    listed: list[tuple[Distribution, Files]] = []
    for distribution in distributions:
        try:
            files = files_of(distribution, python, tree)
        except RepackError:
            continue
        if files.how != "name":  # these are not all of its files
            listed.append((distribution, files))
    plain = [str(file.path) for _, files in listed for file in files.files if file.member is None]
    digests = tree.digests(plain)
    found: dict[Place, Contents] = {}
    for distribution, files in listed:
        actual: dict[str, bytes] = {}
        eggs = {file.path for file in files.files if file.member is not None}
        members = {
            egg: _of_members(tree, egg, [file.member for file in files.files if file.path == egg and file.member])
            for egg in eggs
        }
        for file in files.files:
            normal = wheel_path(file.target, distribution.name, f"{files.stem}.data")
            if normal is None or normal.partition("/")[0].endswith((".dist-info", ".egg-info")):
                continue
            digest = members[file.path].get(file.member) if file.member is not None else digests.get(str(file.path))
            if digest is not None:
                actual[normal] = digest
        found[distribution.name, distribution.metadata] = Contents(actual=actual, recorded=None, missing=())
    return found


def _of_members(tree: Rootfs, path: PurePosixPath, names: Sequence[str]) -> dict[str, bytes]:
    """The digests of files inside a zipped egg, opened once; none where it is damaged, or too large to be read."""
    from envsync.wheel.egg import member_of, open_egg
    from envsync.wheel.parts import RepackError

    found: dict[str, bytes] = {}
    try:
        with open_egg(BytesIO(tree.read(path)), str(path)) as archive:
            for name in names:
                with member_of(archive, name, str(path)) as content:
                    hasher = hashlib.sha256()
                    while chunk := content.read(_CHUNK):
                        hasher.update(chunk)
                    found[name] = hasher.digest()
    except (FileReadError, RepackError):
        return {}
    return found
