"""The commands that installed distributions run, as an image's PATH, or a user's, finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from envsync.catalog.bounds import is_path
from envsync.catalog.commands import is_executable, on_path
from envsync.catalog.known_needs import choices, needs_of
from envsync.files import FileTree
from envsync.model import Distribution, NeededCommand

_JAVA = "java"
_MACOS = PurePosixPath("/System/Library/CoreServices")
_MACOS_JAVA = PurePosixPath("/Library/Java/JavaVirtualMachines")
_MACOS_TOOLS = ("/Library/Developer/CommandLineTools/usr/bin", "/Applications/Xcode.app/Contents/Developer/usr/bin")
_SHIMS = frozenset({"c++", "cc", "clang", "clang++", "g++", "gcc", "git", "make"})
"""Of https://keith.github.io/xcode-man-pages/xcode-select.1.html those that distributions run."""


def find_commands(
    tree: FileTree, distributions: Sequence[Distribution], env: Mapping[str, str]
) -> tuple[NeededCommand, ...]:
    """The commands that they are known to run, by name; to which OS package one belongs is not looked up.

    Where one of several does, it is the first that is there, or the first of all. A command that only some functions
    run is left out where it is not there.

    Args:
        tree: an image, or this machine.
        distributions: of one environment.
        env: the variables that say where commands are: PATH, JAVA_HOME.
    """
    found: dict[str, PurePosixPath | None] = {}
    needed_by: dict[str, set[str]] = {}
    for distribution, need in needs_of(tree, distributions):
        wanted = ((need.commands, True), (need.optional_commands, False))
        for names, must in ((names, must) for of, must in wanted for names in choices(of)):
            for name in names:
                if name not in found:
                    found[name] = find_command(tree, name, env)
            there = next((name for name in names if found[name] is not None), None)
            if there is not None or must:
                needed_by.setdefault(there or names[0], set()).add(distribution.name)
    return tuple(
        NeededCommand(name=name, path=found[name], needed_by=tuple(sorted(names)))
        for name, names in sorted(needed_by.items())
    )


def find_command(tree: FileTree, name: str, env: Mapping[str, str]) -> PurePosixPath | None:
    """The real path of what a name means, behind all links (``/etc/alternatives``); ``None``: nothing."""
    for path in (*(_of_java_home(env) if name == _JAVA else ()), *on_path(tree, name, env)):
        found = tree.stat(path)
        if found is not None and is_executable(tree, path) and not _only_offers_it(tree, found.path):
            return found.path
    return None


def _only_offers_it(tree: FileTree, path: PurePosixPath) -> bool:
    """Whether it is one of the programs of a bare macOS that only ask whether the real one shall be installed."""
    if path.parent != PurePosixPath("/usr/bin") or path.name not in {_JAVA, *_SHIMS} or tree.stat(_MACOS) is None:
        return False
    if path.name == _JAVA:
        return not tree.list(_MACOS_JAVA)
    return not any(is_executable(tree, PurePosixPath(folder, path.name)) for folder in _MACOS_TOOLS)


def _of_java_home(env: Mapping[str, str]) -> Iterator[PurePosixPath]:
    """What starts Java for whoever follows JAVA_HOME, as Spark's own scripts do before they look at PATH."""
    home = env.get("JAVA_HOME", "")
    if home.startswith("/") and is_path(home):
        yield PurePosixPath(home, "bin", _JAVA)
