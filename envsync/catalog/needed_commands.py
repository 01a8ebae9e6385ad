"""The commands that installed distributions run, as an image's PATH, or a user's, finds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec.structs import replace

from envsync.catalog.bounds import is_path
from envsync.catalog.commands import is_executable, on_path
from envsync.catalog.known_needs import does_as_well, needs_of, resolve
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

    Of several that do it is the first that is there. A command that only some functions run is left out where it is not
    there.

    Args:
        tree: an image, or this machine.
        distributions: of one environment.
        env: the variables that say where commands are: PATH, JAVA_HOME.
    """
    wanted = ((one.name, need.commands, need.optional_commands) for one, need in needs_of(tree, distributions))
    return tuple(
        NeededCommand(name=name, path=path, needed_by=needed_by)
        for name, path, needed_by in resolve(wanted, lambda name: find_command(tree, name, env))
    )


def ask_for_commands(
    tree: FileTree, needed: Iterable[NeededCommand], env: Mapping[str, str]
) -> tuple[NeededCommand, ...]:
    """The same commands in another tree, or what does as well: each with the name that it was asked for by."""

    def there(command: NeededCommand) -> PurePosixPath | None:
        paths = (find_command(tree, name, env) for name in does_as_well(command.name, command.needed_by))
        return next((path for path in paths if path is not None), None)

    return tuple(replace(command, path=there(command), package=None) for command in needed)


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
