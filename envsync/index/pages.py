"""Pages of projects, from an index or from what is known of it already."""

from __future__ import annotations

import hashlib
import re
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from envsync.errors import PackageIndexError
from envsync.http.urls import shown
from envsync.index.filenames import comparable, is_distribution_file, projects_in, version_in
from envsync.index.kept import Kept
from envsync.index.page import ACCEPT, IndexFile, parse_page
from envsync.index.transport import Answer, Transport
from envsync.redaction import printable

LARGEST_PAGE = 64 << 20
FRESH = 600
"""Seconds for which a page is believed whose server does not say."""

_LONGEST_FRESH = 86_400
_KIND = "index-1"
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,9})")
_Row = tuple[str, str, str, str, tuple[str, ...], str | None, str | None, str | None, int | None, bool]
"""An :class:`~envsync.index.page.IndexFile`, field by field."""


class Listing(Struct, frozen=True, kw_only=True, array_like=True):
    """The files of a project on one index."""

    known: bool
    """Whether the index knows the project."""
    rows: list[_Row] = []
    etag: str = ""
    modified: str = ""
    fetched: float = 0
    """Seconds since the epoch."""
    lasts: int = 0

    def of_version(self, project: str, version: str) -> tuple[IndexFile, ...]:
        """The files of one version. What a file name tells of it is looked at as text first: pages are long."""
        wanted = comparable(version)
        spellings = {text for text in self.spellings(project) if text == version or comparable(text) == wanted}
        return tuple(
            msgspec.convert(dict(zip(IndexFile.__struct_fields__, row, strict=True)), IndexFile)
            for row in self.rows
            if version_in(row[0], project) in spellings
        )

    def spellings(self, project: str) -> set[str]:
        """All versions, as file names tell them."""
        found = (version_in(row[0], project) for row in self.rows)
        return {version for version in found if version is not None}


class Pages:
    """The pages of all indexes, kept for the next time."""

    def __init__(self, transport: Transport, cache: Kept | None, *, offline: bool) -> None:
        self._transport = transport
        self._cache = cache
        self._offline = offline

    def of_project(self, index: str, project: str) -> Listing:
        """The files that an index has of a project.

        Raises:
            PackageIndexError: it does not say.
        """
        if index.startswith("file:"):
            return _local_project(index, project)
        return self._listing(index, f"{index}/{project}/", project)

    def of_links(self, place: str) -> dict[str, Listing]:
        """The files that a page or folder of links names, by the normalised name that they may be of.

        Raises:
            PackageIndexError: it cannot be read.
        """
        if place.startswith("file:"):
            rows = _local_links(place)
        else:
            listing = self._listing(place, place, None)
            if not listing.known:
                raise PackageIndexError(f"{shown(place)}: there is no such page")
            rows = listing.rows
        found: dict[str, list[_Row]] = {}
        for row in rows:
            for project in projects_in(row[0]):
                found.setdefault(project, []).append((row[0], project, *row[2:]))
        return {project: Listing(known=True, rows=of) for project, of in found.items()}

    def _listing(self, index: str, url: str, project: str | None) -> Listing:
        key = hashlib.sha256(f"{index}\n{project or ''}".encode()).hexdigest()
        kept = self._kept(key)
        if kept is not None and (self._offline or 0 <= time.time() - kept.fetched < kept.lasts):
            return kept
        if self._offline:
            raise PackageIndexError(f"{shown(index)}: not asked: without the network, and it was not asked before")
        headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip"}
        if kept is not None and kept.etag:
            headers["If-None-Match"] = kept.etag
        elif kept is not None and kept.modified:
            headers["If-Modified-Since"] = kept.modified
        listing = self._transport.get(url, headers, lambda answer: _received(answer, index, project, kept))
        if self._cache is not None and listing.lasts >= 0:
            self._cache.put(_KIND, key, zlib.compress(msgspec.msgpack.encode(listing), 1))
        return listing

    def _kept(self, key: str) -> Listing | None:
        data = self._cache.get(_KIND, key) if self._cache is not None else None
        if data is None:
            return None
        try:
            return msgspec.msgpack.decode(zlib.decompress(data), type=Listing)
        except (msgspec.MsgspecError, zlib.error):  # of another version of envsync
            return None


def _received(answer: Answer, index: str, project: str | None, kept: Listing | None) -> Listing:
    now, lasts = time.time(), _lasts(answer)
    if answer.status == 304 and kept is not None:
        return msgspec.structs.replace(kept, fetched=now, lasts=lasts)
    if answer.status in (404, 410):
        return Listing(known=False, fetched=now, lasts=lasts)
    if answer.status != 200:
        raise PackageIndexError(f"{shown(index)}: {_refusal(answer)}", hint=_hint(answer.status))
    data = answer.load(LARGEST_PAGE)
    page = parse_page(data, content_type=answer.content_type, url=answer.url, index=index, project=project)
    return Listing(
        known=True,
        rows=_rows(page.files),
        etag=answer.header("ETag")[:300],
        modified=answer.header("Last-Modified")[:100],
        fetched=now,
        lasts=lasts,
    )


def _lasts(answer: Answer) -> int:
    control = answer.header("Cache-Control").lower()
    if "no-store" in control:
        return -1  # nor is it kept for times without the network
    if "no-cache" in control:
        return 0
    found = _MAX_AGE.search(control)
    return min(int(found[1]), _LONGEST_FRESH) if found else FRESH


def _refusal(answer: Answer) -> str:
    match answer.status:
        case 401:
            return "needs a login, or does not accept the one that it got"
        case 403:
            return "denies access"
        case 429:
            return "answers no more for now: too many requests"
    return f"answers {answer.status}"


def _hint(status: int) -> str:
    if status in (401, 403):
        return "A login is taken from the URL of the index, from netrc, or from a keyring that is enabled."
    return "Try again later."


def _rows(files: Iterable[IndexFile]) -> list[_Row]:
    return [astuple(file) for file in files]


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _local_project(index: str, project: str) -> Listing:
    """A folder of folders, each with an ``index.html``, as pip has it."""
    path = _path_of(index) / project / "index.html"
    if not path.is_file():
        if not _path_of(index).is_dir():
            raise PackageIndexError(f"{printable(str(_path_of(index)))}: no such folder (expected a package index)")
        return Listing(known=False)
    return Listing(known=True, rows=_html_rows(path, index, project))


def _html_rows(path: Path, index: str, project: str | None) -> list[_Row]:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_PAGE + 1)
    except OSError as error:
        raise PackageIndexError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_PAGE:
        raise PackageIndexError(f"{printable(str(path))}: more than {LARGEST_PAGE} bytes")
    page = parse_page(data, content_type="text/html", url=path.as_uri(), index=index, project=project)
    return _rows(page.files)


def _local_links(place: str) -> list[_Row]:
    """A folder of files, or a page with links to some."""
    path = _path_of(place)
    try:
        if not path.is_dir():
            return _html_rows(path, place, None)
        names = sorted(entry.name for entry in path.iterdir() if is_distribution_file(entry.name))
        files = [path / name for name in names]
        found = [
            IndexFile(filename=file.name, project="", url=file.as_uri(), index=place, size=file.stat().st_size)
            for file in files
            if file.is_file()
        ]
    except OSError as error:
        raise PackageIndexError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error
    return _rows(found)
