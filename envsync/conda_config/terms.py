"""Whether the user accepted the terms of service of Anaconda's channels: records that ``conda tos`` keeps.

Follows the plugin that writes them, https://github.com/anaconda/conda-anaconda-tos. Nothing is ever accepted here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import msgspec

from envsync.channels import TOKEN, channel_url
from envsync.conda_config.condarc import conda_root, expanded
from envsync.conda_config.network import as_rattler_reads
from envsync.conda_config.settings import CondaSettings
from envsync.errors import BuildError, UsageError

_ASKS = "https://repo.anaconda.com"
_HOSTS = frozenset(("repo.anaconda.com", "repo.continuum.io"))
_PATH = "/pkgs/"
_LIMIT = 1024 * 1024  # the whole text of the terms is in a record
_LEGAL = "https://www.anaconda.com/legal"


class _Stored(msgspec.Struct):
    base_url: str
    tos_accepted: bool
    version: datetime


class _Answer(NamedTuple):
    version: datetime
    accepted: bool


def unaccepted(
    urls: Iterable[str],
    environ: Mapping[str, str],
    home: Path,
    *,
    accept_terms: bool,
    root: Path = Path("/"),
) -> tuple[str, ...]:
    """Those of ``urls``, without credentials, that ask for terms which the user did not accept.

    Args:
        urls: where packages will be fetched from.
        environ: of the process.
        home: the user's home folder.
        accept_terms: see :class:`~envsync.conda_config.settings.CondaSettings`; a recorded refusal outweighs it.
        root: where ``/etc`` and ``/var`` are.
    """
    asking = [plain for plain in map(_asking, urls) if plain]
    if not asking:
        return ()
    answers = _answers(environ, home, root)
    return tuple(
        url for url in dict.fromkeys(asking) if not (answers[url].accepted if url in answers else accept_terms)
    )


def check_terms(urls: Iterable[str], settings: CondaSettings, environ: Mapping[str, str], home: Path) -> None:
    """Let nobody fetch from ``urls`` whose terms the user did not accept.

    Raises:
        BuildError: names the channels, and what can be done.
    """
    if waiting := unaccepted(urls, environ, home, accept_terms=settings.accept_terms):
        raise terms_error(waiting)


def terms_error(channels: Sequence[str], *, option: bool = True) -> BuildError:
    """What to say of channels that :func:`unaccepted` named; ``option``: the command has a ``--channel``."""
    accept = " ".join(f"--channel {channel}" for channel in channels)
    mirror = "--channel URL, or " if option else ""
    return BuildError(
        f"{', '.join(channels)}: the terms of service of Anaconda are not accepted"
        " (expected before anything is fetched)",
        hint=f"Read {_LEGAL}, then accept them, as envsync never does by itself:\n"
        f"  conda tos accept --override-channels {accept}\n"
        "  or, without conda: CONDA_PLUGINS_AUTO_ACCEPT_TOS=yes\n"
        f"Or take the packages from a mirror: {mirror}default_channels in ~/.condarc",
    )


def _asking(url: str) -> str:
    """The one URL, of all that lead there, of a channel that asks for terms; else nothing."""
    try:
        plain = channel_url(url.replace("\\", "/"))
    except (UsageError, ValueError):
        return ""
    parts = urlsplit(as_rattler_reads(plain))
    if (parts.hostname or "").rstrip(".") not in _HOSTS:
        return ""
    path = TOKEN.sub("", posixpath.normpath(re.sub("/+", "/", unquote(parts.path))))
    # It is told, and stands in a command that people copy.
    return f"{_ASKS}{quote(path)}" if path.startswith(_PATH) else ""


def _answers(environ: Mapping[str, str], home: Path, root: Path) -> Mapping[str, _Answer]:
    """The answer to the newest terms of each channel; of two to the same, that in the folder which counts more."""
    found: dict[str, _Answer] = {}
    for folder in dict.fromkeys(_folders(environ, home, root)):
        for stored in _stored(folder):
            version = stored.version if stored.version.tzinfo else stored.version.replace(tzinfo=timezone.utc)
            url = _asking(stored.base_url)
            if url not in found or version > found[url].version:
                found[url] = _Answer(version, stored.tos_accepted)
    return found


def _folders(environ: Mapping[str, str], home: Path, root: Path) -> Iterator[Path]:
    """What counts most first."""
    yield root / "etc/conda/tos"
    yield root / "var/lib/conda/tos"
    if (conda := conda_root(environ)) is not None:
        yield conda / "conda-meta/tos"
    if environ.get("XDG_CONFIG_HOME"):
        yield Path(environ["XDG_CONFIG_HOME"]) / "conda/tos"
    yield home / ".config/conda/tos"
    yield home / ".conda/tos"
    if environ.get("CONDA_PREFIX"):
        yield Path(environ["CONDA_PREFIX"]) / "conda-meta/tos"
    if environ.get("CONDATOS"):
        own = expanded(environ["CONDATOS"], environ)
        yield Path(f"{home}{own[1:]}" if own.startswith("~/") else own)


def _stored(folder: Path) -> Iterator[_Stored]:
    try:
        files = sorted(folder.glob("*/*.json"))
    except OSError:
        return
    for file in files:
        # What cannot be read is no acceptance: the plugin takes it for missing, too.
        try:
            with file.open("rb") as stream:
                data = stream.read(_LIMIT)
            yield msgspec.json.decode(data, type=_Stored)
        except (OSError, msgspec.DecodeError):
            continue
