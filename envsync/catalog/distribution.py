"""One installed Python distribution, as its own files describe it, spelt as its pip prints it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from msgspec import Struct

from envsync.catalog.direct_url import DirectUrl, DirectUrlError, parse_direct_url
from envsync.catalog.distribution_files import DistributionFiles
from envsync.catalog.egg import parse_requires
from envsync.catalog.freeze import (
    FolderName,
    Spelling,
    canonical_folder_name,
    direct_reference,
    folder_of,
    frozen_unless_plain,
    safe_name,
    safe_version,
)
from envsync.catalog.metadata import parse_entry_points, parse_headers
from envsync.errors import EnvsyncError
from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, EntryPoint, Origin, VcsOrigin
from envsync.names import LONGEST, NAME, VERSION, normalized, pep440, refuse_injection, unsafe
from envsync.redaction import printable, without_credentials

_WANTED = frozenset({"name", "version", "requires-dist", "requires-python"})
_USERINFO = re.compile(r"(?<=://)[^/@]*@")


class DistributionError(EnvsyncError):
    """The files of one distribution make no sense. Catalogs turn it into ``Skipped``."""


def parse_distribution(raw: DistributionFiles, spelling: Spelling) -> Distribution:
    """Describe one installed distribution.

    Raises:
        DistributionError: it is damaged or a leftover, which pip does not list either.
        UnsafeValueError: a name, version or origin could inject into a requirements file.
    """
    if not str(raw.path).isprintable() or not str(raw.location).isprintable():
        raise DistributionError("its path holds control characters, or is not UTF-8")
    core = _Core.read(raw, spelling)
    direct = _direct_url(raw)
    link = _is_link(raw, core.name, spelling)
    origin: Origin | None = direct.origin if direct is not None else None
    if origin is None and raw.editable_from is not None:
        origin = DirectoryOrigin(url="file://" + quote(str(raw.editable_from)), editable=True)
    distribution = Distribution(
        name=core.name,
        version=core.version,
        location=raw.location,
        metadata=raw.path,
        requires=core.requires,
        requires_python=core.requires_python,
        origin=origin,
        installer=_installer(raw),
        requested="REQUESTED" in raw.files,
        tags=_tags(raw),
        entry_points=_entry_points(raw),
        record=raw.record,
        layer=raw.layer,
    )
    line = _line(core, raw.location, direct if spelling.direct_urls else None, spelling, link=link)
    return frozen_unless_plain(distribution, line)


class _Core(Struct, frozen=True, kw_only=True):
    """Name and version by the rules of one pip, and what else the metadata says."""

    name: str
    version: str
    valid: bool
    """Whether PEP 440 knows the version."""
    requires: tuple[str, ...]
    requires_python: str | None

    @classmethod
    def read(cls, raw: DistributionFiles, spelling: Spelling) -> _Core:
        file = "METADATA" if raw.files.get("METADATA") else "PKG-INFO"
        place = raw.path / file
        fields = parse_headers(raw.files.get(file, b""), _WANTED)
        name, version = (fields[key][0].strip() if key in fields else "" for key in ("name", "version"))
        refuse_injection("name", name, place)
        refuse_injection("version", version, place)
        folder = FolderName.parse(raw.filename)
        name = _checked("name", NAME, _name(raw, folder, name, spelling), place)
        if spelling.backend == "pkg_resources":
            version = _setuptools_version(raw, folder, version)
            normal = pep440(version)
        else:
            normal, version = _importlib_version(raw, version, spelling)
        requires = fields.get("requires-dist") or parse_requires(raw.files.get("requires.txt", b""))
        python = fields.get("requires-python")
        return cls(
            name=name,
            version=normal or _checked("version", VERSION, version, place),
            valid=normal is not None,
            requires=tuple(without_credentials(_text(value)) for value in requires),
            requires_python=_text(python[0]) if python else None,
        )


def _name(raw: DistributionFiles, folder: FolderName, declared: str, spelling: Spelling) -> str:
    in_egg = raw.path.name.upper() == "EGG-INFO"
    setuptools = spelling.backend == "pkg_resources"
    known = canonical_folder_name(folder, spelling) if folder.name else normalized(declared)
    if not NAME.fullmatch(known) and (setuptools or not in_egg):
        leftover = raw.filename.startswith("~")
        why = "what an interrupted pip uninstall leaves" if leftover else "not the name of a distribution"
        raise DistributionError(f"its folder's name is {why}; pip passes over it")
    if raw.empty and setuptools:
        raise DistributionError("an empty folder; pip passes over it")
    if spelling.folder_names:
        if not folder.name:
            raise DistributionError("no name in that of its folder; pip lists it as Unknown")
        return safe_name(folder.name)
    if declared:
        return declared
    if not setuptools and (in_egg or not spelling.folder_versions):
        raise DistributionError("no Name in its metadata; pip passes over it")
    return known


def _setuptools_version(raw: DistributionFiles, folder: FolderName, declared: str) -> str:
    """By ``pkg_resources``: of the folder's name; of an ``.egg-info``, what its metadata says goes first."""
    named = folder.version or ""
    first, second = (declared, named) if raw.path.suffix.lower() == ".egg-info" else (named, declared)
    version = first or second
    if not version:
        raise DistributionError("no Version, neither in its metadata nor in its folder's name")
    return safe_version(version)


def _importlib_version(raw: DistributionFiles, declared: str, spelling: Spelling) -> tuple[str | None, str]:
    """By ``importlib.metadata``: the normal form of the version (``None``: there is none), and its text."""
    named = ""
    if spelling.folder_versions and raw.path.suffix == ".dist-info":
        named = raw.path.stem.partition("-")[2]
    normal = pep440(named or declared) if named or declared else None
    if normal is None and not declared:
        raise DistributionError("no Version in its metadata")
    return normal, declared


def _checked(what: str, grammar: re.Pattern[str], value: str, place: PurePosixPath) -> str:
    if len(value) > LONGEST or not grammar.fullmatch(value):
        refuse_injection(what, value, place)
        raise DistributionError(f"the {what} “{printable(value[:100])}” is none")
    return value


def _direct_url(raw: DistributionFiles) -> DirectUrl | None:
    data = raw.files.get("direct_url.json")
    if data is None:
        return None
    try:
        direct = parse_direct_url(data)
    except DirectUrlError:
        return None
    _refuse_unsafe_origin(direct.origin, raw.path / "direct_url.json")
    return direct


def _refuse_unsafe_origin(origin: Origin, place: PurePosixPath) -> None:
    """Refuse what could end a line, or make pip put a variable of its user's into a URL."""
    parts = {"URL": origin.url, "subdirectory": origin.subdirectory or ""}
    match origin:
        case VcsOrigin():
            parts |= {"commit": origin.commit, "revision": origin.requested_revision or ""}
        case ArchiveOrigin():
            parts |= {"hash": "".join(origin.hashes)}
        case DirectoryOrigin():
            parts |= {"folder": folder_of(origin.url).replace(" ", "_")}
    for what, value in parts.items():
        # PEP 610 knows ${VARIABLE} only as user and password.
        if not value.isprintable() or " " in value or "${" in _USERINFO.sub("", value, count=1):
            raise unsafe(what, value, place)


def _is_link(raw: DistributionFiles, name: str, spelling: Spelling) -> bool:
    """Whether pip finds the ``.egg-link`` by the distribution's name."""
    if raw.editable_from is None:
        return False
    return raw.link_name in (None, safe_name(name)) or (spelling.raw_links and raw.link_name == name)


def _line(core: _Core, location: PurePosixPath, direct: DirectUrl | None, spelling: Spelling, *, link: bool) -> str:
    name = core.name
    match direct.origin if direct is not None else None:
        case VcsOrigin(url=url, vcs=vcs, commit=commit, subdirectory=subdirectory):
            return direct_reference(name, f"{vcs}+{url}@{commit}", None, subdirectory)
        case ArchiveOrigin(url=url, subdirectory=subdirectory):
            shown = direct.first_hash if spelling.all_hashes else direct.legacy_hash  # type: ignore[union-attr]
            return direct_reference(name, url, shown, subdirectory)
        case DirectoryOrigin(url=url, editable=True):
            return f"-e {folder_of(url)}"
        case DirectoryOrigin(url=url, subdirectory=subdirectory):
            return direct_reference(name, url, None, subdirectory)
    if link and spelling.editables != "never":
        return f"-e {location}"
    return f"{name}=={core.version}" if core.valid else f"{name}==={core.version}"


def _installer(raw: DistributionFiles) -> str | None:
    lines = raw.files.get("INSTALLER", b"").decode("utf-8", "replace").splitlines()
    return next((text for text in map(_text, lines) if text), None)


def _tags(raw: DistributionFiles) -> tuple[str, ...]:
    return tuple(_text(tag) for tag in parse_headers(raw.files.get("WHEEL", b""), ("tag",)).get("tag", ()))


def _entry_points(raw: DistributionFiles) -> tuple[EntryPoint, ...]:
    data = raw.files.get("entry_points.txt")
    return parse_entry_points(data) if data else ()


def _text(value: str) -> str:
    return printable(" ".join(value.split()))
