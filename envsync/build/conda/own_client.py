"""The user's own conda, mamba or micromamba as the one that makes a prefix: ``create --backend conda``.

All three install the files of an explicit list without solving:
https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html#building-identical-conda-environments.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from envsync.build.failure import last_lines
from envsync.channels import TOKEN
from envsync.conda_config.condarc import conda_root
from envsync.errors import BuildError, CommandError
from envsync.process import Completed, run
from envsync.redaction import printable

Client = Literal["conda", "mamba", "micromamba"]

EXPLICIT = "explicit.txt"
"""How the list must be called: conda tells what a file is by its name."""

_VARIABLES = {"conda": ("CONDA_EXE",), "mamba": ("MAMBA_EXE",), "micromamba": ("MAMBA_EXE",)}
_PACKAGE = re.compile(r"^(?P<channel>(?:https?|file)://\S+)(?P<rest>/[^/\s]+/[^/\s]+)$", re.MULTILINE)
_ENVIRONMENT: Mapping[str, str | None] = {
    "CONDA_JSON": None,
    "CONDA_DRY_RUN": None,
    "CONDA_DOWNLOAD_ONLY": None,
    "CONDA_NUMBER_CHANNEL_NOTICES": "0",  # would be fetched, from all channels of .condarc
    "CONDA_REGISTER_ENVS": "false",  # done once it is in its place
    "MAMBA_NO_BANNER": "1",
    "MAMBA_ALWAYS_YES": "true",  # envsync asks itself, where there is something to ask
    "NO_COLOR": "1",
}


class Failure(Struct, frozen=True, kw_only=True):
    """What the output of a client says."""

    cause: str
    """One line."""
    url: str | None = None
    """Of the package, without credentials."""
    hint: str


_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"No space left on device|errno: 28\b|\[Errno 28\]"),
        "the disk is full",
        "Free some space where the environment, or the client's cache of packages, is, then try again.",
    ),
    (
        re.compile(r"HTTP (?:404|410)\b[^<\n]*<(?P<url>[^>\s]+)|status:? (?:404|410)\W+\[?(?P<url2>https?://[^\s\]]+)"),
        "the channel does not have this file",
        "--channel may name a mirror that kept it.",
    ),
    (
        re.compile(
            r"ChecksumMismatchError[^']*for url '(?P<url>[^']+)'"
            r"|File not valid: (?:SHA256|MD5) sum doesn't match expectation \"(?P<url2>[^\"\n]+)\""
        ),
        "the file has another hash than the lock's",
        "Do not install it before you know why: the channel, or a mirror, has another file of that name.",
    ),
    (
        re.compile(r"HTTP (?:401|403)\b[^<\n]*<(?P<url>[^>\s]+)|(?P<url2>https?://\S+) \(status 40[13]\)"),
        "the channel refuses",
        "Check the user, password or token of that channel in .condarc.",
    ),
    (
        re.compile(
            r"HTTP 000 CONNECTION FAILED for url <(?P<url>[^>\s]+)"
            r"|Download error \(\d+\)[^\[\n]*\[(?P<url2>https?://[^\s\]]+)"
        ),
        "the channel cannot be reached",
        "Check the network, and proxy_servers of .condarc, then try again: what was fetched is kept in the cache.",
    ),
    (
        re.compile(r"EnforceUnusedAdapter called with url (?P<url>[^\s\\]*\.(?:conda|tar\.bz2))"),
        "the cache does not have it, and the network is not to be used",
        "Run it once without --offline, so that the file comes into the cache.",
    ),
    (
        re.compile(r"Could not parse explicit URL: (?P<url>[^\s#]+)#sha256:"),
        "this version of conda knows no SHA-256",
        "Update conda, or leave --backend out.",
    ),
    (
        re.compile(r"Terms of Service have (?:not been accepted|been rejected)|CondaToS\w*Error"),
        "the terms of service of a channel are not accepted",
        "See conda tos, or take the packages from a mirror: --channel URL.",
    ),
    (
        re.compile(r"CondaValueError: Environment (?:names|paths) cannot"),
        "conda takes no environment of this path",
        "The last lines of the output say why. Name another folder, or leave --backend out.",
    ),
    (
        re.compile(r"NoWritablePkgsDirError|Unable to create prefix directory|NotWritableError|EnvironmentNotWritable"),
        "a folder cannot be written to",
        "The last lines of the output say which.",
    ),
)


def find_client(client: Client, environ: Mapping[str, str]) -> Path:
    """The program, as the user's shell would find it: by what ``conda init`` and the like export, else by ``PATH``.

    Raises:
        BuildError: it is not installed.
    """
    for variable in _VARIABLES[client]:
        program = environ.get(variable)
        if program and Path(program).name == client and os.access(program, os.X_OK):
            return Path(program)
    if found := shutil.which(client, path=environ.get("PATH", "")):
        return Path(found)
    root = conda_root(environ)  # mamba is installed beside conda, and is a function of the shell there
    if root is not None and os.access(root / "bin" / client, os.X_OK):
        return root / "bin" / client
    raise BuildError(
        f"{client}: not found on this machine",
        hint=f"Install it, or put its folder into PATH. Without --backend {client}, envsync installs packages itself.",
    )


def fetched_from(explicit: str, places: Callable[[str], tuple[str, ...]]) -> str:
    """An explicit list with each URL as the user's configuration has it; of several mirrors, the first.

    Args:
        explicit: as :func:`envsync.lock.conda.explicit.render_explicit` makes it.
        places: :meth:`envsync.conda_config.settings.CondaSettings.places`; what is returned holds the user's
            credentials.

    Raises:
        UsageError: the configuration names what cannot be fetched from.
    """
    return _PACKAGE.sub(lambda found: f"{places(found['channel'])[0]}{found['rest']}", explicit)


def create_command(
    program: Path, client: Client, prefix: Path, explicit: Path, *, offline: bool
) -> Sequence[str | Path]:
    """The command line that makes ``prefix`` of the files in ``explicit`` and asks nothing."""
    command: list[str | Path] = [program, "create", "--yes", "--quiet"]
    if client == "conda":
        command.append("--no-default-packages")
    if offline:
        command.append("--offline")
    return [*command, "--prefix", prefix, "--file", explicit]


def create_prefix(
    client: Client,
    prefix: Path,
    explicit: Path,
    *,
    environ: Mapping[str, str],
    offline: bool = False,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Make ``prefix`` with the user's own program; it has to be where the environment will stay.

    Args:
        client: which one.
        prefix: absolute; not there yet, or empty.
        explicit: the list, a file of the name :data:`EXPLICIT`, with URLs as the packages are to be fetched.
        environ: of the process, to find the program.
        offline: only what is in the client's cache.
        timeout: seconds.
        on_line: called with each line that it prints to stderr, without credentials.

    Raises:
        BuildError: names the package and cause where they are known, and has the last lines of the output.
    """
    program = find_client(client, environ)
    done = run_client(
        create_command(program, client, prefix, explicit, offline=offline), client, timeout=timeout, on_line=on_line
    )
    if done.returncode:
        raise client_error(f"{client} create", f"{done.stdout}\n{done.stderr}", done.returncode)


def run_client(
    command: Sequence[str | Path], client: Client, *, timeout: float, on_line: Callable[[str], None] | None
) -> Completed:
    """Run a client in an environment that makes it ask and tell nothing else.

    Raises:
        BuildError: it could not be started, or did not end in time.
    """

    def tell(line: str) -> None:
        if on_line is not None:
            on_line(TOKEN.sub("", line))

    variables = {**dict.fromkeys((name for name in os.environ if name.startswith("PYTHON")), None), **_ENVIRONMENT}
    try:
        return run(command, timeout=timeout, env=variables, check=False, on_line=tell, tied=True)
    except CommandError as error:
        raise BuildError(f"{client}: {error.message}", output=TOKEN.sub("", error.output), hint=error.hint) from error


def client_error(command: str, output: str, status: int) -> BuildError:
    """What the output of a client that failed means; ``command`` names what it was asked: ``conda create``."""
    clean = TOKEN.sub("", output)
    failure = explain(clean)
    if failure is None:
        return BuildError(
            f"{command}: exit status {status}",
            output=last_lines(clean),
            hint="The last lines of the output say more.",
        )
    where = printable(failure.url.rpartition("/")[2]) if failure.url else command
    return BuildError(f"{where}: {failure.cause}", output=last_lines(clean), hint=failure.hint)


def explain(output: str) -> Failure | None:
    """The first cause that is known of what a client printed."""
    for pattern, cause, hint in _KNOWN:
        if found := pattern.search(output):
            groups = found.groupdict()
            return Failure(cause=cause, url=groups.get("url") or groups.get("url2"), hint=hint)
    return None
