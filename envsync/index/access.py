"""Which package indexes are asked, and how they are reached."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from envsync.errors import UsageError
from envsync.http.proxies import Proxy
from envsync.redaction import printable, without_credentials

PYPI = "https://pypi.org/simple"


class Login(Struct, frozen=True, kw_only=True):
    """Whom the user is at one place."""

    url: str
    """Of the index, without user and password."""
    user: str
    password: str | None = None

    def __repr__(self) -> str:
        return f"Login({self.url!r})"


class Index(Struct, frozen=True, kw_only=True):
    """A package index: https://packaging.python.org/en/latest/specifications/simple-repository-api/."""

    url: str
    """``http:``, ``https:`` or ``file:``, without user and password, without a slash at its end."""
    name: str | None = None
    """Of uv's ``[[index]]``."""


class IndexSettings(Struct, frozen=True, kw_only=True):
    """What the user's tools are configured for."""

    indexes: tuple[Index, ...] = (Index(url=PYPI),)
    """The first one counts most, where they are not equal."""
    find_links: tuple[str, ...] = ()
    """URLs of pages, and of folders (``file:``), with links to files of all projects."""
    no_index: bool = False
    """Only ``find_links`` counts."""
    first_index_only: bool = False
    """A project is had from the first index that knows it: uv's way. Else all indexes count alike: pip's."""
    trusted_hosts: tuple[str, ...] = ()
    """``host`` or ``host:port``: whose certificates are not verified."""
    cert: Path | None = None
    """Certificates of authorities that are believed as well."""
    proxy: Proxy | None = None
    """For all hosts; else what the environment says counts."""
    keyring: bool = False
    """Whether the ``keyring`` command is asked for passwords."""
    netrc: Path | None = None
    """The file of that kind, where there is one."""
    logins: tuple[Login, ...] = ()
    source: Literal["uv", "pip"] = "pip"
    """Whose settings these are."""

    @property
    def places(self) -> tuple[str, ...]:
        """URLs of all that is asked."""
        return (*(() if self.no_index else (index.url for index in self.indexes)), *self.find_links)

    def login(self, url: str) -> Login | None:
        """The login that the settings have for an index."""
        return next((login for login in self.logins if login.url == url), None)

    def with_login(self, url: str) -> str:
        """The URL of an index with its user and password: for child processes alone."""
        login = self.login(url)
        if login is None:
            return url
        parts = urlsplit(url)
        user = quote(login.user, safe="")
        secret = "" if login.password is None else f":{quote(login.password, safe='')}"
        return parts._replace(netloc=f"{user}{secret}@{parts.netloc}").geturl()


def parse_place(text: str, *, where: str, relative_to: Path, page: bool = False) -> tuple[str, Login | None]:
    """The URL of an index or page, or of a local folder or file, and the login that was in it.

    Args:
        text: a URL or a path.
        where: names the setting in messages.
        relative_to: the folder that paths are relative to.
        page: it is one page or folder, of whose URL a slash at the end is a part.

    Raises:
        UsageError: neither.
    """
    shown = printable(without_credentials(text))[:200]
    if "://" not in text and not text.startswith("file:"):
        # Not Path.expanduser, which fails for a user that there is not.
        return (relative_to / os.path.expanduser(text)).absolute().as_uri(), None  # noqa: PTH111
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "file" or (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        usable = False
    if not usable or not text.isascii() or any(char <= " " for char in text):
        raise UsageError(f"{where}: {shown}: not the URL of a package index (expected http, https or file)")
    if parts.scheme == "file":
        return f"file://{parts.path.rstrip('/') or '/'}", None
    path = parts.path if page else parts.path.rstrip("/")
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=path, fragment="").geturl()
    if parts.username is None:
        return plain, None
    password = None if parts.password is None else unquote(parts.password)
    return plain, Login(url=plain, user=unquote(parts.username), password=password)
