"""Python interpreters in a file tree, described as they would describe themselves, without running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.catalog import buildvars, commands, identify, passwd, pyvenv, site
from envsync.catalog.binary import parse_name
from envsync.catalog.bounds import INTERPRETERS, NAMES, Notes
from envsync.catalog.commands import follow_shim, is_executable, on_path, path_folders
from envsync.catalog.identify import Identifier, Identity
from envsync.catalog.passwd import home_folder
from envsync.catalog.site import sys_path
from envsync.catalog.tags import platform_tag
from envsync.errors import NoPythonError
from envsync.files import FileTree, SearchableTree
from envsync.model import Interpreter, Libc, Skipped, Venv

PATTERNS: tuple[str, ...] = (
    *identify.PATTERNS,
    *buildvars.PATTERNS,
    *pyvenv.PATTERNS,
    *site.PATTERNS,
    *passwd.PATTERNS,
    *commands.PATTERNS,
)
"""Files whose bytes the functions here ask for (regular expressions on whole absolute paths)."""

_EXECUTABLE = r"python(?:[23](?:\.\d{1,2}[a-z]{0,3})?)?(?:-dbg)?|pypy(?:[23](?:\.\d{1,2})?)?|graalpy"
_NAMES = ("python", "python3", "python2")
_LOOKED_FOR = "looked for python, python3, python2 and pythonX.Y in every folder"
_UNKNOWN_START = "a script that PATH finds first: what it starts cannot be known without running it"
_CHOOSE = "Name the interpreter with --interpreter PATH."
_NONE = "Only images with CPython in them have an environment that can be locked."
_SHOWN = 20


class Found(Struct, frozen=True, kw_only=True):
    """The interpreters of an image; the first is the environment."""

    interpreters: tuple[Interpreter, ...]
    skipped: tuple[Skipped, ...] = ()


def find_interpreters(
    tree: SearchableTree,
    *,
    env: Mapping[str, str],
    user: str,
    libc: Libc | None,
    machine: str,
    chosen: PurePosixPath | None = None,
    workdir: PurePosixPath | None = None,
) -> Found:
    """All interpreters of an image, without distributions.

    The environment is what ``python`` starts on the image's PATH, else ``python3``, else ``python2``, else
    the newest ``pythonX.Y``, else the only interpreter there is. Of several names of one interpreter,
    ``executable`` is the first of these that PATH finds, else the shortest (then the first by alphabet).

    Args:
        tree: the image's files.
        env: variables of the image's config.
        user: of the image's config.
        libc: the image's C library.
        machine: its CPU, as ``uname -m`` spells it.
        chosen: the interpreter that is the environment, instead of what PATH says.
        workdir: the folder that the image's processes start in.

    Raises:
        NoPythonError: there is none, ``chosen`` is none, or PATH decides for none of several.
    """
    home = home_folder(tree, env=env, user=user)
    survey = _Survey(tree, env, workdir)
    survey.add_all(tree.search(_EXECUTABLE))
    called = survey.commands()
    picked = survey.choose(chosen) if chosen is not None else None
    first = (picked or survey.environment(called)).key
    interpreters: list[Interpreter] = []
    groups = survey.groups()
    if len(groups) > INTERPRETERS:
        survey.left_out(f"{len(groups)} interpreters, more than any honest image has: {INTERPRETERS} are described")
        groups = {first: groups[first], **dict(islice(groups.items(), INTERPRETERS - 1))}
    skipped = list(survey.skipped)
    for key, names in groups.items():
        identity = picked if picked is not None and key == first else _best_name(names, called)
        interpreter, doubts = _interpreter(
            tree,
            identity,
            env=env,
            home=home,
            libc=libc,
            machine=machine,
            workdir=workdir,
            aliases=tuple(sorted(name.path for name in names if name.path != identity.path)),
        )
        interpreters.insert(0 if key == first else len(interpreters), interpreter)
        skipped.extend(doubts)
    interpreters[1:] = sorted(interpreters[1:], key=lambda item: str(item.executable))
    return Found(interpreters=tuple(interpreters), skipped=tuple(dict.fromkeys(skipped)))


def _best_name(names: Sequence[Identity], called: Mapping[str, Identity]) -> Identity:
    for command in called.values():
        if command.key == names[0].key:
            return command
    return min(names, key=lambda name: (len(str(name.path)), str(name.path)))


class _Survey:
    """All names of interpreters that a tree holds, and what each command on PATH means."""

    def __init__(self, tree: FileTree, env: Mapping[str, str], workdir: PurePosixPath | None) -> None:
        self._notes = Notes("interpreters", "/")
        self._tree = tree
        self._env = env
        self._workdir = workdir
        self._identifier = Identifier(tree, env)
        self._identities: dict[PurePosixPath, Identity | None] = {}
        self._reported: set[tuple[PurePosixPath, str]] = set()

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What is no CPython though it looks like one."""
        return self._notes.all()

    def left_out(self, reason: str) -> None:
        """Say that not all were looked at."""
        self._notes.left_out(reason)

    def add_all(self, paths: Sequence[PurePosixPath]) -> None:
        """Identify paths; where there are too many, those on PATH go first."""
        if len(paths) > NAMES:
            folders = set(path_folders(self._env))
            paths = sorted(paths, key=lambda path: str(path.parent) not in folders)
            self.left_out(f"{len(paths) - NAMES} more names of interpreters than any honest image has: not looked at")
        for path in paths[:NAMES]:
            self.add(path)

    def add(self, path: PurePosixPath) -> Identity | None:
        """Identify a path; what only looks like a CPython is noted, once for all its names."""
        if path not in self._identities:
            found = None if self._is_package_cache(path) else self._identifier.identify(path)
            if isinstance(found, Skipped):
                self._report(path, found)
                found = None
            self._identities[path] = found
        return self._identities[path]

    def _is_package_cache(self, path: PurePosixPath) -> bool:
        """Whether it is a conda package as unpacked in ``pkgs``: a source of installations, not one."""
        return self._tree.stat(path.parent.parent / "info/index.json") is not None

    def _report(self, path: PurePosixPath, found: Skipped) -> None:
        real = self._tree.stat(path)
        if real is None and path.parent.name not in ("bin", "sbin"):
            return
        place = (real.path if real else path, found.reason)
        if place not in self._reported:
            self._reported.add(place)
            self._notes.add(found)

    def commands(self) -> dict[str, Identity]:
        """What ``python``, ``python3``, ``python2`` and each ``pythonX.Y``, newest first, mean on PATH."""
        versioned = {path.name: parse_name(path.name) for path, found in self._identities.items() if found}
        series = {name: parsed.series for name, parsed in versioned.items() if parsed is not None}
        newest = sorted(series, key=lambda name: (series[name], -len(name)), reverse=True)
        found = {name: self._command(name) for name in (*_NAMES, *newest)}
        return {name: identity for name, identity in found.items() if identity is not None}

    def _command(self, name: str) -> Identity | None:
        for hit in on_path(self._tree, name, self._env):
            identity = self.add(follow_shim(self._tree, hit, self._env, self._workdir) or hit)
            if identity is not None:
                return identity
            self._report(hit, Skipped(subject=name, place=str(hit), reason=_UNKNOWN_START))
        return None

    def groups(self) -> dict[tuple[str, ...], list[Identity]]:
        """The names of each interpreter, sorted."""
        groups: dict[tuple[str, ...], list[Identity]] = {}
        for path in sorted(self._identities):
            identity = self._identities[path]
            if identity is not None:
                groups.setdefault(identity.key, []).append(identity)
        return groups

    def choose(self, chosen: PurePosixPath) -> Identity:
        """The interpreter that the user named."""
        found = self._identifier.identify(follow_shim(self._tree, chosen, self._env, self._workdir) or chosen)
        if isinstance(found, Identity):
            self._identities[found.path] = found
            return found
        reason = found.reason if found else _not_a_program(self._tree, chosen)
        raise NoPythonError(f"{chosen}: {reason} (expected {self._choices()})", hint=_CHOOSE)

    def environment(self, called: Mapping[str, Identity]) -> Identity:
        """The interpreter that PATH decides for, or the only one."""
        groups = self.groups()
        if not groups:
            others = "".join(f"; {item.place}: {item.reason}" for item in self.skipped[:_SHOWN])
            raise NoPythonError(f"image: no Python interpreter found ({_LOOKED_FOR}{others})", hint=_NONE)
        if called:
            return next(iter(called.values()))
        if len(groups) > 1:
            raise NoPythonError(
                f"image: no Python interpreter is on PATH (expected {self._choices()})",
                hint=_CHOOSE,
            )
        return next(iter(groups.values()))[0]

    def _choices(self) -> str:
        names = [str(_best_name(group, {}).path) for group in self.groups().values()]
        if not names:
            return f"a Python interpreter, but the image has none: {_LOOKED_FOR}"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ("one of " if len(names) > 1 else "") + ", ".join(names[:_SHOWN]) + more


def describe_interpreter(
    tree: FileTree,
    executable: PurePosixPath,
    *,
    env: Mapping[str, str],
    home: PurePosixPath | None,
    libc: Libc | None,
    machine: str,
    workdir: PurePosixPath | None = None,
) -> tuple[Interpreter, tuple[Skipped, ...]]:
    """One interpreter, without distributions; its base may lie anywhere in the tree.

    Args:
        tree: the files.
        executable: absolute; the name to call it by, links not followed.
        env: the environment that it runs in.
        home: where ``~`` leads; ``None`` leaves the user site out.
        libc: the C library.
        machine: the CPU, as ``uname -m`` spells it.
        workdir: the folder that it starts in.

    Raises:
        NoPythonError: says why it cannot be described.
    """
    identity = Identifier(tree, env).identify(executable)
    if not isinstance(identity, Identity):
        reason = identity.reason if identity else _not_a_program(tree, executable)
        raise NoPythonError(f"{executable}: {reason} (expected a CPython executable)")
    return _interpreter(tree, identity, env=env, home=home, libc=libc, machine=machine, workdir=workdir, aliases=())


def _not_a_program(tree: FileTree, path: PurePosixPath) -> str:
    if tree.stat(path) is None:
        return "no such file"
    return "a script, not an interpreter" if is_executable(tree, path) else "not an executable file"


def _interpreter(
    tree: FileTree,
    identity: Identity,
    *,
    env: Mapping[str, str],
    home: PurePosixPath | None,
    libc: Libc | None,
    machine: str,
    workdir: PurePosixPath | None,
    aliases: tuple[PurePosixPath, ...],
) -> tuple[Interpreter, tuple[Skipped, ...]]:
    layout = identity.layout
    path, skipped = sys_path(tree, layout, env=env, home=home, workdir=workdir)
    venv = None
    if layout.pyvenv is not None:
        venv = Venv(home=layout.home, system_site_packages=layout.pyvenv.system_site_packages)
    interpreter = Interpreter(
        version=identity.version,
        executable=identity.path,
        aliases=aliases,
        abi=identity.abi,
        platform_tag=platform_tag(machine, libc),
        prefix=layout.prefix,
        base_prefix=layout.base_prefix,
        venv=venv,
        externally_managed=venv is None and tree.stat(layout.stdlib / "EXTERNALLY-MANAGED") is not None,
        sys_path=path,
    )
    return interpreter, (*identity.doubts, *skipped)
