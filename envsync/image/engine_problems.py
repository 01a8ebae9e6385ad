"""What an engine's complaints mean for a user: texts in, errors with a next step out."""

from __future__ import annotations

import re

from envsync.errors import EngineError
from envsync.http.faults import causes
from envsync.redaction import printable, without_credentials
from envsync.reference import DOCKER_HUB, ImageName, Platform

_WITHOUT_ENGINE = "envsync reads images without an engine, too: docker-archive:FILE, oci-archive:FILE or oci:DIR."
_UNREACHABLE = re.compile(
    r"no such host|dial tcp|connection refused|i/o timeout|tls handshake|network is unreachable|client\.timeout"
    r"|request canceled|server misbehaving|x509|eof",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"unauthorized|authentication required|no basic auth credentials|\bdenied\b", re.IGNORECASE)
_ABSENT = re.compile(r"manifest unknown|manifest for .* not found|not found", re.IGNORECASE)
_OTHER_PLATFORM = re.compile(r"no matching manifest|no match for platform|match the specified platform", re.IGNORECASE)


def in_words(text: str) -> str:
    """An engine's own words on one line, without credentials, fit for a terminal."""
    return printable(without_credentials(" ".join(text.split())))[:600]


def about_connection(address: str, error: BaseException) -> EngineError:
    """Why the engine at ``address`` does not answer."""
    where = f"container engine at {in_words(address)}"
    for cause in causes(error):
        match cause:
            case PermissionError():
                return EngineError(
                    f"{where}: permission denied",
                    hint="Become a member of the socket's group (sudo usermod -aG docker $USER, then log in again), "
                    f"or use a rootless engine. {_WITHOUT_ENGINE}",
                )
            case FileNotFoundError() | ConnectionRefusedError():
                return EngineError(
                    f"{where}: none is running",
                    hint="Start it (Docker Desktop, or sudo systemctl start docker), or name it with DOCKER_HOST. "
                    + _WITHOUT_ENGINE,
                )
            case TimeoutError():
                return EngineError(f"{where}: no answer in time", hint="See if `docker version` answers.")
    return EngineError(f"{where}: {in_words(str(error))}", hint=f"See if `docker version` answers. {_WITHOUT_ENGINE}")


def about_pull(name: ImageName, platform: Platform | None, text: str) -> EngineError:
    """Why the engine cannot pull ``name``."""
    words = in_words(text)
    registry = "" if name.registry == DOCKER_HUB else f" {name.registry}"
    if _OTHER_PLATFORM.search(text):
        return no_such_platform(name, platform, words)
    if "toomanyrequests" in text:
        return EngineError(
            f"{name}: the registry lets no more pulls through for now: {words}",
            hint=f"Wait, or log in to raise the limit: docker login{registry}",
        )
    if "repository does not exist" in text:
        return EngineError(
            f"{name}: neither in the engine nor in its registry, or the registry needs a login",
            hint=f"Check the spelling. For a private image: docker login{registry}",
        )
    if _LOGIN.search(text):
        return EngineError(f"{name}: the registry needs a login: {words}", hint=f"docker login{registry}")
    if _UNREACHABLE.search(text):
        return EngineError(
            f"{name}: not in the engine, and its registry cannot be reached: {words}",
            hint="Where there is a network: docker pull and docker save; then envsync pull docker-archive:FILE here.",
        )
    if _ABSENT.search(text):
        return EngineError(
            f"{name}: neither in the engine nor in its registry: {words}",
            hint="Check the tag: the repository is there, this tag or digest is not.",
        )
    return EngineError(f"{name}: cannot be pulled: {words}", hint=f"See what `docker pull {name}` says.")


def no_such_platform(name: ImageName, platform: Platform | None, detail: str) -> EngineError:
    """The image exists, for other platforms."""
    asked = str(platform) if platform else "this machine's platform"
    return EngineError(
        f"{name}: no image for {asked}: {detail}",
        hint="Name a platform that it is made for: --platform linux/amd64, for example.",
    )
