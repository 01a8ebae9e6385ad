"""The parts of a snapshot, made of what a container answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePosixPath

from msgspec import Struct, structs

from envsync.catalog import os_packages, os_release
from envsync.catalog.binary import parse_name
from envsync.catalog.buildvars import BuildVariables, abi_tag
from envsync.catalog.conda.find import Conda
from envsync.catalog.distributions import find_distributions
from envsync.catalog.freeze import freeze_line
from envsync.catalog.pyvenv import read_pyvenv
from envsync.catalog.tags import platform_tag
from envsync.errors import NoPythonError, ProbeError
from envsync.model import CondaEnvironment, Interpreter, Libc, OperatingSystem, OsPackage, Skipped, Venv
from envsync.probe.answered import AnsweredTree, Asked, Command, Described, Document, decode
from envsync.probe.conda import find_conda
from envsync.probe.conda_client import disagreements
from envsync.probe.packages import parse_apk_list, parse_dpkg_query, parse_rpm_query
from envsync.redaction import printable, without_credentials

_COMMANDS = ("python", "python3", "python2")
_STARTS_NONE = "a script that PATH finds first: what it starts cannot be known without running it"
_GLIBC = re.compile(r"glibc (\d{1,3}\.\d{1,3})")
_MUSL = re.compile(r"(?m)^Version (\d{1,3}(?:\.\d{1,3}){1,2})")


class _Group(Struct, kw_only=True):
    """All names of one interpreter."""

    described: Described
    names: list[str]


class Answer:
    """What a container told of the Pythons in it.

    Ordering and grouping are those of :func:`envsync.catalog.interpreters.find_interpreters`.
    """

    def __init__(self, document: Document, *, image: str, machine: str) -> None:
        self._document = document
        self._image = image
        self._machine = machine
        self._skipped: list[Skipped] = []
        self._groups = self._grouped(document.interpreters)
        self._first = self._environment()

    # --- the parts of a snapshot ---

    def to_interpreters(self) -> tuple[Interpreter, ...]:
        """All interpreters with their distributions, the environment first, the others by executable.

        Raises:
            UnsafeValueError: a distribution's name or version would inject into a requirements file.
        """
        return self._conda[1]

    def conda_environments(self) -> tuple[CondaEnvironment, ...]:
        """The environment's own first, then by prefix."""
        return self._conda[0]

    @cached_property
    def _conda(self) -> Conda:
        trees = [AnsweredTree(group.described.files) for group in self._groups]
        return find_conda(self._document.conda, self._described[0], trees)

    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be asked or read."""
        return (*self._skipped, *self._described[1], *self._conda[2], *self._packages[1])

    def operating_system(self) -> OperatingSystem:
        """From os-release, and the C library that the environment's interpreter runs on."""
        system = os_release.find(self._tree) or OperatingSystem()
        return structs.replace(system, libc=self._libc)

    def os_packages(self) -> tuple[OsPackage, ...] | None:
        """By name, architecture and version; ``None`` where there is neither dpkg nor apk."""
        return self._packages[0]

    @property
    def freeze(self) -> tuple[str, ...] | None:
        """The lines of ``pip freeze --all`` in the environment, as printed; ``None`` without a pip that works.

        Comments and option lines (``-f …``) are left out, and so are credentials.
        """
        pip = self._first.described.pip
        if pip is None or pip.freeze.problem is not None:
            return None
        lines = (line.strip() for line in pip.freeze.output.splitlines())
        return tuple(
            without_credentials(line)
            for line in lines
            if line and not line.startswith("#") and (not line.startswith("-") or line.startswith("-e "))
        )

    @property
    def freeze_problem(self) -> str | None:
        """Why the environment's pip, where it has one, did not list it."""
        pip = self._first.described.pip
        return printable(pip.freeze.problem) if pip is not None and pip.freeze.problem else None

    @property
    def pip_version(self) -> str | None:
        """What ``pip --version`` says of itself: ``22.0.4``; ``None`` without pip."""
        pip = self._first.described.pip
        match = re.match(r"pip (\S{1,40})", pip.version.output) if pip is not None else None
        return match[1] if match else None

    @property
    def freeze_disagreements(self) -> tuple[str, ...]:
        """Lines in which pip and envsync differ: ``pip only: …``, ``envsync only: …``; empty is good, or no pip.

        Editables do not count: pip asks git for their remote, a lock pins their version.
        """
        if self.freeze is None:
            return ()
        printed = {line for line in self.freeze if not line.startswith("-e ")}
        environment = self.to_interpreters()[0]
        lines = {freeze_line(one) for one in environment.distributions if one.shadowed_by is None}
        known = {line for line in lines if not line.startswith("-e ")}
        return (
            *(printable(f"pip only: {line}") for line in sorted(printed - known)),
            *(printable(f"envsync only: {line}") for line in sorted(known - printed)),
        )

    @property
    def conda_disagreements(self) -> tuple[Skipped, ...]:
        """Where the image's own conda tells the environment otherwise; empty is good, or no conda."""
        first = self.conda_environments()[:1]
        told = ((one, a.client) for one in first for a in self._document.conda if a.prefix == str(one.prefix))
        python = self.to_interpreters()[0]
        return tuple(note for one, client in told if client for note in disagreements(client, one, python))

    # --- which interpreters there are ---

    def _grouped(self, asked: Sequence[Asked]) -> list[_Group]:
        groups: dict[tuple[str, ...], _Group] = {}
        for one in asked:
            described = self._decoded(one)
            if described is None:
                continue
            key = (described.version, _abi(described), described.real_prefix, described.real_base_prefix)
            group = groups.setdefault(key, _Group(described=described, names=[]))
            group.names.extend(name for name in one.names if name not in group.names)
        return list(groups.values())

    def _decoded(self, asked: Asked) -> Described | None:
        """The description of a CPython; anything else is noted."""
        shown = min(asked.names)
        reason = printable(asked.problem) if asked.problem else "no answer"
        if asked.text is not None:
            try:
                described = decode(asked.text, Described, where=printable(shown))
            except ProbeError as error:
                reason = error.message
            else:
                if described.implementation == "cpython":
                    return described
                reason = f"{printable(described.implementation)}: only CPython is supported"
        name = PurePosixPath(shown).name
        self._skipped.append(Skipped(subject=printable(name), place=printable(shown), reason=reason))
        return None

    def _environment(self) -> _Group:
        """What was chosen, else what PATH decides for, else the only one."""
        chosen = self._document.chosen
        if chosen is not None:
            return self._group_of(chosen) or self._raise_failed(chosen)
        for command in self._commands:
            if command.leads_to is not None:
                group = self._group_of(command.leads_to)
                if group is not None:
                    return group
                if not self._is_other(command.leads_to):
                    self._raise_failed(command.leads_to)
        if len(self._groups) == 1:
            return self._groups[0]
        if not self._groups:
            self._raise_failed(self._document.interpreters[0].names[0])
        names = ", ".join(printable(min(group.names, key=_shortest)) for group in self._groups[:20])
        raise NoPythonError(
            f"{self._image}: no Python interpreter is on PATH (expected one of {names})",
            hint="Name the interpreter with --interpreter PATH.",
        )

    def _group_of(self, path: str) -> _Group | None:
        return next((group for group in self._groups if path in group.names), None)

    def _asked(self, path: str) -> Asked | None:
        return next((asked for asked in self._document.interpreters if path in asked.names), None)

    def _is_other(self, path: str) -> bool:
        """Whether it answered, but is no CPython."""
        asked = self._asked(path)
        return asked is not None and any(
            skipped.reason.endswith("only CPython is supported")
            for skipped in self._skipped
            if skipped.place == printable(min(asked.names))
        )

    def _raise_failed(self, path: str) -> _Group:
        asked = self._asked(path)
        place = printable(min(asked.names)) if asked else ""
        reason = next((skipped.reason for skipped in self._skipped if skipped.place == place), "no answer")
        raise ProbeError(
            f"{self._image}: {printable(path)}: {reason}",
            hint="Another one can be chosen with --interpreter PATH; --method read runs nothing.",
        )

    @cached_property
    def _commands(self) -> tuple[Command, ...]:
        """``python``, ``python3``, ``python2``, then each ``pythonX.Y``, newest first."""

        def order(command: Command) -> tuple[int, int, int, int]:
            if command.name in _COMMANDS:
                return (0, _COMMANDS.index(command.name), 0, 0)
            parsed = parse_name(command.name)
            major, minor = parsed.series if parsed else (0, 0)
            return (1, -major, -minor, len(command.name))

        return tuple(sorted(self._document.commands, key=order))

    # --- describing them ---

    @cached_property
    def _described(self) -> tuple[tuple[Interpreter, ...], tuple[Skipped, ...]]:
        skipped = [
            Skipped(subject=printable(command.name), place=printable(command.path), reason=_STARTS_NONE)
            for command in self._commands
            if command.leads_to is None
        ]
        others: list[Interpreter] = []
        first: list[Interpreter] = []
        for group in self._groups:
            interpreter, unread = self._interpreter(group)
            (first if group is self._first else others).append(interpreter)
            skipped.extend(unread)
        others.sort(key=lambda one: str(one.executable))
        return (*first, *others), tuple(dict.fromkeys(skipped))

    def _interpreter(self, group: _Group) -> tuple[Interpreter, tuple[Skipped, ...]]:
        told = group.described
        tree = AnsweredTree(told.files)
        executable = self._executable(group)
        prefix, base_prefix = PurePosixPath(told.prefix), PurePosixPath(told.base_prefix)
        config = read_pyvenv(tree, prefix)
        venv = None
        if config is not None:
            absolute = config.home is not None and config.home.startswith("/")
            home = PurePosixPath(config.home or "") if absolute else base_prefix / "bin"
            venv = Venv(home=home, system_site_packages=config.system_site_packages)
        sys_path = tuple(PurePosixPath(entry) for entry in told.path)
        installed, unread = find_distributions(tree, sys_path, python=told.version)
        interpreter = Interpreter(
            version=told.version,
            executable=PurePosixPath(executable),
            aliases=tuple(sorted(PurePosixPath(name) for name in group.names if name != executable)),
            abi=_abi(told),
            platform_tag=platform_tag(self._machine, self._libc),
            prefix=prefix,
            base_prefix=base_prefix,
            venv=venv,
            externally_managed=venv is None and told.externally_managed,
            sys_path=sys_path,
            distributions=installed,
        )
        return interpreter, unread

    def _executable(self, group: _Group) -> str:
        if group is self._first and self._document.chosen is not None:
            return self._document.chosen
        called = (command.leads_to for command in self._commands)
        return next((path for path in called if path in group.names), None) or min(group.names, key=_shortest)

    # --- the system around them ---

    @cached_property
    def _tree(self) -> AnsweredTree:
        return AnsweredTree(self._document.system.files)

    @cached_property
    def _libc(self) -> Libc | None:
        others = (group for group in self._groups if group is not self._first)
        for group in (self._first, *others):
            match = _GLIBC.fullmatch(group.described.libc or "")
            if match:
                return Libc(family="glibc", version=match[1])
        musl = _MUSL.search(self._document.system.musl or "")
        return Libc(family="musl", version=musl[1]) if musl else None

    @cached_property
    def _packages(self) -> tuple[tuple[OsPackage, ...] | None, tuple[Skipped, ...]]:
        """From the package managers, and from databases where those were absent or failed."""
        system = self._document.system
        raw, skipped = os_packages.find(self._tree)
        found = set(raw or ())
        notes = list(skipped)
        asked = ((system.dpkg, parse_dpkg_query), (system.apk, parse_apk_list), (system.rpm, parse_rpm_query))
        for text, parse in asked:
            if text is not None:
                listed, damaged = parse(text)
                found.update(os_packages.with_reasons(self._tree, listed))
                notes.extend(damaged)
        known = raw is not None or any(text is not None for text, _ in asked)
        ordered = sorted(found, key=lambda package: (package.name, package.architecture, package.version))
        return (tuple(ordered) if known else None), tuple(notes)


def parse_answer(data: bytes, *, image: str, machine: str) -> Answer:
    """Decode what ``find.py`` wrote.

    Args:
        data: JSON.
        image: for messages.
        machine: the CPU that the image is made for, as ``uname -m`` spells it.

    Raises:
        ProbeError: it is nonsense, or the environment's interpreter does not start.
        NoPythonError: PATH decides for none of several interpreters.
    """
    document = decode(data, Document, where=image)
    return Answer(document, image=image, machine=machine)


def _abi(told: Described) -> str:
    major, minor, *_ = told.version.split(".")
    variables = BuildVariables(
        soabi=told.soabi,
        unicode_size=4 if told.wide_unicode else 2,
        pymalloc=told.pymalloc,
        debug=told.debug,
    )
    flags = "t" if told.free_threaded else ""
    return abi_tag((int(major), int(minor)), variables, flags=flags, wide_unicode=told.wide_unicode)


def _shortest(path: str) -> tuple[int, str]:
    return len(path), path
