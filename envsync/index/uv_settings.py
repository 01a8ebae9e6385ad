"""What uv is configured for: https://docs.astral.sh/uv/concepts/indexes/."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from envsync.errors import UsageError
from envsync.index.access import PYPI, Index, IndexSettings, Login, parse_place
from envsync.redaction import printable, without_credentials

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)=(?P<url>.+)")
_NOT_IN_VARIABLES = re.compile(r"[^A-Z0-9]")

_Value = TypeVar("_Value")


class _Index(Struct, frozen=True, kw_only=True):
    url: str
    name: str | None = None
    default: bool = False
    explicit: bool = False
    format: str = "simple"
    where: str = ""


class _Options(Struct, frozen=True, kw_only=True, rename="kebab"):
    index: list[_Index] | None = None
    index_url: str | None = None
    extra_index_url: list[str] | None = None
    find_links: list[str] | None = None
    no_index: bool | None = None
    index_strategy: str | None = None
    keyring_provider: str | None = None
    allow_insecure_host: list[str] | None = None


class _Config(_Options, frozen=True, kw_only=True, rename="kebab"):
    pip: _Options = _Options()


class _Layer(Struct, frozen=True, kw_only=True):
    """The options of one file, or of the environment."""

    where: str
    folder: Path
    options: _Options


def uv_settings(environ: Mapping[str, str], home: Path, etc: Path) -> IndexSettings | None:
    """Read uv's variables, and its files for the user and the machine; ``None`` where they name no index.

    Files of projects do not count: an environment that twins an image has none.

    Raises:
        UsageError: a file that uv could not read either, or a value that cannot be meant.
    """
    required = bool(environ.get("UV_CONFIG_FILE"))
    configs = [(path, _parsed(path, required=required)) for path in _files(environ, home, etc)]
    # What [pip] of all files says comes first.
    named: list[tuple[Path, _Options]] = [*((path, config.pip) for path, config in configs), *configs]
    variables = _variables(environ)
    files = [_Layer(where=str(path), folder=path.parent, options=options) for path, options in named]
    layers = [variables, *files]
    logins: list[Login] = []
    indexes, links, has_default = _located([[variables], files], environ, logins)
    no_index = bool(_first([layer.options.no_index for layer in layers]))
    if not indexes and not links and not has_default and not no_index:
        return None
    strategy = _first([layer.options.index_strategy for layer in layers]) or "first-index"
    hosts = [host for layer in layers for host in layer.options.allow_insecure_host or ()]
    return IndexSettings(
        indexes=tuple(indexes if has_default else [*indexes, Index(url=PYPI)]),
        find_links=tuple(dict.fromkeys(links)),
        no_index=no_index,
        first_index_only=strategy == "first-index",
        trusted_hosts=tuple(dict.fromkeys(hosts)),
        keyring=_first([layer.options.keyring_provider for layer in layers]) == "subprocess",
        logins=tuple(logins),
        source="uv",
    )


def _first(values: Sequence[_Value | None]) -> _Value | None:
    return next((value for value in values if value is not None), None)


def _variables(environ: Mapping[str, str]) -> _Layer:
    def words(name: str) -> list[str]:
        return environ.get(name, "").split()

    indexes = [_named(text, "UV_DEFAULT_INDEX", default=True) for text in words("UV_DEFAULT_INDEX")[:1]]
    indexes += [_named(text, "UV_INDEX") for text in words("UV_INDEX")]
    options = _Options(
        index=indexes,
        index_url=environ.get("UV_INDEX_URL") or None,
        extra_index_url=words("UV_EXTRA_INDEX_URL"),
        find_links=[each.strip() for each in environ.get("UV_FIND_LINKS", "").split(",") if each.strip()],
        index_strategy=environ.get("UV_INDEX_STRATEGY") or None,
        keyring_provider=environ.get("UV_KEYRING_PROVIDER") or None,
        allow_insecure_host=words("UV_INSECURE_HOST"),
    )
    return _Layer(where="uv", folder=Path.cwd(), options=options)


def _named(text: str, where: str, *, default: bool = False) -> _Index:
    match = _NAMED.fullmatch(text)
    if match:
        return _Index(url=match["url"], name=match["name"], default=default, where=where)
    return _Index(url=text, default=default, where=where)


def _located(
    groups: Sequence[Sequence[_Layer]], environ: Mapping[str, str], logins: list[Login]
) -> tuple[list[Index], list[str], bool]:
    """Indexes in the order in which they count, pages and folders of links, and whether PyPI is replaced.

    All that one group of layers names counts more than all of the next; in it, an index more than an extra one.
    """
    indexes: list[Index] = []
    links: list[str] = []
    last: Index | None = None
    replaced = False
    names: set[str] = set()

    def place(text: str, where: str, folder: Path, name: str | None = None, *, page: bool = False) -> Index:
        url, login = parse_place(text, where=where, relative_to=folder, page=page)
        login = _from_variables(name, url, environ) or login
        if login:
            logins.append(login)
        return Index(url=url, name=name)

    for layers in groups:
        for layer in layers:
            for each in layer.options.index or ():
                if each.name in names:
                    continue  # one that counts more has this name
                names |= {each.name} if each.name else set()
                where, flat = each.where or layer.where, each.format == "flat"
                found = place(each.url, where, layer.folder, each.name, page=flat)
                if each.default and not replaced:
                    replaced, last = True, None if each.explicit else found
                elif each.explicit or each.default:
                    continue
                elif flat:
                    links.append(found.url)
                else:
                    indexes.append(found)
        for layer in layers:
            indexes += [place(text, layer.where, layer.folder) for text in layer.options.extra_index_url or ()]
            links += [place(text, layer.where, layer.folder, page=True).url for text in layer.options.find_links or ()]
            if layer.options.index_url and not replaced:
                replaced, last = True, place(layer.options.index_url, layer.where, layer.folder)
    every = [*indexes, *([last] if last else [])]
    return list({index.url: index for index in reversed(every)}.values())[::-1], links, replaced


def _from_variables(name: str | None, url: str, environ: Mapping[str, str]) -> Login | None:
    """``UV_INDEX_<NAME>_USERNAME`` and ``_PASSWORD``."""
    if not name:
        return None
    stem = f"UV_INDEX_{_NOT_IN_VARIABLES.sub('_', name.upper())}"
    user, password = environ.get(f"{stem}_USERNAME"), environ.get(f"{stem}_PASSWORD")
    if user is None and password is None:
        return None
    return Login(url=url, user=user or "", password=password)


def _files(environ: Mapping[str, str], home: Path, etc: Path) -> Iterator[Path]:
    """The user's file, then the machine's; what comes first counts more."""
    if named := environ.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    if environ.get("UV_NO_CONFIG", "").lower() in ("1", "true", "yes", "on", "t", "y"):
        return
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    dirs = environ.get("XDG_CONFIG_DIRS") or ("" if sys.platform == "darwin" else str(etc / "xdg"))
    shared = [Path(each) / "uv" / "uv.toml" for each in dirs.split(os.pathsep) if each]
    yield from [path for path in (*shared, etc / "uv" / "uv.toml") if path.is_file()][:1]


def _parsed(path: Path, *, required: bool) -> _Config:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if required:
            raise UsageError(f"UV_CONFIG_FILE: {printable(str(path))}: no such file") from error
        return _Config()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    import msgspec.toml

    try:
        tables: dict[str, Any] = msgspec.toml.decode(data)
        return msgspec.convert(tables, type=_Config)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        said = printable(without_credentials(str(error)))[:200]
        raise UsageError(f"{path}: not a configuration of uv: {said}") from error
