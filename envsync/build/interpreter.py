"""Finding an interpreter on this machine that fits a lock.

Folder names are read first, and a candidate is run only to learn what it is; the search ends at the first exact
match. A virtual environment's ``python`` is passed over: it may go away with its environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from envsync.build.interpreter_places import Candidate, folders, on_path
from envsync.errors import CommandError, InterpreterNotFoundError
from envsync.model import Interpreter
from envsync.process import run
from envsync.redaction import printable

_SECONDS = 20
_QUESTION = (
    "import sys\n"
    'sys.stdout.write(\'{"version":"%s","implementation":"%s","flags":"%s"}\' % ('
    'sys.version.split()[0], sys.implementation.name, getattr(sys, "abiflags", "")))'
)
"""Printed by hand: importing json would cost more than the rest."""

_VERSION = re.compile(r"(?P<minor>[0-9]{1,3}\.[0-9]{1,3})(?:\.[0-9]{1,4}[A-Za-z0-9+]{0,16})?")


class LocalPython(Struct, frozen=True, kw_only=True):
    """An interpreter of this machine."""

    path: Path
    version: str
    implementation: str
    abi: str
    """``cp37m``, ``cp313t``."""
    exact: bool
    """Of the very version of the lock, as far as the lock knows it."""
    source: Literal["machine", "uv", "conda", "image"] = "machine"
    """Where it is from: found here, downloaded, or copied out of the image."""


class NotHereError(InterpreterNotFoundError):
    """Nothing on this machine fits; elsewhere there may be one."""


class _Answer(Struct, frozen=True):
    version: str
    implementation: str
    flags: str


class _Wanted(Struct, frozen=True, kw_only=True):
    """What a candidate is measured against."""

    version: str
    """``3.7.16``, or ``3.7`` where any of that minor version is exact."""
    minor: str
    implementation: str
    flags: frozenset[str]
    """``t`` free-threaded, ``d`` debug."""


def find_interpreter(
    wanted: Interpreter, *, requested: str | None = None, environ: Mapping[str, str] = os.environ
) -> LocalPython:
    """Find the exact version, else the highest of the same minor version.

    Looks at PATH, pyenv's and uv's interpreters, or only at ``requested``: the path of an interpreter, or
    ``X.Y[.Z]``. An explicit request may name another version than the lock's; the result is then not ``exact``.

    Raises:
        NotHereError: names the version, what was found instead, and how to get one.
        InterpreterNotFoundError: what is requested is none that fits, or no environment of this version can be made.
    """
    goal = _goal(wanted)
    if requested is not None and not _VERSION.fullmatch(requested):
        return _requested(requested, goal)
    search = goal
    if requested is not None:
        _refuse_python_2(requested)
        search = msgspec.structs.replace(goal, version=requested, minor=_minor(requested))
    seen: set[str] = set()
    best: LocalPython | None = None
    for found in _fitting(search, environ, seen):
        seen.add(_describe(found))
        if _is_version(found.version, search.version):
            best = found
            break
        if best is None or _key(found.version) > _key(best.version):
            best = found
    strict = requested is not None and requested != search.minor
    if best is None or (strict and not _is_version(best.version, search.version)):
        raise _not_found(search, seen, requested)
    return msgspec.structs.replace(best, exact=_is_version(best.version, goal.version))


def _goal(wanted: Interpreter) -> _Wanted:
    match = _VERSION.fullmatch(wanted.version)
    if match is None:
        raise InterpreterNotFoundError(f"interpreter {wanted.version!r}: not a Python version (expected X.Y.Z)")
    _refuse_python_2(wanted.version)
    flags = re.sub(r"^[a-z]+[0-9_]+", "", wanted.abi or "")
    return _Wanted(
        version=wanted.version,
        minor=match["minor"],
        implementation=wanted.implementation.lower(),
        flags=frozenset(flags) & {"t", "d"},
    )


def _refuse_python_2(version: str) -> None:
    if version.split(".", maxsplit=1)[0] == "2":
        raise InterpreterNotFoundError(
            f"Python {version}: environments of Python 2 cannot be made",
            hint="envsync pull and envsync diff work with such images; run the code in the image itself.",
        )


def _fitting(search: _Wanted, environ: Mapping[str, str], seen: set[str]) -> Iterator[LocalPython]:
    """Interpreters of the right minor version, implementation and ABI, likeliest first; each is run once."""
    tried: set[Path] = set()
    for candidate in _candidates(search, environ, seen):
        real = candidate.path.resolve()
        if real in tried or _in_venv(candidate.path):
            continue
        tried.add(real)
        try:
            found = _ask(candidate.path)
        except CommandError:
            continue
        if _fits(found, search):
            yield found
        else:
            seen.add(_describe(found))


def _candidates(search: _Wanted, environ: Mapping[str, str], seen: set[str]) -> Iterator[Candidate]:
    known = [candidate for candidate in folders(environ) if candidate.version is not None]
    for candidate in known:
        if _minor(candidate.version or "") != search.minor:
            seen.add(str(candidate.version))
    same = [candidate for candidate in known if _minor(candidate.version or "") == search.minor]
    same.sort(key=lambda candidate: _key(candidate.version or ""), reverse=True)
    yield from (candidate for candidate in same if candidate.version == search.version)
    for candidate in on_path(environ, search.minor):
        if candidate.version is not None and candidate.version != search.minor:
            seen.add(candidate.version)
        else:
            yield candidate
    yield from same


def _ask(path: Path) -> LocalPython:
    """Run an interpreter to learn what it is.

    Raises:
        CommandError: it does not start, or is no Python 3.
    """
    done = run([path, "-I", "-S", "-c", _QUESTION], timeout=_SECONDS)
    try:
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except msgspec.MsgspecError as error:
        raise CommandError(f"{path}: does not answer as Python does") from error
    if not _VERSION.fullmatch(answer.version):
        raise CommandError(f"{path}: does not answer as Python does")
    prefix = "cp" if answer.implementation == "cpython" else answer.implementation
    abi = f"{prefix}{_minor(answer.version).replace('.', '')}{answer.flags}"
    return LocalPython(path=path, version=answer.version, implementation=answer.implementation, abi=abi, exact=False)


def _requested(text: str, goal: _Wanted) -> LocalPython:
    path = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - a link to an interpreter is kept
    if path.is_dir():
        path = path / "bin" / "python"
    try:
        found = _ask(path)
    except CommandError as error:
        raise InterpreterNotFoundError(
            f"--python {printable(text)}: does not start as a Python 3 interpreter: {_reason(error)}",
            hint="Give the path of a python executable, or a version such as 3.9 or 3.9.18.",
        ) from error
    if not _fits(found, msgspec.structs.replace(goal, minor=_minor(found.version))):
        raise InterpreterNotFoundError(
            f"--python {printable(text)}: is {_describe(found)} (expected {_wanted_text(goal)})",
            hint="Distributions with compiled code only fit the ABI they were built for.",
        )
    return msgspec.structs.replace(found, exact=_is_version(found.version, goal.version))


def _reason(error: CommandError) -> str:
    """The last line that it printed, else how it ended; without the command, which is long."""
    last = error.output.splitlines()[-1:] or [error.message.rpartition(": ")[2]]
    return printable(last[0])


def _fits(found: LocalPython, search: _Wanted) -> bool:
    flags = frozenset(re.sub(r"^[a-z]+[0-9]+", "", found.abi)) & {"t", "d"}
    return (_minor(found.version), found.implementation, flags) == (
        search.minor,
        search.implementation,
        search.flags,
    )


def _in_venv(path: Path) -> bool:
    return (path.parent / "pyvenv.cfg").exists() or (path.parent.parent / "pyvenv.cfg").exists()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _is_version(version: str, wanted: str) -> bool:
    return version == wanted or wanted == _minor(version)


def _key(version: str) -> tuple[int, int, int, bool]:
    """For ordering: ``3.13.0rc1`` comes before ``3.13.0``."""
    numbers = [int(number) for number in re.findall(r"(?:^|\.)([0-9]+)", version)[:3]]
    numbers += [0] * (3 - len(numbers))
    return numbers[0], numbers[1], numbers[2], not re.search(r"[a-z]", version)


_KINDS = {"t": "free-threaded", "d": "debug"}


def _wanted_text(wanted: _Wanted) -> str:
    kinds = "".join(f"{_KINDS[flag]} " for flag in sorted(wanted.flags))
    name = "Python" if wanted.implementation == "cpython" else wanted.implementation
    return f"{kinds}{name} {wanted.version}"


def _describe(found: LocalPython) -> str:
    flags = frozenset(re.sub(r"^[a-z]+[0-9]+", "", found.abi)) & {"t", "d"}
    kinds = "".join(f" {_KINDS[flag]}" for flag in sorted(flags))
    name = "" if found.implementation == "cpython" else f" {found.implementation}"
    return f"{found.version}{name}{kinds}"


def _not_found(search: _Wanted, seen: set[str], requested: str | None) -> NotHereError:
    from envsync.build.interpreter_hint import how_to_get

    others = ", ".join(sorted(seen, key=lambda text: (_key(text.split()[0]), text))) or "none"
    minor = search.minor if requested is None or requested == search.minor else requested
    return NotHereError(
        f"{_wanted_text(search)}: not on this machine, nor any other {minor} (found: {others})"
        if requested is None
        else f"--python {requested}: no such interpreter on this machine (found: {others})",
        hint=how_to_get(search.version, free_threaded="t" in search.flags, debug="d" in search.flags),
    )
