"""What to type so that a finding goes away. Everything that comes from an image is quoted or left out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from envsync.model import (
    ArchiveOrigin,
    DirectoryOrigin,
    Distribution,
    ImageSource,
    ListSource,
    LocalSource,
    Snapshot,
    VcsOrigin,
)
from envsync.names import is_distribution_name

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PYTHON_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+[a-z0-9]*")
_PEP440_CHARACTERS = re.compile(r"[A-Za-z0-9.!+_-]+")
_NAMED_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\"}


def quoted(text: str) -> str:
    """``text`` as one word of a POSIX-like shell; what does not print becomes an octal escape in ``$'…'``."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(_escaped(char) for char in text) + "'"


def _escaped(char: str) -> str:
    if char in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[char]
    # A single quote is escaped too, so that the word also survives readers that know only '…'.
    if char != "'" and char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def create_environment(expected: Snapshot, actual: Snapshot) -> str | None:
    """Make the environment again; only where one side is an image or list and the other is local."""
    match expected.source, actual.source:
        case (ImageSource() | ListSource()) as source, LocalSource(path=path):
            return f"envsync create {quoted(str(path))} --image {quoted(source.reference)}"
    return None


def install_interpreter(expected: Snapshot, actual: Snapshot) -> str | None:
    """Get the interpreter and make the environment again."""
    create = create_environment(expected, actual)
    python = expected.python
    if create is None or python.implementation != "cpython" or not _PYTHON_VERSION.fullmatch(python.version):
        return create
    return f"uv python install {python.version} && {create}"


def install_distribution(distribution: Distribution, expected: Snapshot, actual: Snapshot) -> str | None:
    """Make ``distribution`` what it is on the expected side."""
    create = create_environment(expected, actual)
    if create is not None:
        return create
    wanted = _requirement(distribution)
    if wanted is None or not isinstance(actual.source, LocalSource):
        return None
    return f"uv pip install --python {quoted(str(actual.source.path))} --no-deps {quoted(wanted)}"


def reinstall_distribution(distribution: Distribution, environment: str) -> str | None:
    """Put back the files that ``distribution`` came with.

    uv's cache is left out because an editor that writes in place changes the hard-linked file there too.
    """
    wanted = _requirement(distribution)
    if wanted is None:
        return None
    where = f"--python {quoted(environment)}"
    return f"uv pip install {where} --no-deps --reinstall --no-cache {quoted(wanted)}"


def uninstall_distribution(distribution: Distribution, actual: Snapshot) -> str | None:
    """Remove ``distribution`` from the local environment."""
    if not isinstance(actual.source, LocalSource) or not is_distribution_name(distribution.name):
        return None
    return f"uv pip uninstall --python {quoted(str(actual.source.path))} {distribution.name}"


def _requirement(distribution: Distribution) -> str | None:
    name, version = distribution.name, distribution.version
    if not is_distribution_name(name) or not _PEP440_CHARACTERS.fullmatch(version):
        return None
    match distribution.origin:
        case None:
            return f"{name}=={version}"
        case VcsOrigin(url=url, vcs=vcs, commit=commit, subdirectory=subdirectory):
            return f"{name} @ {vcs}+{url}@{commit}" + (f"#subdirectory={subdirectory}" if subdirectory else "")
        case ArchiveOrigin(url=url, subdirectory=subdirectory):
            return f"{name} @ {url}" + (f"#subdirectory={subdirectory}" if subdirectory else "")
        case DirectoryOrigin(url=url, editable=editable):
            return None if editable else f"{name} @ {url}"


def export_variable(name: str, value: str) -> str | None:
    """Set a variable in the shell."""
    return f"export {name}={quoted(value)}" if _VARIABLE.fullmatch(name) else None


def unset_variable(name: str) -> str | None:
    """Remove a variable from the shell."""
    return f"unset {name}" if _VARIABLE.fullmatch(name) else None


_TAKES_MORE = re.compile(
    r"(?P<command>(?:apt-get|dnf|zypper|brew) install|apk add|pacman -S|export|unset"
    r"|uv pip uninstall --python (?:'[^']*'|[^' ]+)"
    r"|uv pip install --python (?:'[^']*'|[^' ]+) --no-deps(?: --reinstall --no-cache)?)"
    r" (?P<word>.+)",
    re.DOTALL,
)


def merged(commands: Iterable[str]) -> tuple[str, ...]:
    """The same with fewer commands: repetitions once, and one ``apt-get install`` for many packages."""
    words: dict[str, dict[str, None]] = {}
    for command in commands:
        match = _TAKES_MORE.fullmatch(command)
        if match is None:
            words.setdefault(command, {})
        else:
            words.setdefault(match["command"], {})[match["word"]] = None
    return tuple(" ".join((command, *more)) for command, more in words.items())
