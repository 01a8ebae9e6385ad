"""One file of ``conda-meta``: what conda, mamba or rattler wrote when it installed a package."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from envsync.catalog.bounds import is_path
from envsync.channels import SUBDIRS, channel_url, split_package_url, ungrammatical
from envsync.errors import EnvsyncError, UsageError
from envsync.model import CondaPackage
from envsync.paths_data import PathEntry, PathsData, brought, placed
from envsync.redaction import printable
from envsync.reference import Digest

_SPEC = re.compile(r"[!-~](?:[ -~]{0,998}[!-~])?")
_MOST_SPECS = 2_000
_MOST_OBJECTS, _MOST_COMMAS = 80_000, 800_000
"""In the JSON of a record; that of a package with 30,000 files has 30,000 and 250,000."""


class RecordError(EnvsyncError):
    """A record that makes no sense; the message says what of it."""


class _Raw(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    version: str
    build: str = msgspec.field(default="", name="build")
    build_string: str = ""
    build_number: int = 0
    channel: str | None = None
    subdir: str | None = None
    url: str | None = None
    fn: str | None = None
    md5: str | None = None
    sha256: str | None = None
    size: int | None = None
    noarch: str | bool | None = None
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    paths_data: PathsData | None = None


class CondaRecord(Struct, frozen=True, kw_only=True):
    """A record, and the files that it lists."""

    package: CondaPackage
    """Without what only a look at the prefix tells."""
    files: tuple[str, ...]
    """Relative to the prefix, without byte code and entry points that were made at installation."""
    sha256: Mapping[str, str]
    """Of each ``RECORD`` as it is in the prefix, where the conda record tells."""


def parse_record(data: bytes) -> CondaRecord:
    """Parse a ``conda-meta/*.json``.

    Raises:
        RecordError: no JSON, or a field that is wrong or missing; the message names it.
    """
    raw = _decoded(data)
    build = raw.build or raw.build_string
    if wrong := ungrammatical(raw.name, raw.version, build):
        raise RecordError(f"the {wrong[0]} “{printable(wrong[1][:100])}” is none")
    channel, subdir, url = _origin(raw, build)
    entries = _entries(raw)
    own = brought(entries)
    package = CondaPackage(
        name=raw.name.lower(),
        version=raw.version,
        build=build,
        build_number=max(0, min(raw.build_number, 1 << 53)),
        channel=channel,
        subdir=subdir,
        url=url,
        md5=_hash(raw.md5, 32),
        sha256=_hash(raw.sha256, 64),
        size=raw.size if raw.size is not None and 0 <= raw.size < 1 << 53 else None,
        noarch=_noarch(raw.noarch),
        depends=_specs(raw.depends),
        constrains=_specs(raw.constrains),
        files=len(own),
        paths=paths_digest(own) if raw.paths_data is not None else None,
    )
    return CondaRecord(
        package=package,
        files=tuple(entry.path for entry in own),
        sha256={
            entry.path: known
            for entry in own
            if entry.path.endswith("/RECORD") and (known := entry.installed_sha256) is not None
        },
    )


def condensed(data: bytes) -> bytes:
    """A record with only the fields that :func:`parse_record` looks at; what is no record stays as it is."""
    try:
        raw = _decoded(data)
        if raw.paths_data is not None:
            paths = tuple(
                replace(one, sha256_in_prefix=None) if one.sha256_in_prefix == one.sha256 else one
                for one in _placed(raw)
            )
            raw = replace(raw, files=(), paths_data=PathsData(paths=paths))
        shorter = msgspec.json.encode(raw)
    except (RecordError, UnicodeError):
        return data
    return shorter if len(shorter) < len(data) else data


def _decoded(data: bytes) -> _Raw:
    if data.count(b"{") > _MOST_OBJECTS or data.count(b",") > _MOST_COMMAS:
        raise RecordError("lists more files than any honest package has")
    try:
        return msgspec.json.decode(data, type=_Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"no record of conda's: {printable(str(error))[:200]}") from error


def paths_digest(entries: Iterable[PathEntry]) -> Digest | None:
    """SHA-256 of lines ``path, NUL, sha256``, sorted: the files as the package brought them.

    ``None`` where the record does not tell all hashes, as those of packages of before 2017.
    """
    ordered = sorted(entries, key=lambda entry: entry.sha256 or "")
    if any(entry.sha256 is None and entry.path_type != "softlink" for entry in ordered):
        return None
    ordered.sort(key=attrgetter("path"))  # as the lines themselves would be: no path has a NUL
    digest = hashlib.sha256()
    for entry in ordered:
        digest.update(f"{entry.path}\0{entry.sha256 or ''}\n".encode("utf-8", "surrogatepass"))
    return Digest("sha256:" + digest.hexdigest())


def _origin(raw: _Raw, build: str) -> tuple[str, str, str]:
    """Channel, subdir and URL; the URL of a record that has none is put together as conda does."""
    try:
        url = raw.url or ""
        if not url:
            channel = channel_url(raw.channel or "", raw.subdir or "")
            subdir = raw.subdir or (raw.channel or "").rstrip("/").rpartition("/")[2]
            name = raw.fn or f"{raw.name}-{raw.version}-{build}.tar.bz2"
            url = f"{channel}/{subdir}/{name}"
        channel, subdir, name = split_package_url(url)
        channel = channel_url(channel)
    except (ValueError, UsageError) as error:
        reason = error.message if isinstance(error, UsageError) else str(error)
        raise RecordError(f"nothing tells where the package is from: {reason}") from error
    if subdir not in SUBDIRS or (raw.subdir is not None and raw.subdir != subdir):
        raise RecordError(f"its subdir “{printable((raw.subdir or '')[:50])}” is not that of its URL")
    return channel, subdir, f"{channel}/{subdir}/{name}"


def _entries(raw: _Raw) -> tuple[PathEntry, ...]:
    found = _placed(raw) if raw.paths_data is not None else tuple(PathEntry(path=path) for path in raw.files)
    return tuple(entry for entry in found if _is_inside(entry.path))


def _placed(raw: _Raw) -> tuple[PathEntry, ...]:
    paths = raw.paths_data.paths if raw.paths_data is not None else ()
    return placed(paths, raw.files, noarch_python=raw.noarch == "python")


def _is_inside(path: str) -> bool:
    """Whether it is the one way to write a path of a file in the prefix: as the container asks for it, and we do."""
    is_plain = posixpath.normpath(path) == path and path not in (".", "..")
    return is_path(path) and is_plain and not path.startswith(("/", "../"))


def _hash(value: str | None, length: int) -> str | None:
    lower = (value or "").lower()
    return lower if re.fullmatch(rf"[0-9a-f]{{{length}}}", lower) else None


def _noarch(value: str | bool | None) -> Literal["python", "generic"] | None:
    match value:
        case "python":
            return "python"
        case "generic" | True:
            return "generic"
    return None


def _specs(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values[:_MOST_SPECS] if _SPEC.fullmatch(value))
