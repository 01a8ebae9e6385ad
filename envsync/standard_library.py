"""The standard library of an interpreter, module by module, so that two of them can be compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from envsync.files import FileTree

_FOLDER = re.compile(r"python[23]\.[0-9]+t?")
_LEFT_OUT = re.compile(
    # What distributors leave out or write themselves, and what names the place of the interpreter.
    r"site-packages|dist-packages|__pycache__|test|tests|idlelib|turtledemo|lib2to3|ensurepip|config-.*|_sysconfigdata.*"
    r"|sitecustomize\.py|usercustomize\.py|_sysconfig_vars.*"
)
_DYNAMIC = "lib-dynload"
_MOST_FILES = 10_000
_DEEPEST = 8
_DIGITS = 16

Digests = Callable[[Iterable[str]], Mapping[str, bytes]]
"""SHA-256 of the regular files at absolute paths; those that are none are left out."""


def standard_library(tree: FileTree, sys_path: Iterable[PurePosixPath], digests: Digests) -> dict[str, str] | None:
    """By top-level module, the first 16 hexadecimal digits of the SHA-256 of its files; ``None``: none was found.

    Tests, IDLE, ``lib2to3`` and ``ensurepip`` do not count: distributors leave them out as they like.

    Args:
        tree: where the files are.
        sys_path: of the interpreter.
        digests: of what is in ``tree``.
    """
    folder = next((str(entry) for entry in sys_path if _FOLDER.fullmatch(entry.name)), None)
    if folder is None:
        return None
    names: dict[str, list[str]] = {}
    for count, path in enumerate(_files(tree, folder)):
        if count == _MOST_FILES:
            return None
        names.setdefault(_module(path[len(folder) + 1 :]), []).append(path)
    found = digests(path for paths in names.values() for path in paths)
    return {name: _digest(folder, paths, found) for name, paths in sorted(names.items())} or None


def _files(tree: FileTree, top: str) -> Iterator[str]:
    """Those of all modules; a folder that several links lead to counts once."""
    seen: set[PurePosixPath] = set()
    waiting = [(top, 0)]
    while waiting:
        folder, depth = waiting.pop()
        here = tree.stat(PurePosixPath(folder))
        if here is None or here.path in seen:
            continue
        seen.add(here.path)
        for name in tree.list(here.path):
            if _LEFT_OUT.fullmatch(name):
                continue
            path = f"{folder}/{name}"
            if name.endswith((".py", ".so")):
                yield path
            elif "." not in name and depth < _DEEPEST:
                waiting.append((path, depth + 1))


def _module(path: str) -> str:
    first, _, rest = path.partition("/")
    if first == _DYNAMIC and rest:
        return f"{_DYNAMIC}/{rest.partition('.')[0]}"
    return first.removesuffix(".py")


def _digest(folder: str, paths: list[str], found: Mapping[str, bytes]) -> str:
    hasher = hashlib.sha256()
    for path in sorted(paths):
        if path in found:
            # The name of a compiled module tells the platform, which the contents tell as well.
            name = path[len(folder) + 1 :].partition(".")[0]
            hasher.update(name.encode("utf-8", "surrogateescape") + b"\0" + found[path])
    return hasher.hexdigest()[:_DIGITS]
