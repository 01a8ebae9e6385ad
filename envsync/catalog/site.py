"""``sys.path`` as an interpreter has it when it starts, worked out from files alone.

Follows ``Lib/site.py`` of CPython 2.7 to 3.14, https://docs.python.org/3/library/site.html, and Debian's and
Fedora's changes to it, which are recognised by the text of the interpreter's own ``site.py``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.catalog.binary import Series
from envsync.catalog.bounds import Notes, is_path
from envsync.catalog.getpath import Layout
from envsync.catalog.pth import CodeLine, parse_pth
from envsync.files import FileReadError, FileTree
from envsync.model import Skipped

PATTERNS: tuple[str, ...] = (
    r".*/(?:site|dist)-(?:packages|python)/[^/]*\.pth",
    r".*/python[23]\.\d{1,2}t?/site\.py",
    r".*/(?:site|user)customize\.py",
)
"""Files whose bytes :func:`sys_path` asks for."""

_LIMIT = 1024 * 1024
_ENTRIES = 1_000
"""Of ``sys.path``. Python itself asks the file system for each of them at every import."""
_CONFIGURED_LIMIT = 256 * 1024
"""Bytes of one path configuration file; ``easy-install.pth`` has 50 KB with 500 eggs."""
_CONFIGURED_TOTAL = 1024 * 1024
_CONFIGURED_LINES = 10_000


class SiteRules(Struct, frozen=True, kw_only=True):
    """How one interpreter's ``site.py`` differs from others."""

    debian: bool = False
    debian_variable: bool = False
    """VIRTUAL_ENV in the environment makes Debian's interpreter look in site-packages."""
    debian_user: bool = False
    """Dist-packages under the user base, of Debian's 2.7."""
    fedora_local: bool = False
    """/usr/local is a prefix too."""
    older_folders: tuple[str, ...] = ()
    """``site-python`` or ``dist-python``."""
    utf8: bool = False
    """Path configuration files are UTF-8, with or without a byte order mark."""
    hidden: bool = False
    """Path configuration files whose name begins with a dot are passed over."""
    forgets: bool = False
    """2.7 forgets that it added a site folder, so that a path configuration file can add it again."""


def parse_site(text: str, series: Series) -> SiteRules:
    """Recognise the rules in a ``site.py``; an empty text stands for CPython's own. Never raises."""
    debian = '"dist-packages"' in text
    older = tuple(name for name in ("site-python", "dist-python") if f'"{name}"' in text)
    return SiteRules(
        debian=debian,
        debian_variable=debian and "'VIRTUAL_ENV' in os.environ" in text,
        debian_user=debian and 'for dist_libdir in ("local/lib", "lib")' in text,
        fedora_local='PREFIXES.insert(0, "/usr/local")' in text,
        older_folders=older,
        utf8='"utf-8-sig"' in text if text else series >= (3, 13),
        hidden='name.startswith(".")' in text if text else series >= (3, 13),
        forgets=series < (3, 0),
    )


def sys_path(
    tree: FileTree,
    layout: Layout,
    *,
    env: Mapping[str, str],
    home: PurePosixPath | None,
    workdir: PurePosixPath | None = None,
) -> tuple[tuple[PurePosixPath, ...], tuple[Skipped, ...]]:
    """``sys.path`` of ``python -c``, without its first entry (the script's own folder).

    Entries that only start an import hook (``__editable__.*.__path_hook__``) are no folders and are left out.

    Args:
        tree: the files.
        layout: the interpreter.
        env: the environment that it runs in.
        home: where ``~`` leads; ``None`` where that is unknown, which leaves the user site out.
        workdir: the folder that it starts in, to which relative entries of PYTHONPATH belong.

    Returns:
        The entries, and what could not be followed without running it.
    """
    rules = parse_site(_text(tree, layout.stdlib / "site.py"), layout.series)
    path = _SearchPath(tree, rules)
    for entry in _start(layout, env):
        if not is_path(entry):
            path.skip("an entry", "PYTHONPATH", f"no path: {len(entry)} characters, or with a NUL in it")
            continue
        if not posixpath.isabs(entry):
            if workdir is None:
                path.skip(entry or ".", "PYTHONPATH", "relative to a working folder that is not known")
                continue
            entry = posixpath.join(workdir, entry)  # noqa: PLW2901 - the same entry, made absolute
        path.append(entry)
    in_venv = layout.pyvenv is not None
    closed = layout.pyvenv is not None and not layout.pyvenv.system_site_packages
    if in_venv:
        path.add_site_folders(_site_folders(layout, rules, env, layout.prefix))
    user_site = not closed and not env.get("PYTHONNOUSERSITE")
    if user_site:
        path.add_site_folders(_user_folders(layout, rules, env, home))
    if not closed:
        if rules.fedora_local and user_site and "RPM_BUILD_ROOT" not in env:
            path.add_site_folders(_site_folders(layout, rules, env, PurePosixPath("/usr/local")))
        for prefix in dict.fromkeys((layout.base_prefix, layout.base_exec_prefix)):
            path.add_site_folders(_site_folders(layout, rules, env, prefix))
    path.note_customizations(("sitecustomize", "usercustomize") if user_site else ("sitecustomize",))
    return tuple(PurePosixPath(entry) for entry in path.entries), path.skipped


def _start(layout: Layout, env: Mapping[str, str]) -> Iterator[str]:
    """The entries before ``site.py`` runs."""
    if env.get("PYTHONPATH"):
        yield from env["PYTHONPATH"].split(":")
    yield str(layout.zip_file)
    yield str(layout.stdlib)
    for name in layout.extra:
        yield str(layout.stdlib / name)
    yield str(layout.dynload)


def _site_folders(
    layout: Layout, rules: SiteRules, env: Mapping[str, str], prefix: PurePosixPath
) -> Iterator[PurePosixPath]:
    """What ``site.getsitepackages`` gives for one prefix."""
    libdirs = dict.fromkeys((layout.libdir, "lib"))
    if not rules.debian:
        for libdir in libdirs:
            yield prefix / libdir / layout.tail / "site-packages"
    elif layout.series < (3, 0):
        if layout.pyvenv is not None and prefix == layout.prefix:
            yield prefix / "lib" / layout.tail / "site-packages"
        yield prefix / "local/lib" / layout.tail / "dist-packages"
        yield prefix / "lib" / layout.tail / "dist-packages"
    else:
        if layout.pyvenv is not None or (rules.debian_variable and "VIRTUAL_ENV" in env):
            yield prefix / "lib" / layout.tail / "site-packages"
        yield prefix / "local/lib" / layout.tail / "dist-packages"
        yield prefix / "lib/python3/dist-packages"
        for libdir in libdirs:
            yield prefix / libdir / layout.tail / "dist-packages"
    for name in rules.older_folders:
        yield prefix / "lib" / name


def _user_folders(
    layout: Layout, rules: SiteRules, env: Mapping[str, str], home: PurePosixPath | None
) -> Iterator[PurePosixPath]:
    if env.get("PYTHONUSERBASE"):
        base = PurePosixPath(env["PYTHONUSERBASE"])
    elif home is not None:
        base = home / ".local"
    else:
        return
    if not base.is_absolute():
        return
    yield base / "lib" / layout.tail / "site-packages"
    if rules.debian_user:
        yield base / "local/lib" / layout.tail / "dist-packages"
        yield base / "lib" / layout.tail / "dist-packages"


class _SearchPath:
    """``sys.path`` while it grows, with what ``site.py`` remembers of it."""

    def __init__(self, tree: FileTree, rules: SiteRules) -> None:
        self.entries: list[str] = []
        self._notes = Notes("sys.path", "sys.path")
        self._tree = tree
        self._rules = rules
        self._known: set[str] = set()
        self._mark = 0
        self._inserted = 0
        self._full = self._left_out = False
        self._bytes_left = _CONFIGURED_TOTAL
        self._lines_left = _CONFIGURED_LINES

    def append(self, entry: str) -> None:
        """Add an entry unless it is there, whether it exists or not."""
        entry = posixpath.normpath(entry)
        if entry not in self._known and self._has_room():
            self.entries.append(entry)
            self._known.add(entry)

    def _has_room(self) -> bool:
        if len(self.entries) < _ENTRIES:
            return True
        if not self._full:
            self._full = True
            self.skip("sys.path", "sys.path", f"more than {_ENTRIES} entries: the others are left out")
        return False

    def skip(self, subject: str, place: str, reason: str) -> None:
        """Note something that could not be followed."""
        self._notes.add(Skipped(subject=subject, place=place, reason=reason))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be followed."""
        return self._notes.all()

    def add_site_folders(self, folders: Iterator[PurePosixPath]) -> None:
        """Add those that exist, each followed by what its path configuration files name."""
        for folder in folders:
            found = self._tree.stat(folder)
            if found is None or found.kind != "directory":
                continue
            entry = posixpath.normpath(folder)
            if entry not in self._known and self._has_room():
                self.entries.append(entry)
                if not self._rules.forgets:
                    self._known.add(entry)
            for name in self._tree.list(folder):
                if name.endswith(".pth") and not (self._rules.hidden and name.startswith(".")):
                    self._add_configured(entry, PurePosixPath(entry, name))

    def _add_configured(self, folder: str, file: PurePosixPath) -> None:
        found = self._tree.stat(file)
        if found is None or found.kind != "file":
            return
        try:
            data = self._tree.read(file, limit=_CONFIGURED_LIMIT)
        except FileReadError as error:
            self.skip(file.name, str(file), str(error))
            return
        self._bytes_left -= len(data)
        lines = parse_pth(data, utf8=self._rules.utf8) if self._bytes_left >= 0 else ()
        if lines is None:
            self.skip(file.name, str(file), "not UTF-8: what Python makes of it depends on the locale")
            return
        self._lines_left -= len(lines)
        if self._bytes_left < 0 or self._lines_left < 0:
            self._leave_out(file)
            return
        for line in lines:
            if isinstance(line, CodeLine):
                self._follow(line, file)
                continue
            entry = posixpath.normpath(posixpath.join(folder, line.path))
            if entry not in self._known and self._exists(entry) and self._has_room():
                self.entries.append(entry)
                self._known.add(entry)

    def _leave_out(self, file: PurePosixPath) -> None:
        if not self._left_out:
            self._left_out = True
            reason = "path configuration files with more lines than any honest ones: this and the rest are not read"
            self.skip(file.name, str(file), reason)

    def _exists(self, entry: str) -> bool:
        return is_path(entry) and self._tree.stat(PurePosixPath(entry)) is not None

    def _follow(self, line: CodeLine, file: PurePosixPath) -> None:
        match line.effect:
            case "mark":
                self._mark = len(self.entries)
            case "insert":
                new = self.entries[self._mark :]
                del self.entries[self._mark :]
                self.entries[self._inserted : self._inserted] = new
                self._inserted += len(new)
            case "unknown":
                shown = line.code if len(line.code) <= 80 else line.code[:77] + "..."
                self.skip(file.name, str(file), f"runs code at start-up, which was not executed: {shown}")
            case "none":
                pass

    def note_customizations(self, modules: tuple[str, ...]) -> None:
        """Note a module that Python imports at start-up and whose text names ``sys.path``."""
        for module in modules:
            for entry in self.entries:
                file = PurePosixPath(entry, f"{module}.py")
                found = self._tree.stat(file)
                if found is None or found.kind != "file":
                    continue
                text = _text(self._tree, file)
                if "sys.path" in text or "addsitedir" in text:
                    self.skip(module, str(file), "changes sys.path at start-up; it was not executed")
                break


def _text(tree: FileTree, path: PurePosixPath) -> str:
    try:
        return tree.read(path, limit=_LIMIT).decode("utf-8", "replace")
    except FileReadError:
        return ""
