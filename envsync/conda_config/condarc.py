"""The user's own conda configuration: which files and variables hold it, and what they say together.

Follows https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/use-condarc.html, and mamba's additions:
https://mamba.readthedocs.io/en/latest/user_guide/configuration.html. What comes later counts more. The flags
``#!final``, ``#!top`` and ``#!bottom`` are not read.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from envsync.errors import UsageError
from envsync.redaction import printable

_SYSTEM = ("/etc/conda", "/var/lib/conda")
_BEFORE_HOME = ("$CONDA_ROOT", "$MAMBA_ROOT_PREFIX", "$XDG_CONFIG_HOME/conda")
_HOME = ("~/.config/conda", "~/.conda")
_NAMES = (".condarc", "condarc")
_SUFFIXES = (".yml", ".yaml")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<named>[A-Za-z_][A-Za-z0-9_]*))")
_YES = frozenset(("yes", "true", "on", "y", "1"))
_NO = frozenset(("no", "false", "off", "n", "0", ""))
_OTHER_NAMES = {"envs_dirs": ("envs_path",), "ssl_verify": ("verify_ssl",)}


class Source(Struct, frozen=True, kw_only=True):
    """One file, or one environment variable, and the keys that it sets."""

    shown: str
    """As messages name it."""
    keys: Mapping[str, object]
    file: Path | None = None


class Condarc(Struct, frozen=True, kw_only=True):
    """All that was found, what counts least first."""

    sources: tuple[Source, ...]
    environ: Mapping[str, str]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, those of the source that counts most first.

        Raises:
            UsageError: some source has none there.
        """
        return tuple(text for text, _ in self.named_texts(key))

    def named_texts(self, key: str) -> tuple[tuple[str, str], ...]:
        """As :meth:`texts`, each with the place that a message names.

        Raises:
            UsageError: some source has none there.
        """
        found: dict[str, str] = {}
        for where, value, _ in self._values(key):
            for text in _texts(where, value):
                found.setdefault(expanded(text, self.environ), where)
        return tuple(found.items())

    def mapping(self, key: str) -> Mapping[str, tuple[object, str]]:
        """What is set under each name, with the place that a message names.

        Raises:
            UsageError: some source has no mapping there.
        """
        found: dict[str, tuple[object, str]] = {}
        for where, value, _ in self._values(key):
            if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
                raise UsageError(f"{where}: {_shown(value)} (expected names and what they stand for)")
            for name, item in value.items():
                if item is not None:
                    found.setdefault(name, (item, f"{where}: {printable(name)}"))
        return found

    def text(self, key: str) -> tuple[str, str] | None:
        """One text, with the place that a message names.

        Raises:
            UsageError: it is none.
        """
        for where, value, _ in self._values(key):
            return text_of(where, value, self.environ), where
        return None

    def flag(self, key: str, default: bool) -> bool:
        """Yes or no.

        Raises:
            UsageError: it is neither.
        """
        for where, value, _ in self._values(key):
            if (answer := flag_of(value)) is None:
                raise UsageError(f"{where}: {_shown(value)} (expected true or false)")
            return answer
        return default

    def value(self, key: str) -> tuple[object, str, Source] | None:
        """What counts of a key whose value has more than one form, and where it is."""
        for where, value, source in self._values(key):
            return value, where, source
        return None

    def _values(self, key: str) -> Iterator[tuple[str, object, Source]]:
        for source in reversed(self.sources):
            for name in (key, *_OTHER_NAMES.get(key, ())):
                if source.keys.get(name) is not None:
                    yield f"{source.shown}: {name}" if source.file else source.shown, source.keys[name], source
                    break


def text_of(where: str, value: object, environ: Mapping[str, str]) -> str:
    """A text, its variables expanded.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, str):
        raise UsageError(f"{where}: {_shown(value)} (expected a text)")
    return expanded(value.strip(), environ)


def texts_of(where: str, value: object, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Texts, their variables expanded.

    Raises:
        UsageError: it is no list of them.
    """
    return tuple(expanded(text, environ) for text in _texts(where, value))


def flag_of(value: object) -> bool | None:
    """Yes or no as conda reads them; ``None`` for neither."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in _YES else False if word in _NO else None


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` replaced, as conda does; what is not set stays as it is."""
    return _VARIABLE.sub(lambda found: environ.get(found["braced"] or found["named"], found[0]), text)


def read_condarc(environ: Mapping[str, str], home: Path, *, root: Path = Path("/")) -> Condarc:
    """Read all files of conda's and mamba's search path, and the variables that stand for keys.

    Args:
        environ: of the process.
        home: the user's home folder.
        root: where ``/etc`` and ``/var`` are.

    Raises:
        UsageError: a file that cannot be read or understood.
    """
    sources = []
    for file in dict.fromkeys(config_files(environ, home, root=root)):
        shown = _tilde(file, home)
        keys = parse_condarc(_read(file, shown), shown)
        sources.append(Source(shown=shown, keys=keys, file=file))
    sources += _variables(environ)
    return Condarc(sources=tuple(sources), environ=environ)


def parse_condarc(data: bytes, shown: str) -> Mapping[str, object]:
    """The keys of a ``.condarc``; ``shown`` names it in errors.

    Raises:
        UsageError: no YAML, or no mapping.
    """
    import yaml

    try:
        document: Any = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UsageError(f"{shown}: {line}no YAML: {printable(str(error.problem))}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{shown}: no YAML") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"{shown}: {_shown(document)} (expected keys and values)")
    return {key: value for key, value in document.items() if isinstance(key, str)}


def config_files(environ: Mapping[str, str], home: Path, *, root: Path = Path("/")) -> Iterator[Path]:
    """The files of the search path that exist, what counts least first."""
    variables = dict(environ)
    if (conda := conda_root(environ)) is not None:
        variables.setdefault("CONDA_ROOT", str(conda))
    folders = [root / folder.lstrip("/") for folder in _SYSTEM]
    folders += [_placed(one, variables, home) for one in _BEFORE_HOME if one.split("/")[0][1:] in variables]
    folders += [_placed(one, variables, home) for one in _HOME]
    for folder in folders:
        yield from _in_folder(folder)
    yield from filter(_is_file, (home / ".condarc", home / ".mambarc"))
    if environ.get("CONDA_PREFIX"):
        yield from _in_folder(Path(environ["CONDA_PREFIX"]))
    for name in ("CONDARC", "MAMBARC"):
        if environ.get(name):
            yield from _named(_placed(environ[name], variables, home))


def conda_root(environ: Mapping[str, str]) -> Path | None:
    """Where conda itself is installed; ``None`` where it is not, or nothing says so."""
    if environ.get("CONDA_ROOT"):
        return Path(environ["CONDA_ROOT"])
    program = environ.get("CONDA_EXE") or shutil.which("conda", path=environ.get("PATH", ""))
    if not program:
        return None
    folder = Path(program).resolve().parent
    return folder.parent if folder.name in ("bin", "condabin", "Scripts") else None


def _placed(text: str, variables: Mapping[str, str], home: Path) -> Path:
    path = expanded(text, variables)
    return home / path[1:].lstrip("/") if path == "~" or path.startswith("~/") else Path(path)


def _in_folder(folder: Path) -> Iterator[Path]:
    yield from filter(_is_file, (folder / name for name in _NAMES))
    yield from _named(folder / "condarc.d")


def _named(path: Path) -> Iterator[Path]:
    if _is_file(path):
        if path.name in _NAMES or path.suffix in _SUFFIXES:
            yield path
        return
    try:
        inside = sorted(path.iterdir())
    except OSError:
        return
    yield from (file for file in inside if file.suffix in _SUFFIXES and _is_file(file))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be looked into
        return False


def _read(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from error


_IN_VARIABLES = (
    "channel_alias",
    "channels",
    "default_channels",
    "envs_dirs",
    "envs_path",
    "offline",
    "register_envs",
    "ssl_verify",
)


def _variables(environ: Mapping[str, str]) -> Iterator[Source]:
    for key in _IN_VARIABLES:
        name = f"CONDA_{key.upper()}"
        if not environ.get(name):
            continue
        value: object = environ[name]
        if key in ("envs_dirs", "envs_path", "channels", "default_channels"):
            separator = ":" if key.startswith("envs") else ","
            value = [part.strip() for part in environ[name].split(separator) if part.strip()]
        yield Source(shown=name, keys={key: value})
    if environ.get("CONDA_PLUGINS_AUTO_ACCEPT_TOS"):
        yield Source(
            shown="CONDA_PLUGINS_AUTO_ACCEPT_TOS",
            keys={"plugins": {"auto_accept_tos": environ["CONDA_PLUGINS_AUTO_ACCEPT_TOS"]}},
        )


def _texts(where: str, value: object) -> Sequence[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise UsageError(f"{where}: {_shown(value)} (expected a list of texts)")
    return [item.strip() for item in listed]


def _shown(value: object) -> str:
    """The kind of a value, never the value: it may hold a password."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return "something else"


def _tilde(file: Path, home: Path) -> str:
    inside = file.is_relative_to(home) and home != Path("/")
    return printable(f"~/{file.relative_to(home)}" if inside else str(file))
