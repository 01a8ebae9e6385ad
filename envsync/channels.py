"""URLs and names of conda channels and packages: their grammar, and what of them is a credential.

Follows conda's own reading of a channel: https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/channels.html.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from envsync.errors import UsageError
from envsync.redaction import printable

DEFAULTS = "defaults"
DEFAULT_CHANNELS = tuple(
    f"https://repo.anaconda.com/pkgs/{name}" for name in ("main", "r", "msys2", "free", "pro", "archive", "mro")
)
"""What ``defaults`` means, unless a ``.condarc`` says otherwise: now (the first three), or once."""

ALIAS = "https://conda.anaconda.org"
"""Where channels without a host are: conda's ``channel_alias``."""

SUBDIRS = frozenset(
    """
    noarch linux-32 linux-64 linux-aarch64 linux-armv6l linux-armv7l linux-ppc64 linux-ppc64le linux-riscv64
    linux-s390x osx-64 osx-arm64 win-32 win-64 win-arm64
    """.split()  # noqa: SIM905 - one line instead of fifteen
)

TOKEN = re.compile(r"/t/[^/\s]+")
"""The credential in the path of a channel's URL, alone or anywhere in a text; or what a client prints instead."""

_OLD_HOSTS = {"repo.continuum.io": "repo.anaconda.com"}
_URL = re.compile(r"(?:https?|file)://[!-Z\\^-~]+")  # without brackets: no channel is named by an IPv6 address
CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)*")

PACKAGE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!]{0,199}")
_BUILD = re.compile(r"[A-Za-z0-9_.+]{1,200}")


def ungrammatical(name: str, version: str, build: str) -> tuple[str, str] | None:
    """The first of a package's ``name``, ``version`` and ``build`` that is none, as its kind and value.

    Follows https://docs.conda.io/projects/conda-build/en/stable/concepts/package-naming-conv.html.
    """
    for what, value, grammar in (
        ("name", name, PACKAGE_NAME),
        ("version", version, _VERSION),
        ("build", build, _BUILD),
    ):
        if not grammar.fullmatch(value):
            return what, value
    return None


def without_credentials(url: str) -> str:
    """``url`` without user, password and ``/t/<token>``."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, TOKEN.sub("", parts.path), "", ""))


def split_package_url(url: str) -> tuple[str, str, str]:
    """Channel URL, subdir and file name of a package's URL, without credentials.

    Raises:
        ValueError: it is not of the form ``scheme://host/channel/subdir/file``.
    """
    if not _URL.fullmatch(url):
        raise ValueError(f"not the URL of a package: {printable(TOKEN.sub('', url.rpartition('@')[2])[:200])}")
    folder, _, name = without_credentials(url).rpartition("/")
    channel, _, subdir = folder.rpartition("/")
    if subdir not in SUBDIRS or not name.endswith((".conda", ".tar.bz2")):
        raise ValueError(f"not the URL of a package: {printable(without_credentials(url)[:200])}")
    return channel, subdir, name


def channel_url(text: str, subdir: str = "") -> str:
    """The URL of a channel as records, ``.condarc`` and people name it, without credentials and without its subdir.

    Raises:
        UsageError: neither the name nor the URL of a channel.
    """
    text = text.strip().rstrip("/")
    if "://" not in text:
        if not CHANNEL_NAME.fullmatch(text):
            raise UsageError(f"{printable(text[:200])}: neither the name nor the URL of a channel")
        text = f"https://repo.anaconda.com/{text}" if text.startswith("pkgs/") else f"{ALIAS}/{text}"
    if not _URL.fullmatch(text):
        raise UsageError(f"{printable(TOKEN.sub('', text.rpartition('@')[2])[:200])}: not the URL of a channel")
    plain = without_credentials(text).rstrip("/")
    head, _, last = plain.rpartition("/")
    if last in SUBDIRS and (not subdir or last == subdir):
        plain = head
    parts = urlsplit(plain)
    return urlunsplit((parts.scheme, _OLD_HOSTS.get(parts.netloc, parts.netloc), parts.path, "", ""))


def channel_name(url: str) -> str:
    """As ``conda env export`` names a channel: ``defaults``, ``conda-forge``, or the URL itself."""
    if url in DEFAULT_CHANNELS:
        return DEFAULTS
    name = url.removeprefix(f"{ALIAS}/")
    return name if name != url and "/" not in name else url
