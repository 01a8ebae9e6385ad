"""Real registries on loopback: Debian's ``docker-registry``, open to all, behind passwords, behind tokens.

Settings: https://distribution.github.io/distribution/about/configuration/. Blobs lie as plain files under
:attr:`Registry.storage`, where a test may spoil them: nothing is cached in front of them.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.imagekit.machine import KitError, MissingToolError

if TYPE_CHECKING:  # it brings cryptography, which few tests need
    from tests.imagekit.tokens import TokenServer

PROGRAM = "docker-registry"
START_SECONDS = 20
STOP_SECONDS = 10
_LISTENING = re.compile(r'msg="listening on (127\.0\.0\.1:\d+)')
_BCRYPT_ROUNDS = 4  # the fewest there are: these passwords are secrets to nobody

# It ends with its standard input, which the kernel closes even where this process is killed.
_WATCHED = f"""exec 3<&0
{PROGRAM} serve "$1" 3<&- &
child=$!
{{ read -r _ <&3; kill "$child" 2>/dev/null; }} &
exec 3<&-
wait "$child"
"""

_LOG = logging.getLogger(__name__)  # pytest shows it with the test that failed
_LOG.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """A registry that answers at ``address``, ``127.0.0.1:PORT``, by plain HTTP."""

    address: str
    storage: Path
    log: Path

    def blob(self, digest: str) -> Path:
        """The file of a blob or manifest."""
        algorithm, _, value = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / value[:2] / value / "data"


def registry_problem() -> str | None:
    """Why no registry can be started; ``None`` where one can."""
    if shutil.which(PROGRAM) is None:
        return f"{PROGRAM} is not installed (apt-get install {PROGRAM})"
    return None


@contextmanager
def open_registry(folder: Path) -> Iterator[Registry]:
    """A registry that everyone may read and write, with its storage and log in ``folder``.

    Raises:
        MissingToolError: ``docker-registry`` is not installed.
        KitError: it does not start.
    """
    with _running(folder, {}) as registry:
        yield registry


@contextmanager
def password_registry(folder: Path, users: Mapping[str, str]) -> Iterator[Registry]:
    """A registry for these users and their passwords only, by Basic authentication.

    Raises:
        MissingToolError: ``docker-registry`` is not installed.
        KitError: it does not start.
    """
    import bcrypt

    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        b":".join([user.encode(), bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS))])
        for user, password in users.items()
    ]
    passwords = folder / "htpasswd"
    passwords.write_bytes(b"\n".join([*lines, b""]))
    with _running(folder, {"htpasswd": {"realm": "kit", "path": str(passwords)}}) as registry:
        yield registry


@contextmanager
def token_registry(folder: Path, tokens: TokenServer, *, realm: str | None = None) -> Iterator[Registry]:
    """A registry that takes the tokens of ``tokens`` only.

    Args:
        folder: of its storage and log.
        tokens: who issues them.
        realm: where clients are told to get them, if not at ``tokens`` itself.

    Raises:
        MissingToolError: ``docker-registry`` is not installed.
        KitError: it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate = folder / "tokens.pem"
    certificate.write_bytes(tokens.certificate)
    settings = {
        "realm": realm or tokens.realm,
        "service": tokens.service,
        "issuer": tokens.issuer,
        "rootcertbundle": str(certificate),
    }
    with _running(folder, {"token": settings}) as registry:
        yield registry


def basic(user: str, password: str) -> str:
    """The ``Authorization`` header of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# --- the process -------------------------------------------------------------------------------------


@contextmanager
def _running(folder: Path, auth: Mapping[str, Any]) -> Iterator[Registry]:
    problem = registry_problem()
    if problem:
        raise MissingToolError(problem)
    folder.mkdir(parents=True, exist_ok=True)
    storage, log, config = folder / "storage", folder / "registry.log", folder / "registry.json"
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "kit"},
        **({"auth": auth} if auth else {}),
    }
    config.write_text(json.dumps(settings))  # which is YAML too
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["sh", "-c", _WATCHED, "sh", str(config)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl+C is for the tests, which stop it when they are done with it
        )
    try:
        yield Registry(address=_address(process, log), storage=storage, log=log)
    finally:
        _stop(process)
        _LOG.info("%s in %s said at the end:\n%s", PROGRAM, folder, _tail(log))


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it answers there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(log.read_text(encoding="utf-8", errors="replace"))
        if found and _answers(found[1]):
            return found[1]
        time.sleep(0.02)
    ended = "ended at once" if process.poll() is not None else f"does not answer after {START_SECONDS} s"
    raise KitError(f"{PROGRAM} {ended}:\n{_tail(log)}")


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=START_SECONDS)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path) -> str:
    """The last requests and complaints."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([line for line in lines if "level=info" not in line][-25:])
