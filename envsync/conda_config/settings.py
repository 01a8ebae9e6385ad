"""Where the packages of a channel are fetched from, as the user's own conda configuration has it.

Follows https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html#channel-locations, and
mamba's ``mirrored_channels``: https://mamba.readthedocs.io/en/latest/user_guide/mirrors.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from envsync.channels import ALIAS, DEFAULT_CHANNELS, DEFAULTS, SUBDIRS, TOKEN, channel_url, without_credentials
from envsync.conda_config.condarc import Condarc, expanded, flag_of, read_condarc, text_of, texts_of
from envsync.conda_config.network import Network
from envsync.errors import UsageError
from envsync.redaction import printable

_CHANNEL = re.compile(r"(?:https?|file)://[!\"$->@-Z\\^-~]+")  # as of envsync.channels, but without ? and #
_ELSEWHERE = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)
"""In a lock's channel, leads out of what its URL begins with: no mirror, and no place for credentials."""
_UNSET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAMES_OF_DEFAULTS = frozenset(url.rpartition("/")[2] for url in DEFAULT_CHANNELS)
_SYSTEM_CERTIFICATES = ("truststore", "<system>")


class Replacement(Struct, frozen=True, kw_only=True):
    """What a channel is fetched from instead."""

    urls: tuple[str, ...]
    """In the order that they are tried, with credentials."""
    said_by: str
    """The file and key, or option, as messages name it."""


class CondaSettings(Struct, frozen=True, kw_only=True):
    """What counts of the user's conda configuration."""

    channels: tuple[str, ...] = ()
    """Names and URLs, as the user wrote them, what counts most first; empty: conda's own default."""
    mirrors: Mapping[str, Replacement] = {}
    """By the channel's own URL, or what its URL begins with; the longest counts."""
    credentials: Mapping[str, str] = {}
    """URLs with user, password or token, by the same URL without."""
    envs_dirs: tuple[Path, ...] = ()
    ssl_verify: bool | str = True
    """The path of a file, or folder, of certificates where it is a text."""
    proxy_servers: Mapping[str, str] = {}
    """By scheme, or scheme and host."""
    offline: bool = False
    accept_terms: bool = False
    """``plugins.auto_accept_tos``: the user accepts the terms of all channels."""
    register_envs: bool = True
    sources: tuple[Path, ...] = ()
    """The files that were read."""

    def places(self, channel: str) -> tuple[str, ...]:
        """Where packages of ``channel`` are fetched from, in order, credentials included; its own URL by default.

        Raises:
            UsageError: the configuration names what cannot be fetched from.
        """
        plain = channel.rstrip("/")
        if _ELSEWHERE.search(plain):
            return (plain,)
        key = _longest(self.mirrors, plain)
        if key is None:
            return (self._with_credentials(plain),)
        replacement = self.mirrors[key]
        for url in replacement.urls:
            _check(url, replacement.said_by)
        rest = plain[len(key) :]
        return tuple(dict.fromkeys(self._with_credentials(url + rest) for url in replacement.urls))

    @property
    def network(self) -> Network:
        """How channels are reached."""
        certificates = self.ssl_verify if isinstance(self.ssl_verify, str) else None
        return Network(
            insecure=self.ssl_verify is False,
            certificates=certificates if certificates not in _SYSTEM_CERTIFICATES else None,
            proxies=self.proxy_servers,
            offline=self.offline,
        )

    def _with_credentials(self, url: str) -> str:
        if without_credentials(url) != url:
            return url
        key = _longest(self.credentials, url)
        return url if key is None else self.credentials[key] + url[len(key) :]


def shown(url: str) -> str:
    """``url`` as it may be printed: without credentials."""
    try:
        return printable(without_credentials(url))
    except ValueError:  # no URL at all
        return printable(url.rpartition("@")[2])


def load_conda_settings(environ: Mapping[str, str], home: Path, *, root: Path = Path("/")) -> CondaSettings:
    """Read the user's conda configuration.

    Args:
        environ: of the process.
        home: the user's home folder.
        root: where ``/etc`` and ``/var`` are.

    Raises:
        UsageError: names the file, and the key, that cannot be understood.
    """
    condarc = read_condarc(environ, home, root=root)
    mirrors = dict(_mirrors(condarc))
    return CondaSettings(
        channels=condarc.texts("channels"),
        mirrors=mirrors,
        credentials=_credentials((*(url for one in mirrors.values() for url in one.urls), *condarc.texts("channels"))),
        envs_dirs=tuple(_folders(condarc, home)),
        ssl_verify=_ssl_verify(condarc, home),
        proxy_servers={
            name: text_of(where, value, environ) for name, (value, where) in condarc.mapping("proxy_servers").items()
        },
        offline=condarc.flag("offline", False),
        accept_terms=_accept_terms(condarc),
        register_envs=condarc.flag("register_envs", True),
        sources=tuple(source.file for source in condarc.sources if source.file),
    )


def with_channels(settings: CondaSettings, urls: Sequence[str], channels: Sequence[str]) -> CondaSettings:
    """Packages of the lock's ``channels`` come from ``urls`` (``create --channel``) instead.

    A URL whose last part is that of a channel stands for this one; any other for all that have none of their own.

    Raises:
        UsageError: not the URL, or the name, of a channel.
    """
    given = tuple(url for text in urls for url in _given(settings, text))
    lasts = {_last(channel) for channel in channels}
    others = tuple(url for url in given if _last(url) not in lasts)
    mirrors = dict(settings.mirrors)
    for channel in channels:
        own = tuple(url for url in given if _last(url) == _last(channel)) or others
        if own:
            mirrors[channel.rstrip("/")] = Replacement(urls=own, said_by="--channel")
    return replace(settings, mirrors=mirrors, credentials={**settings.credentials, **_credentials(given)})


def _given(settings: CondaSettings, text: str) -> tuple[str, ...]:
    if text.strip() == DEFAULTS:
        raise UsageError(f"--channel {DEFAULTS}: more than one channel (expected the URL, or the name, of one)")
    plain = channel_url(text)
    if "://" not in text:
        return settings.places(plain)
    url = text.strip().rstrip("/")
    head, _, last = url.rpartition("/")
    return (head if last in SUBDIRS else url,)


def _last(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def _longest(keys: Iterable[str], url: str) -> str | None:
    return max((key for key in keys if url == key or url.startswith(f"{key}/")), key=len, default=None)


def _check(url: str, said_by: str) -> None:
    if unset := _UNSET.search(url):
        raise UsageError(f"{said_by}: the environment variable {unset[1]} is not set")
    if not _CHANNEL.fullmatch(url):
        raise UsageError(f"{said_by}: {shown(url)} (expected a URL with https, http or file)")


def _credentials(urls: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for url in urls:
        if _CHANNEL.fullmatch(url) and not _UNSET.search(url) and (plain := shown(url)) != url:
            found.setdefault(plain.rstrip("/"), url.rstrip("/"))
    return found


def _mirrors(condarc: Condarc) -> Iterator[tuple[str, Replacement]]:
    """What counts least comes first."""
    alias = ALIAS
    if (text := condarc.text("channel_alias")) and text[0].rstrip("/") != ALIAS:
        alias = _token_last(text[0])
        yield ALIAS, Replacement(urls=(alias,), said_by=text[1])
    yield from _mirrors_of_defaults(condarc, alias)
    for name, (value, where) in condarc.mapping("custom_multichannels").items():
        if name != DEFAULTS:
            urls = tuple(_located(one, alias) for one in texts_of(where, value, condarc.environ))
            yield _own_url(name), Replacement(urls=urls, said_by=where)
    for name, (value, where) in condarc.mapping("custom_channels").items():
        base = _token_last(text_of(where, value, condarc.environ))
        url = f"{base if '://' in base else alias}/{name.strip('/')}"
        yield _own_url(name), Replacement(urls=(url,), said_by=where)
    for name, (value, where) in condarc.mapping("mirrored_channels").items():
        urls = tuple(_located(one, alias) for one in texts_of(where, value, condarc.environ))
        # Others may be mirrors in an OCI registry, which only mamba reads.
        readable = tuple(url for url in urls if url.startswith(("https:", "http:", "file:")))
        yield _own_url(name), Replacement(urls=readable or urls, said_by=where)


def _mirrors_of_defaults(condarc: Condarc, alias: str) -> Iterator[tuple[str, Replacement]]:
    chosen = condarc.mapping("custom_multichannels").get(DEFAULTS)
    if chosen is not None:
        listed = [(text, chosen[1]) for text in texts_of(chosen[1], chosen[0], condarc.environ)]
    else:
        listed = list(condarc.named_texts("default_channels"))
    if not listed:
        return
    located = [_located(text, alias) for text, _ in listed]
    by_name = {name: tuple(url for url in located if _last(url) == name) for name in _NAMES_OF_DEFAULTS}
    # A mirror of all of them at one URL. A channel that everybody knows by its name, as conda-forge, is none.
    whole = tuple(
        url
        for url in located
        if _last(url) not in _NAMES_OF_DEFAULTS and not shown(url).startswith((ALIAS, f"{alias}/conda-forge"))
    )
    for channel in DEFAULT_CHANNELS:
        if urls := by_name[_last(channel)] or whole:
            yield channel, Replacement(urls=urls, said_by=listed[0][1])


def _token_last(base: str) -> str:
    """As conda has it, wherever a token is written, it comes before the name of the channel."""
    plain = TOKEN.sub("", base).rstrip("/")
    token = TOKEN.search(base)
    return f"{plain}{token[0]}" if token else plain


def _own_url(name: str) -> str:
    """The URL that records have for the channel of this name."""
    try:
        return channel_url(name)
    except UsageError:
        return name  # of no lock


def _located(text: str, alias: str) -> str:
    return (text if "://" in text else f"{alias}/{text.strip('/')}").rstrip("/")


def _folders(condarc: Condarc, home: Path) -> Iterator[Path]:
    for text in condarc.texts("envs_dirs"):
        yield (Path(f"{home}{text[1:]}") if text == "~" or text.startswith("~/") else Path(text)).absolute()


def _ssl_verify(condarc: Condarc, home: Path) -> bool | str:
    found = condarc.value("ssl_verify")
    if found is None:
        return True
    value, where, _ = found
    answer = flag_of(value)
    if answer is not None:
        return answer
    text = text_of(where, value, condarc.environ)
    if text in _SYSTEM_CERTIFICATES:
        return True
    path = Path(f"{home}{text[1:]}") if text.startswith("~/") else Path(text)
    if not path.exists():
        raise UsageError(f"{where}: {printable(text)} (expected true, false, or a file of certificates)")
    return str(path)


def _accept_terms(condarc: Condarc) -> bool:
    found = condarc.mapping("plugins").get("auto_accept_tos")
    if found is None:
        return False
    value, where = found
    if (answer := flag_of(expanded(value, condarc.environ) if isinstance(value, str) else value)) is None:
        raise UsageError(f"{where}: neither true nor false")
    return answer
