"""What an environment needs of the operating system: libraries, commands, data; and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec.structs import replace

from envsync.catalog import native
from envsync.catalog.commands import on_path
from envsync.catalog.needed_commands import ask_for_commands, find_commands
from envsync.catalog.owners import find_owners
from envsync.catalog.resources import FindLibrary, ask_for_resources, find_resources
from envsync.files import FileTree, HostTree, ImageTree
from envsync.loader import Libraries
from envsync.model import Interpreter, NeededCommand, NeededLibrary, Needs, OperatingSystem, Resource, Skipped


def find_needs(
    tree: ImageTree, python: Interpreter, system: OperatingSystem, env: Mapping[str, str], machine: str
) -> tuple[Needs, tuple[Skipped, ...]]:
    """What the environment of an image needs, and what could not be looked at.

    Args:
        tree: the image's files.
        python: the environment.
        system: around it.
        env: of the image's config.
        machine: as ``uname -m`` spells it.
    """
    installed = [distribution for distribution in python.distributions if distribution.shadowed_by is None]
    objects, libraries, skipped = native.find_needs(tree, python, env, machine)
    find = _finder(native.libraries_of(tree, env, machine), machine)
    commands = find_commands(tree, installed, env)
    resources = find_resources(tree, installed, env, python=python.version, libc=system.libc, find_library=find)
    needs = Needs(objects=objects, libraries=libraries, commands=commands, resources=resources)
    return _with_packages(tree, env, needs), skipped


def ask_machine(
    needs: Needs, python: Interpreter, system: OperatingSystem, env: Mapping[str, str], machine: str
) -> Needs:
    """The same asked of this machine, for an environment on it.

    Args:
        needs: of an image.
        python: of the local environment.
        system: this one.
        env: the variables of this process.
        machine: as ``uname -m`` spells it.
    """
    tree = HostTree()
    program = python.executable or PurePosixPath("/usr/bin/python3")
    libraries = native.ask_host(needs, program, tree, env, machine, sys_path=python.sys_path)
    find = _finder(native.libraries_of(tree, env, machine), machine)
    commands = ask_for_commands(tree, needs.commands, env)
    resources = ask_for_resources(
        tree, needs.resources, env, python=python.version, libc=system.libc, find_library=find
    )
    found = Needs(objects=0, libraries=libraries or (), commands=commands, resources=resources)
    return _with_packages(tree, env, found)


def _finder(libraries: Libraries, machine: str) -> FindLibrary:
    def find(soname: str) -> PurePosixPath | None:
        found = libraries.find(soname, native.nobody(machine))
        return found.real if found is not None else None

    return find


def _with_packages(tree: FileTree, env: Mapping[str, str], needs: Needs) -> Needs:
    """Whose each is; of a command the package that has its name, where that is a link to another one's program."""
    links = {command.name: next(on_path(tree, command.name, env), None) for command in needs.commands}
    found: tuple[NeededLibrary | NeededCommand | Resource, ...] = (*needs.libraries, *needs.commands, *needs.resources)
    owned = find_owners(tree, {path for path in (*(one.path for one in found), *links.values()) if path is not None})

    def package_of(*places: PurePosixPath | None) -> str | None:
        return next((owned[path] for path in places if path is not None and path in owned), None)

    return replace(
        needs,
        libraries=tuple(replace(one, package=package_of(one.path)) for one in needs.libraries),
        commands=tuple(
            replace(one, package=package_of(links[one.name], one.path)) if one.path else one for one in needs.commands
        ),
        resources=tuple(replace(one, package=package_of(one.path)) for one in needs.resources),
    )
