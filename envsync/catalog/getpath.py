"""Where an interpreter finds its standard library and what its prefixes are.

Follows Modules/getpath.py of CPython 3.11 and later and Modules/getpath.c before:
https://docs.python.org/3/library/sys_path_init.html.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.catalog.binary import Series
from envsync.catalog.bounds import is_path
from envsync.catalog.pyvenv import PyvenvConfig, read_pyvenv
from envsync.files import FileTree

_LINKS = 40
LIBDIRS = ("lib", "lib64")
_ROOT = PurePosixPath("/")


class Layout(Struct, frozen=True, kw_only=True):
    """The folders of one interpreter, spelt as ``sys`` has them."""

    executable: PurePosixPath
    """The name that it is called by."""
    series: Series
    threads: str = ""
    """``t`` for a free-threaded build."""
    prefix: PurePosixPath
    base_prefix: PurePosixPath
    base_exec_prefix: PurePosixPath
    libdir: str
    """``sys.platlibdir``: ``lib``, or ``lib64``."""
    pyvenv: PyvenvConfig | None = None
    home: PurePosixPath
    """The folder of the base interpreter."""
    extra: tuple[str, ...] = ()
    """Folders in the standard library that are on ``sys.path`` too."""
    dynload_found: bool = True

    @property
    def tail(self) -> str:
        """``python3.11``, ``python3.13t``."""
        return f"python{self.series[0]}.{self.series[1]}{self.threads}"

    @property
    def stdlib(self) -> PurePosixPath:
        """The folder of ``os.py``."""
        return self.base_prefix / self.libdir / self.tail

    @property
    def zip_file(self) -> PurePosixPath:
        """The archive that is on ``sys.path`` whether it exists or not."""
        return self.base_prefix / self.libdir / f"python{self.series[0]}{self.series[1]}{self.threads}.zip"

    @property
    def dynload(self) -> PurePosixPath:
        """The folder of the extension modules of the standard library."""
        if not self.dynload_found and self.series < (3, 11):
            return self.base_exec_prefix / self.libdir / "lib-dynload"
        return self.base_exec_prefix / self.libdir / self.tail / "lib-dynload"


def resolve_links(tree: FileTree, path: PurePosixPath, series: Series) -> PurePosixPath:
    """Follow the links that ``path`` itself is, not those of its folders, as getpath does."""
    for _ in range(_LINKS):
        target = tree.readlink(path)
        if target is None:
            break
        path = path.parent / target
        if series >= (3, 11):
            path = PurePosixPath(posixpath.normpath(path))
    return path


def locate(
    tree: FileTree,
    executable: PurePosixPath,
    series: Series,
    *,
    threads: str = "",
    env: Mapping[str, str],
    compiled: Sequence[str] = (),
) -> Layout | None:
    """The folders of the interpreter called as ``executable``; ``None`` where it has no standard library.

    Args:
        tree: the files.
        executable: absolute, with all its links.
        series: its major and minor version.
        threads: ``t`` for a free-threaded build.
        env: the environment that it runs in.
        compiled: folders that may be the prefix it was compiled for, used where the search fails.
    """
    pyvenv = _site_pyvenv(tree, executable)
    home = _base_folder(tree, executable, series, pyvenv)
    configured = env.get("PYTHONPLATLIBDIR") if series >= (3, 9) else None
    for libdir in (configured,) if configured else LIBDIRS:
        names = _Names(series=series, threads=threads, libdir=libdir)
        if env.get("PYTHONHOME"):
            found = _given(tree, names, env["PYTHONHOME"])
        else:
            found = _search(tree, names, home, [PurePosixPath(folder) for folder in compiled])
        if found is not None:
            prefix, exec_prefix = found
            return Layout(
                executable=executable,
                series=series,
                threads=threads,
                prefix=_venv_prefix(tree, executable, series) if pyvenv else prefix,
                base_prefix=prefix,
                base_exec_prefix=exec_prefix or prefix,
                libdir=libdir,
                pyvenv=pyvenv,
                home=home,
                dynload_found=exec_prefix is not None,
            )
    return None


class _Names(Struct, frozen=True, kw_only=True):
    """What to look for, relative to a prefix."""

    series: Series
    threads: str
    libdir: str

    @property
    def stdlib(self) -> str:
        return f"{self.libdir}/python{self.series[0]}.{self.series[1]}{self.threads}"

    @property
    def archive(self) -> str:
        return f"{self.libdir}/python{self.series[0]}{self.series[1]}{self.threads}.zip"


_Prefixes = tuple[PurePosixPath, PurePosixPath | None]
"""The prefix and, where there are extension modules, the exec prefix."""


def _given(tree: FileTree, names: _Names, home: str) -> _Prefixes | None:
    """What PYTHONHOME says; without a standard library there Python does not start."""
    first, colon, second = home.partition(":")
    prefix = PurePosixPath(first)
    if not _has_landmark(tree, prefix / names.stdlib):
        return None
    return prefix, PurePosixPath(second) if colon else prefix


def _search(tree: FileTree, names: _Names, home: PurePosixPath, compiled: Sequence[PurePosixPath]) -> _Prefixes | None:
    folders = tuple(_upwards(home))
    found: PurePosixPath | None = None
    if names.series >= (3, 11):
        found = next((folder for folder in folders if _is(tree, folder / names.archive, "file")), None)
    if found is None:
        found = next((f for f in (*folders, *compiled) if _has_landmark(tree, f / names.stdlib)), None)
    if found is None:
        return None
    dynload = f"{names.stdlib}/lib-dynload"
    candidates = (*folders, *(folder for folder in compiled if folder == found))
    return found, next((folder for folder in candidates if _is(tree, folder / dynload, "directory")), None)


def _upwards(folder: PurePosixPath) -> Iterator[PurePosixPath]:
    """The folder and those above it; getpath never looks in the root itself."""
    if not is_path(str(folder)):
        return
    while folder not in (_ROOT, PurePosixPath("."), PurePosixPath("//")):
        yield folder
        folder = folder.parent


def _has_landmark(tree: FileTree, stdlib: PurePosixPath) -> bool:
    return _is(tree, stdlib / "os.py", "file") or _is(tree, stdlib / "os.pyc", "file")


def _is(tree: FileTree, path: PurePosixPath, kind: str) -> bool:
    found = tree.stat(path)
    return found is not None and found.kind == kind


def _site_pyvenv(tree: FileTree, executable: PurePosixPath) -> PyvenvConfig | None:
    """The configuration that ``site.py`` uses: beside the unresolved executable, or one folder up."""
    return read_pyvenv(tree, executable.parent) or read_pyvenv(tree, executable.parent.parent)


def _venv_prefix(tree: FileTree, executable: PurePosixPath, series: Series) -> PurePosixPath:
    """One folder above that of the executable; from 3.14 on the folder of ``pyvenv.cfg``."""
    above = PurePosixPath(posixpath.normpath(executable.parent.parent))
    if series >= (3, 14) and read_pyvenv(tree, above) is None:
        return PurePosixPath(posixpath.normpath(executable.parent))
    return above


def _base_folder(
    tree: FileTree, executable: PurePosixPath, series: Series, pyvenv: PyvenvConfig | None
) -> PurePosixPath:
    """The folder from which the search for the standard library goes upwards."""
    resolved = resolve_links(tree, executable, series).parent
    if series >= (3, 11):
        config = read_pyvenv(tree, executable.parent.parent) or read_pyvenv(tree, executable.parent)
    elif series >= (3, 3):
        config = read_pyvenv(tree, resolved) or read_pyvenv(tree, resolved.parent)
    else:
        # virtualenv brings its own site.py for Python 2, which turns to the base interpreter by itself
        config = pyvenv
    if config is not None and config.home is not None and config.home.startswith("/"):
        return PurePosixPath(config.home)
    return resolved
