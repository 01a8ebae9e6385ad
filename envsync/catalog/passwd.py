"""The home folder of an image's user: passwd(5), https://man7.org/linux/man-pages/man5/passwd.5.html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from envsync.catalog.bounds import is_path
from envsync.files import FileReadError, FileTree

PATTERNS: tuple[str, ...] = (r"/etc/passwd",)
"""Files whose bytes :func:`home_folder` asks for."""

_LIMIT = 1024 * 1024


def home_folder(tree: FileTree, *, env: Mapping[str, str], user: str) -> PurePosixPath:
    """Where ``~`` leads for a process of the image.

    A container engine sets HOME from passwd unless the image's config does, and to ``/`` for a user whom
    passwd does not know.

    Args:
        tree: the image's files.
        env: variables of the image's config.
        user: as in the config: ``""`` (root), a name or a number, maybe with ``:group``.
    """
    if "HOME" in env and is_path(env["HOME"]):
        return PurePosixPath("/", env["HOME"])
    try:
        text = tree.read(PurePosixPath("/etc/passwd"), limit=_LIMIT).decode("utf-8", "replace")
    except FileReadError:
        text = ""
    found = find_home(text, user.partition(":")[0] or "root")
    if found is None and user.partition(":")[0] in ("", "0", "root"):
        return PurePosixPath("/root" if not text else "/")
    return PurePosixPath("/", found if found and is_path(found) else "/")


def find_home(text: str, user: str) -> str | None:
    """The home folder that the passwd file ``text`` gives ``user``, a name or a number. Never raises."""
    by_number: str | None = None
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) < 6:
            continue
        if fields[0] == user:
            return fields[5]
        if by_number is None and user.isdecimal() and fields[2].isdecimal() and _same_number(fields[2], user):
            by_number = fields[5]
    return by_number


def _same_number(one: str, other: str) -> bool:
    return one.lstrip("0") == other.lstrip("0")
