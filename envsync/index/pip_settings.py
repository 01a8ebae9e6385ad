"""What pip is configured for: https://pip.pypa.io/en/stable/topics/configuration/."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from envsync.errors import UsageError
from envsync.http.proxies import parse_proxy
from envsync.index.access import PYPI, Index, IndexSettings, Login, parse_place
from envsync.redaction import printable, without_credentials

_SECTIONS = ("global", "install")
"""Those that count for an installation; the later one counts more."""
_YES, _NO = frozenset({"y", "yes", "t", "true", "on", "1"}), frozenset({"n", "no", "f", "false", "off", "0"})


def pip_settings(environ: Mapping[str, str], home: Path, etc: Path) -> IndexSettings:
    """Read pip's files and variables; without any, the settings are pip's own defaults.

    Raises:
        UsageError: a file that pip could not read either, or a value that cannot be meant.
    """
    values = _values(environ, home, etc)
    logins: list[Login] = []

    def places(key: str) -> list[str]:
        found = []
        for text in values.get(key, "").split():
            url, login = parse_place(text, where=f"pip: {key}", relative_to=Path.cwd(), page=key == "find-links")
            found.append(url)
            if login:
                logins.append(login)
        return found

    main = places("index-url") or places("pypi-url") or [PYPI]
    indexes = dict.fromkeys([*main[:1], *places("extra-index-url")])
    settings = IndexSettings(
        indexes=tuple(Index(url=url) for url in indexes),
        find_links=tuple(dict.fromkeys(places("find-links"))),
        no_index=_flag(values.get("no-index", "0")),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        cert=_existing(values.get("cert")),
        keyring=values.get("keyring-provider") in ("subprocess", "import"),
    )
    if proxy := values.get("proxy"):
        settings = replace(settings, proxy=parse_proxy(proxy, "pip: proxy"))
    return replace(settings, logins=tuple(logins))


def _values(environ: Mapping[str, str], home: Path, etc: Path) -> dict[str, str]:
    """Settings by name: variables count more than files, ``[install]`` more than ``[global]``, later files more."""
    of_section: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for path in _files(environ, home, etc):
        for section, values in _parsed(path).items():
            if section in of_section:
                of_section[section].update(values)
    found: dict[str, str] = {}
    for section in _SECTIONS:
        found.update({key: value for key, value in of_section[section].items() if value})
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value:
            found[_key(variable[4:])] = value
    return found


def _files(environ: Mapping[str, str], home: Path, etc: Path) -> Iterator[Path]:
    """The files that pip reads, those that count more later; not those of an environment that pip might run in."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
    dirs = environ.get("XDG_CONFIG_DIRS") or str(etc / "xdg")
    yield from (Path(each) / "pip" / "pip.conf" for each in dirs.split(os.pathsep) if each)
    yield etc / "pip.conf"
    if not (named and Path(named).exists()):
        yield home / ".pip" / "pip.conf"
        application = home / "Library" / "Application Support" / "pip"
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
        yield (application if sys.platform == "darwin" and application.is_dir() else config) / "pip.conf"
    if named:
        yield Path(named)


def _parsed(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise UsageError(f"{path}: cannot be read: {reason}") from error
    try:
        parser.read_string(text)
    except configparser.Error as error:
        said = printable(without_credentials(str(error).replace("<string>", "the file").splitlines()[0]))[:200]
        raise UsageError(f"{path}: not a configuration of pip: {said}") from error
    return {
        section: {_key(name): value or "" for name, value in parser.items(section)} for section in parser.sections()
    }


def _key(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _flag(text: str) -> bool:
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise UsageError(f"pip: no-index: {printable(text)[:100]} (expected true or false)")


def _existing(path: str | None) -> Path | None:
    if not path:
        return None
    found = Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser fails for a user that there is not
    if not found.exists():
        raise UsageError(
            f"pip: cert: {printable(path)}: no such file or folder (expected certificates of authorities)",
            hint="Correct or unset PIP_CERT, or cert in pip.conf.",
        )
    return found
