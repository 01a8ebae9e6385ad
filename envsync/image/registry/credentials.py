"""The logins that ``docker login`` stored, in its file or in a credential helper.

https://docs.docker.com/reference/cli/docker/login/#credential-stores
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from envsync.errors import RegistryError, UsageError
from envsync.image.engine_problems import in_words
from envsync.redaction import printable


class Login(Struct, frozen=True, kw_only=True):
    """What is known of a user: name and password, or an identity token."""

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return "Login(withheld)"


class _Entry(Struct):
    auth: str | None = None
    identitytoken: str | None = None


class _File(Struct, rename={"creds_store": "credsStore", "cred_helpers": "credHelpers"}):
    """https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties."""

    auths: dict[str, _Entry | None] | None = None
    creds_store: str | None = None
    cred_helpers: dict[str, str] | None = None


class Logins:
    """Docker's file of credentials, read when the first login is asked for."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._found: dict[str, Login | None] = {}
        self._file: Path | None = None
        self._settings: Any = None
        self._read = False

    def find(self, host: str) -> Login | None:
        """The login for a registry, called as ``docker login`` calls it (``docker.io``); ``None`` where there is none.

        Raises:
            UsageError: the file cannot be read, or is malformed.
            RegistryError: a credential helper fails.
        """
        if not self._read:
            self._settings = self._load()
            self._read = True
        if self._settings is None:
            return None
        if host not in self._found:
            self._found[host] = self._ask(host)
        return self._found[host]

    def _load(self) -> Any:
        self._file = _file(self._environment)
        if self._file is None:
            return None
        try:
            data = self._file.read_bytes()
        except OSError as error:
            raise UsageError(f"{self._file}: cannot be read: {error.strerror}") from error
        try:
            checked = msgspec.json.decode(data, type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"{self._file}: {printable(str(error))}", hint=_ANEW) from error
        if not (checked.auths or checked.creds_store or checked.cred_helpers):
            return None
        from docker import auth
        from docker.errors import InvalidConfigFile

        settings = {
            "auths": {name: _builtins(entry) for name, entry in (checked.auths or {}).items()},
            "credsStore": checked.creds_store or "",
            "credHelpers": checked.cred_helpers or {},
        }
        try:
            return auth.load_config(config_dict=settings, credstore_env=dict(self._environment))
        except (InvalidConfigFile, ValueError) as error:
            # Not the error's text: it may show a part of the password.
            raise UsageError(
                f"{self._file}: auths: an entry is damaged (expected auth: Base64 of USER:PASSWORD)", hint=_ANEW
            ) from error

    def _ask(self, host: str) -> Login | None:
        from docker.errors import DockerException

        helper = self._settings.get_credential_store(host)
        where = f"{self._file}: the credential helper docker-credential-{printable(helper or '')}"
        hint = "See what is wrong with it, or remove it from that file and log in again."
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a helper that is not installed; it is an error below
                found = self._settings.resolve_authconfig(host)
        except DockerException as error:
            words = in_words(str(error.__cause__ or error))
            raise RegistryError(f"{where} fails for {host}: {words}", hint=hint) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RegistryError(f"{where} fails for {host}: its answer is not of its protocol", hint=hint) from error
        return _login(found or {})


_ANEW = "docker logout and docker login write it anew."


def _file(environment: Mapping[str, str]) -> Path | None:
    """Where Docker keeps credentials; ``None`` where it keeps none."""
    if folder := environment.get("DOCKER_CONFIG"):
        file = Path(folder) / "config.json"
    elif home := environment.get("HOME"):
        file = Path(home) / ".docker" / "config.json"
    else:
        return None
    return file if file.exists() else None


def _builtins(entry: _Entry | None) -> dict[str, str]:
    if entry is None:
        return {}
    return {key: value for key, value in msgspec.to_builtins(entry).items() if value}


def _login(found: Mapping[str, Any]) -> Login | None:
    # The SDK writes the keys in two ways: as the file has them, and as helpers have them.
    values = {key.lower(): value for key, value in found.items() if isinstance(value, str)}
    login = Login(
        username=values.get("username", ""),
        password=values.get("password", ""),
        identity_token=values.get("identitytoken", ""),
    )
    return login if login.identity_token or login.username else None
