"""Choices that a project keeps in the ``[tool.envsync]`` table of its ``pyproject.toml``.

Format: https://packaging.python.org/en/latest/specifications/pyproject-toml/#arbitrary-tool-configuration-the-tool-table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from envsync.drift.finding import SCOPES, Scope
from envsync.errors import UsageError
from envsync.image.registry.access import check_mirrors
from envsync.names import normalized

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

FILE = "pyproject.toml"


class Settings(Struct, frozen=True, kw_only=True):
    """What a project chose; the command line overrides it."""

    only: frozenset[Scope] = SCOPES
    """What ``diff`` compares."""
    ignore: frozenset[NormalizedName] = frozenset()
    """Normalised names that ``diff`` leaves out."""
    lockfiles: Path | None = None
    """The folder of locks."""
    registries: Mapping[str, tuple[str, ...]] = {}
    """Mirrors by registry: see :class:`envsync.image.registry.access.Access`."""
    timeout: float | None = None
    """Seconds that reading from a registry may take in all."""
    file: Path | None = None
    """Where this was read; ``None`` where no project is around."""


def load(start: Path) -> Settings:
    """Read the settings of the project that ``start`` is in: the nearest ``pyproject.toml`` upwards.

    Raises:
        UsageError: the file cannot be read, or names all keys and values in its table that cannot be meant.
    """
    folder = start.resolve()
    for parent in (folder, *folder.parents):
        file = parent / FILE
        if file.is_file():
            return _read(file)
    return Settings()


def _read(file: Path) -> Settings:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 (TOML is)") from error
    return parse(text, file)


def parse(text: str, file: Path) -> Settings:
    """Parse the table out of a whole ``pyproject.toml``; ``file`` names it in errors and anchors relative paths.

    Raises:
        UsageError: no TOML, or names all keys and values that cannot be meant.
    """
    import msgspec.toml

    try:
        document = msgspec.toml.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{file}: not TOML: {error}") from error
    tool = document.get("tool", {})
    table = tool.get("envsync", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{file}: tool.envsync: not a table")
    if problems := list(_problems(table)):
        raise UsageError(
            "\n".join(f"{file}: tool.envsync.{problem}" for problem in problems),
            hint="docs/settings.md lists the keys of [tool.envsync].",
        )
    return _settings(table, file)


def _problems(table: Mapping[str, object]) -> Iterator[str]:
    for key, value in table.items():
        match key:
            case "only":
                if not (scopes := _texts(value)) or not SCOPES.issuperset(scopes):
                    yield f'only: {value!r} (expected a list of "python", "env" and "os", not empty)'
            case "ignore":
                if _texts(value) is None:
                    yield f"ignore: {value!r} (expected a list of names)"
            case "lockfiles":
                if not isinstance(value, str) or not value or "\0" in value:
                    yield f"lockfiles: {value!r} (expected the path of a folder)"
            case "timeout":
                if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 1:
                    yield f"timeout: {value!r} (expected seconds, at least 1)"
            case "registries":
                if not isinstance(value, dict):
                    yield f"registries: {value!r} (expected a table of registries and their mirrors)"
                    continue
                for host, urls in value.items():
                    yield from _mirror_problems(host, urls)
            case _:
                yield f"{key}: unknown key (expected only, ignore, lockfiles, registries or timeout)"


def _mirror_problems(host: str, urls: object) -> Iterator[str]:
    place = f"registries.{host}"
    if (listed := _texts(urls)) is None:
        yield f"{place}: {urls!r} (expected a list of URLs)"
        return
    try:
        check_mirrors(host, listed, where="registries")
    except UsageError as error:
        yield error.message


def _texts(value: object) -> list[str] | None:
    """A list of texts that are not empty; ``None`` for anything else."""
    if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return value
    return None


def _settings(table: Mapping[str, object], file: Path) -> Settings:
    only = cast("list[Scope]", table.get("only", []))
    ignore = cast("list[str]", table.get("ignore", []))
    lockfiles = cast("str | None", table.get("lockfiles"))
    registries = cast("dict[str, list[str]]", table.get("registries", {}))
    timeout = cast("float | None", table.get("timeout"))
    return Settings(
        only=frozenset(only) or SCOPES,
        ignore=frozenset(map(normalized, ignore)),
        lockfiles=None if lockfiles is None else file.parent / lockfiles,
        registries=dict(check_mirrors(host, urls, where="registries") for host, urls in registries.items()),
        timeout=None if timeout is None else float(timeout),
        file=file,
    )
