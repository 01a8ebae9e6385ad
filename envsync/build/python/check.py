"""Running an interpreter that was placed, to see that it is what was wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from envsync.build.environ import tool_environment
from envsync.build.python.source import NotProvidedError
from envsync.errors import CommandError
from envsync.process import run
from envsync.redaction import printable

_SECONDS = 60
_PROGRAM = """
import sys
missing = {}
for name in sys.argv[1:]:
    try:
        __import__(name)
    except BaseException as error:
        missing[name] = "%s: %s" % (type(error).__name__, error)
import json
told = {"version": sys.version.split()[0], "implementation": sys.implementation.name, "prefix": sys.prefix}
told.update(flags=getattr(sys, "abiflags", ""), missing=missing)
sys.stdout.write("\\n" + json.dumps(told))
"""
_MISSING_LIBRARY = re.compile(r"(\S+): cannot open shared object file")
_LONGEST = 300


class Checked(Struct, frozen=True, kw_only=True):
    """What an interpreter says of itself."""

    version: str
    implementation: str
    flags: str
    prefix: str
    missing: Mapping[str, str] = {}
    """Modules that cannot be imported, and why."""

    @property
    def abi(self) -> str:
        """``cp37m``; ``cp313t``."""
        major, minor = self.version.split(".")[:2]
        prefix = "cp" if self.implementation == "cpython" else self.implementation
        return f"{prefix}{major}{minor}{self.flags}"


def check_python(path: Path, *, modules: Sequence[str] = ()) -> Checked:
    """Run an interpreter and import modules with it.

    Raises:
        NotProvidedError: it does not start, or does not answer as Python does.
    """
    environment = {**tool_environment(), "TERM": "dumb"}
    try:
        done = run([path, "-I", "-S", "-B", "-c", _PROGRAM, *modules], timeout=_SECONDS, env=environment)
        checked = msgspec.json.decode(done.stdout.rpartition("\n")[2], type=Checked)
    except CommandError as error:
        last = error.output.splitlines()[-1:] or [error.message.rpartition(": ")[2]]
        raise NotProvidedError(f"{path}: does not start: {printable(last[0])[:_LONGEST]}") from error
    except msgspec.MsgspecError as error:
        raise NotProvidedError(f"{path}: does not answer as Python does") from error
    if not re.fullmatch(r"3\.[0-9]{1,3}\.[0-9]{1,4}[A-Za-z0-9+]{0,16}", checked.version):
        raise NotProvidedError(f"{path}: does not answer as Python 3 does")
    return checked


def described_missing(missing: Mapping[str, str]) -> str:
    """For people: ``_tkinter (libtk8.6.so), _dbm (ImportError: ...)``."""
    return ", ".join(f"{name} ({_why(missing[name])})" for name in sorted(missing))


def _why(reason: str) -> str:
    match = _MISSING_LIBRARY.search(reason)
    return printable(match[1] if match else reason)[:_LONGEST]
