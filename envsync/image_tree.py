"""The files of an image as catalogs ask for them: which are kept, hashed and looked into as they stream past."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from envsync.catalog import (
    conda,
    distributions,
    elf_owners,
    interpreters,
    libc,
    native,
    os_packages,
    os_release,
    owners,
    resources,
)

if TYPE_CHECKING:
    from envsync.cache import Cache
    from envsync.image.protocol import Image, LayerProgress
    from envsync.rootfs import Rootfs
    from envsync.rootfs.taking import Condense


class Wanted:
    """Tells whether a catalog reads the file at an absolute path, so that its bytes are kept on the way past."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Made of regular expressions on whole absolute paths, each of a folder, a slash and a name.

        Where any name will do (``[^/]+``), the folder is a plain path.
        """
        parts = [(pattern, *_split(pattern)) for pattern in patterns]
        # Nearly every path is refused by its name alone, which takes a fraction of the time.
        names = [name for _, _, name in parts if name != _ANY_NAME]
        self._names = re.compile("|".join(f"(?:{name})" for name in names), re.DOTALL).fullmatch
        self._folders = tuple(f"{folder}/".replace("\\", "") for _, folder, name in parts if name == _ANY_NAME)
        self._paths = re.compile("|".join(f"(?:{pattern})" for pattern, _, _ in parts), re.DOTALL).fullmatch
        self.version = hashlib.sha256("\n".join(pattern for pattern, _, _ in parts).encode()).hexdigest()[:16]
        """Changes with the patterns."""

    def __call__(self, path: str) -> bool:
        """Whether the bytes of the file at ``path`` will be asked for."""
        name = path[path.rfind("/") + 1 :]
        if self._names(name) is None and not path.startswith(self._folders):
            return False
        return self._paths(path) is not None


_ANY_NAME = "[^/]+"


def _split(pattern: str) -> tuple[str, str]:
    """A pattern's folder and name, parted at the last slash outside of parentheses and brackets."""
    depth, at = 0, 0
    for position, character in enumerate(pattern):
        depth += (character in "([") - (character in ")]")
        if character == "/" and not depth:
            at = position
    return pattern[:at], pattern[at + 1 :]


def is_hashed(path: str) -> bool:
    """Whether the digest of the file at ``path`` will be asked for.

    Of the libraries of Pythons, and of what distributions put beside them: scripts, headers, data. What is not foreseen
    here is read in another pass over its layer.
    """
    if "/python" in path and _PYTHONS.search(path) is not None:
        return not (path.endswith(_COMPILED) and ("/__pycache__/" in path or "/config-" in path))
    return not path.startswith(_OF_THE_SYSTEM) and _BESIDE.search(path) is not None


_PYTHONS = re.compile(r"/lib(?:32|64)?/python[23][0-9.]*t?/")
_BESIDE = re.compile(r"/(?:bin|etc|include|man|share)/")
_COMPILED = (".pyc", ".pyo", ".a")
_OF_THE_SYSTEM = (
    "/bin/",
    "/etc/",
    "/lib/",
    "/usr/bin/",
    "/usr/include/",
    "/usr/lib/",
    "/usr/libexec/",
    "/usr/sbin/",
    "/usr/share/",
    "/var/",
)


@cache
def wanted() -> Wanted:
    """What all catalogs together read."""
    catalogs = (
        conda,
        distributions,
        interpreters,
        libc,
        native,
        elf_owners,
        os_packages,
        os_release,
        owners,
        resources,
    )
    return Wanted(dict.fromkeys(pattern for catalog in catalogs for pattern in catalog.PATTERNS))


def read_tree(image: Image, cache: Cache | None, on_progress: Callable[[LayerProgress], None] | None) -> Rootfs:
    """The files of an image, read or remembered: see :func:`envsync.rootfs.read_rootfs`."""
    from envsync.known import KnownLayers
    from envsync.rootfs import read_rootfs

    known = KnownLayers(cache, wanted().version) if cache is not None else None
    return read_rootfs(
        image,
        wanted(),
        condense=_condenser(),
        hashed=is_hashed,
        native=native.is_native,
        known=known,
        on_progress=on_progress,
    )


def _condenser() -> Condense:
    """What shortens, on the way past, files of one image that catalogs read."""
    records = conda.Condenser()
    return lambda path, size: owners.condense(path, size) or records(path, size)
