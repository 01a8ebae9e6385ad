"""Why a distribution could not be installed, in a user's words, whichever of uv and pip says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from envsync.build.plan import Installable, NotReproducible
from envsync.errors import BuildError, UnreachableError
from envsync.names import normalized
from envsync.redaction import printable

Kind = Literal[
    "not-on-index",
    "no-wheel",
    "python",
    "build",
    "build-requires",
    "hash",
    "network",
    "refused",
    "vcs",
    "disk",
    "offline",
    "other",
]
ABSENCES: tuple[Kind, ...] = ("not-on-index", "no-wheel", "python")
"""The index is there, and has nothing that fits."""
_LAST_LINES = 20
_LINE_LENGTH = 1000


class Failure(Struct, frozen=True, kw_only=True):
    """What uv's or pip's output says."""

    kind: Kind
    name: str | None = None
    """The distribution, as the output spells it."""
    cause: str
    """One line."""
    missing: str | None = None
    """The program or header that this machine lacks: no other build requirements help."""


_HINTS: dict[Kind, str] = {
    "not-on-index": "If a private index has it, configure that: UV_INDEX or uv.toml for uv, pip.conf for pip.",
    "no-wheel": "It was published for other interpreters or platforms only; --python may name one that fits.",
    "python": "The index's metadata excludes this Python version; --python may name the image's own version.",
    "build": "No wheel fits this machine, and building it failed: install what the last lines miss"
    " (compilers, headers; os-packages.txt of the lock names what the image has), then try again.",
    "build-requires": "No wheel fits this machine, and what building it needs is lacking; --as-of names another date.",
    "hash": "The file differs from the one that the lock names. Do not install it before you know why.",
    "network": "Check the network, proxy and index settings, then try again: what was fetched is kept in the cache.",
    "refused": "Check the credentials of that index or URL (.netrc, keyring, or the index settings of uv and pip).",
    "vcs": "Check that git can reach that repository from here (git ls-remote URL), or take it from the image:"
    " --from image.",
    "disk": "Free some space there, then try again.",
    "offline": "Run it once without --offline, so that the file comes into the cache.",
    "other": "The last lines of the output say more.",
}

_UNCLEAR: frozenset[Kind] = frozenset({"build", "build-requires", "vcs", "other"})
"""Of these the output says more than the cause."""


def build_error(failure: Failure, parts: Sequence[Installable], output: str, command: str) -> BuildError:
    """An error that names the distribution with its version, the cause and the next step."""
    by_name = {normalized(part.name): part for part in parts}
    part = by_name.get(normalized(failure.name)) if failure.name else None
    if part is not None:
        where = f"{part.name} {part.version}"
    elif failure.name:
        where = printable(failure.name)
    else:
        where = command
    lines = last_lines(output) if failure.kind in _UNCLEAR else ""
    kind = UnreachableError if failure.kind == "network" else BuildError
    return kind(f"{where}: {failure.cause}", output=lines, hint=_HINTS[failure.kind])


def left_out(
    failure: Failure, part: Installable, output: str, *, tried: str, hint: str | None = None
) -> NotReproducible:
    """Account for a distribution that cannot be had, as :func:`build_error` would."""
    return NotReproducible(
        name=part.name,
        version=part.version,
        reason=failure.cause,
        output=last_lines(output) if failure.kind in _UNCLEAR else "",
        hint=hint or _HINTS[failure.kind],
        tried=tried,
    )


def last_lines(output: str) -> str:
    """The last lines, fit for a terminal; hints of uv and pip, which are not about envsync's options, left out."""
    lines = [printable(line.rstrip()) for line in output.splitlines() if line.strip()]
    kept = [line for line in lines if not re.match(r"\s*(hint:|note: This error originates|\[notice\])", line)]
    return "\n".join(line[:_LINE_LENGTH] for line in kept[-_LAST_LINES:])


_TELLING = (
    re.compile(r"fatal error: (?P<what>\S+): No such file or directory"),
    re.compile(r"(?P<what>[\w.+-]+): (?:command )?not found\b"),
    re.compile(r"error: command '?(?P<what>[^' ]+)'? failed: No such file or directory"),
    re.compile(r"error: \[Errno 2\] No such file or directory: '(?P<what>[^']+)'"),
    re.compile(r"No such file or directory: '(?P<what>[\w.+-]+)'"),
)
_EXCEPTION = re.compile(r"^\s*(?:error: |[A-Za-z_.]*(?:Error|Exception): )(?P<text>.{3,200})", re.MULTILINE)


def build_failure(name: str | None, output: str) -> Failure:
    """Why a build failed: the header or program that is missing, else the last error it printed."""
    for pattern in _TELLING:
        match = pattern.search(output)
        if match is not None:
            what = printable(match["what"])
            return Failure(kind="build", name=name, cause=f"its build failed: {what} is missing", missing=what)
    return Failure(kind="build", name=name, cause=_last_error(output))


_OF_PIP = re.compile(r"error: (?:subprocess-exited-with-error|metadata-generation-failed)")
"""Names of pip for what a build did."""
_MODULE = re.compile(
    r"^[\s│]*(?:ModuleNotFoundError|ImportError): No module named '?(?P<module>[A-Za-z_][\w.]{0,99})'?", re.MULTILINE
)


def missing_module(output: str) -> str | None:
    """The top-level module whose import made a build fail: the last one that the output names."""
    found = _MODULE.findall(output)
    return found[-1].partition(".")[0] if found else None


def _last_error(output: str) -> str:
    errors = [match[0].strip() for match in _EXCEPTION.finditer(output) if not _OF_PIP.search(match[0])]
    return f"its build failed: {printable(errors[-1])}" if errors else "its build failed"
