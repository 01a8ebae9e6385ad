"""Whom the user is at an index: what its URL says, a netrc file, the keyring."""

from __future__ import annotations

import base64
import netrc
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from envsync.errors import CommandError
from envsync.http.urls import origin
from envsync.index.access import IndexSettings, Login
from envsync.process import run
from envsync.redaction import printable

_KEYRING_SECONDS = 60


class _Credential(Struct, frozen=True):
    username: str | None = None
    password: str | None = None


class Credentials:
    """Logins by origin: only that of a configured index ever gets one."""

    def __init__(self, settings: IndexSettings, on_problem: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_problem = on_problem
        self._lock = Lock()
        self._netrc: netrc.netrc | None = None
        self._netrc_read = False
        self._asked: dict[str, Login | None] = {}

    def header(self, url: str, *, asked: bool) -> str | None:
        """The value of ``Authorization`` for a URL; ``None`` without a login for it.

        Args:
            url: what is asked for.
            asked: the host did ask for a login, and that of the URL or netrc was not there or not good enough.
        """
        login = self._login(url, asked=asked)
        if login is None:
            return None
        return f"Basic {base64.b64encode(f'{login.user}:{login.password or str()}'.encode()).decode()}"

    def has_more(self, url: str) -> bool:
        """Whether asking again, as one who was asked for a login, may help."""
        return self.header(url, asked=True) != self.header(url, asked=False)

    def _place(self, url: str) -> str | None:
        """The configured index that a URL is of: the one with the longest path that fits, else any of its origin."""
        here = origin(url)
        fitting = [each for each in self._settings.places if not each.startswith("file:") and origin(each) == here]
        within = [each for each in fitting if url.startswith(each.rstrip("/") + "/") or url == each]
        return max(within, key=len) if within else next(iter(fitting), None)

    def _login(self, url: str, *, asked: bool) -> Login | None:
        place = self._place(url)
        if place is None:
            return None
        configured = self._settings.login(place) or self._of_origin(url)
        if configured is not None and configured.password is not None:
            return configured
        user = configured.user if configured else None
        found = self._from_keyring(place, user) if asked and self._settings.keyring else self._from_netrc(url, user)
        return found or configured

    def _of_origin(self, url: str) -> Login | None:
        """Files, and pages of links, may lie beside the index whose login they need."""
        return next((login for login in self._settings.logins if origin(login.url) == origin(url)), None)

    def _from_netrc(self, url: str, user: str | None) -> Login | None:
        if self._settings.netrc is None:
            return None
        with self._lock:
            if not self._netrc_read:
                self._netrc_read = True
                self._netrc = _parsed(self._settings.netrc, self._on_problem)
        name = urlsplit(url).hostname or ""
        found = self._netrc.authenticators(name) if self._netrc else None
        if not found or not found[2] or (user is not None and found[0] != user):
            return None
        return Login(url=url, user=found[0], password=found[2])

    def _from_keyring(self, place: str, user: str | None) -> Login | None:
        with self._lock:
            if place not in self._asked:
                self._asked[place] = self._ask_keyring(place, user)
            return self._asked[place]

    def _ask_keyring(self, place: str, user: str | None) -> Login | None:
        """What https://github.com/jaraco/keyring has, for the URL of the index or else for its host."""
        host = urlsplit(place).netloc
        for service in (place, host):
            if user is None:
                words = ["keyring", "--mode", "creds", "--output", "json", "get", service]
            else:
                words = ["keyring", "get", service, user]
            try:
                done = run(words, timeout=_KEYRING_SECONDS, check=False)
            except CommandError as error:
                self._on_problem(f"keyring: {error.message}")
                return None
            login = None if done.returncode else _told(done.stdout, place, user)
            if login is not None:
                return login
        return None


def _told(output: str, place: str, user: str | None) -> Login | None:
    if user is not None:
        password = output.rstrip("\n")
        return Login(url=place, user=user, password=password) if password else None
    try:
        found = msgspec.json.decode(output, type=_Credential)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if not found.password:
        return None
    return Login(url=place, user=found.username or "", password=found.password)


def _parsed(path: Path, on_problem: Callable[[str], None]) -> netrc.netrc | None:
    try:
        return netrc.netrc(str(path))
    except netrc.NetrcParseError as error:
        # Its message may hold what stands at that place: a password.
        on_problem(f"{printable(str(path))}: line {error.lineno}: not in the form of netrc: no login is taken from it")
    except (OSError, UnicodeDecodeError):
        on_problem(f"{printable(str(path))}: cannot be read: no login is taken from it")
    return None
