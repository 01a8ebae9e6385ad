"""``direct_url.json``: https://packaging.python.org/en/latest/specifications/direct-url-data-structure/."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct

from envsync.errors import EnvsyncError
from envsync.model import ArchiveOrigin, DirectoryOrigin, Origin, VcsOrigin
from envsync.redaction import without_credentials

_VCS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_KINDS = ("vcs_info", "archive_info", "dir_info")
_Value = TypeVar("_Value")


class DirectUrlError(EnvsyncError):
    """A ``direct_url.json`` that does not follow its specification; pip passes over such a file."""


class DirectUrl(Struct, frozen=True, kw_only=True):
    """What the file says, and which hash pip picks of it."""

    origin: Origin
    legacy_hash: str | None = None
    """``sha256=<hex>`` of the deprecated key ``hash``."""
    first_hash: str | None = None
    """The first of ``hashes``, else ``legacy_hash``."""


def parse_direct_url(data: bytes) -> DirectUrl:
    """Read a ``direct_url.json``; credentials in its URL are left out.

    Raises:
        DirectUrlError: says which key is wrong, and what was expected of it.
    """
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DirectUrlError("direct_url.json: not JSON in UTF-8") from error
    if not isinstance(content, dict):
        raise DirectUrlError("direct_url.json: expected an object")
    url = without_credentials(_required(content, "url"))
    subdirectory = _get(content, "subdirectory", str)
    present = [kind for kind in _KINDS if content.get(kind) is not None]
    if len(present) != 1:
        raise DirectUrlError("direct_url.json: expected exactly one of vcs_info, archive_info and dir_info")
    info = _get(content, present[0], dict) or {}
    if present[0] == "vcs_info":
        return DirectUrl(origin=_vcs(url, info, subdirectory))
    if present[0] == "archive_info":
        return _archive(url, info, subdirectory)
    editable = bool(_get(info, "editable", bool))
    return DirectUrl(origin=DirectoryOrigin(url=url, editable=editable, subdirectory=subdirectory))


def _vcs(url: str, info: Mapping[str, Any], subdirectory: str | None) -> VcsOrigin:
    vcs = _required(info, "vcs")
    if not _VCS.fullmatch(vcs):
        raise DirectUrlError("direct_url.json: vcs_info.vcs: not the name of a version control system")
    revision = _get(info, "requested_revision", str)
    return VcsOrigin(
        url=url,
        vcs=vcs,
        commit=_required(info, "commit_id"),
        requested_revision=None if revision is None else without_credentials(revision),
        subdirectory=subdirectory,
    )


def _archive(url: str, info: Mapping[str, Any], subdirectory: str | None) -> DirectUrl:
    hashes = _get(info, "hashes", dict) or {}
    if not all(isinstance(value, str) for value in hashes.values()):
        raise DirectUrlError("direct_url.json: archive_info.hashes: expected strings")
    spelt = [f"{algorithm}={value}" for algorithm, value in hashes.items()]
    legacy = _get(info, "hash", str)
    if legacy is not None and "=" not in legacy:
        raise DirectUrlError("direct_url.json: archive_info.hash: expected <algorithm>=<hash>")
    all_hashes = {*spelt, legacy} if legacy else set(spelt)
    return DirectUrl(
        origin=ArchiveOrigin(url=url, hashes=tuple(sorted(all_hashes)), subdirectory=subdirectory),
        legacy_hash=legacy,
        first_hash=spelt[0] if spelt else legacy,
    )


def _get(mapping: Mapping[str, Any], key: str, kind: type[_Value]) -> _Value | None:
    value = mapping.get(key)
    if value is not None and not isinstance(value, kind):
        raise DirectUrlError(f"direct_url.json: {key}: expected {kind.__name__}, not {type(value).__name__}")
    return value


def _required(mapping: Mapping[str, Any], key: str) -> str:
    value = _get(mapping, key, str)
    if value is None:
        raise DirectUrlError(f"direct_url.json: {key} is missing")
    return value
