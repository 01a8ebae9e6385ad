"""What a command name means on an image's PATH, through pyenv's shims too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from envsync.catalog.bounds import PATH_FOLDERS, is_path
from envsync.files import FileReadError, FileTree

PATTERNS: tuple[str, ...] = (r".*/\.?pyenv/version", r".*/\.python-version")
"""Files whose bytes :func:`follow_shim` asks for, besides the shims themselves."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What a container engine sets where the image's config has no PATH."""

_LIMIT = 64 * 1024
# Two patterns: one for both, with any lines between, takes quadratic time.
_SHIM_ROOT = re.compile(r'(?m)^(?:export )?PYENV_ROOT="([^"\n]+)"\n')
_SHIM_START = re.compile(r'(?m)^exec "[^"\n]*/pyenv" exec ')
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]*")


def on_path(tree: FileTree, name: str, env: Mapping[str, str]) -> Iterator[PurePosixPath]:
    """Executable files that ``name`` may mean, in PATH's order; the first is the one that runs.

    Entries that are relative, and so depend on a working folder, are passed over.
    """
    for folder in path_folders(env):
        path = PurePosixPath(folder, name)
        if is_executable(tree, path):
            yield path


def path_folders(env: Mapping[str, str]) -> tuple[str, ...]:
    """The absolute folders of PATH, as written; a bounded number."""
    folders = dict.fromkeys((env.get("PATH") or DEFAULT_PATH).split(":", PATH_FOLDERS)[:PATH_FOLDERS])
    return tuple(folder for folder in folders if folder.startswith("/") and is_path(folder))


def is_executable(tree: FileTree, path: PurePosixPath) -> bool:
    """Whether the path leads to a regular file that somebody may execute."""
    found = tree.stat(path)
    return found is not None and found.kind == "file" and found.mode & 0o111 != 0


def follow_shim(
    tree: FileTree, shim: PurePosixPath, env: Mapping[str, str], workdir: PurePosixPath | None
) -> PurePosixPath | None:
    """What a pyenv shim starts; ``None`` where the file is no shim or its version is not installed.

    The version comes from PYENV_VERSION, a ``.python-version`` in the working folder or above it, or pyenv's
    own ``version`` file, as https://github.com/pyenv/pyenv#understanding-python-version-selection has it.
    """
    text = _text(tree, shim) if shim.parent.name == "shims" else ""
    match = _SHIM_ROOT.search(text)
    if match is None or not match[1].startswith("/") or not _SHIM_START.search(text, match.end()):
        return None
    root = PurePosixPath(match[1])
    for version in _versions(tree, root, env, workdir):
        if version != "system" and _VERSION.fullmatch(version):
            path = root / "versions" / version.removeprefix("python-") / "bin" / shim.name
            if is_executable(tree, path):
                return path
    return None


def _versions(
    tree: FileTree, root: PurePosixPath, env: Mapping[str, str], workdir: PurePosixPath | None
) -> tuple[str, ...]:
    if env.get("PYENV_VERSION"):
        return tuple(env["PYENV_VERSION"].split(":"))
    for folder in (workdir, *workdir.parents) if workdir and is_path(str(workdir)) else ():
        text = _text(tree, folder / ".python-version")
        if text.split():
            return tuple(text.split())
    return tuple(_text(tree, root / "version").split())


def _text(tree: FileTree, path: PurePosixPath) -> str:
    try:
        return tree.read(path, limit=_LIMIT).decode("utf-8", "replace")
    except FileReadError:
        return ""
