"""A project's page on a package index: bytes in, files out.

https://packaging.python.org/en/latest/specifications/simple-repository-api/: JSON (PEP 691, with the additions of
PEP 700 and 714) and HTML (PEP 503, with those of PEP 592 and 714).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import msgspec
from msgspec import Struct

from envsync.errors import PackageIndexError
from envsync.http.urls import shown
from envsync.index.filenames import is_distribution_file, is_wheel_name, version_in
from envsync.redaction import printable

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

MOST_FILES = 100_000
"""On one page; the largest on PyPI have some 10,000."""

_HASH = re.compile(r"(?:md5|sha1|sha224|sha256|sha384|sha512|blake2b|blake2s)=[0-9a-f]{32,128}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_URL = re.compile(r"[!-~]{1,2000}")
_LONGEST = 500
"""Characters of a reason, or of what is asked of Python's version."""


class PageError(PackageIndexError):
    """A page that is none."""


class IndexFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that an index has."""

    filename: str
    project: str
    """Its normalised name."""
    url: str
    """Without user and password."""
    index: str
    """The index, or page or folder of links, that names it; without user and password."""
    hashes: tuple[str, ...] = ()
    """``sha256=<hex>``, the index's word."""
    requires_python: str | None = None
    yanked: str | None = None
    """The reason, empty where none is given; ``None`` where it is not yanked."""
    upload_time: str | None = None
    """RFC 3339."""
    size: int | None = None
    core_metadata: bool = False
    """Whether its METADATA is beside it, as PEP 658 has it."""

    @property
    def is_wheel(self) -> bool:
        """A wheel; else an sdist."""
        return is_wheel_name(self.filename)

    @property
    def version(self) -> str:
        """The version as the file name tells it, which need not be normalised."""
        return version_in(self.filename, self.project) or ""

    @property
    def sha256(self) -> str | None:
        """The hex digits of the SHA-256 that the index tells."""
        return next((each.partition("=")[2] for each in self.hashes if each.startswith("sha256=")), None)


class Page(Struct, frozen=True, kw_only=True):
    """What is on a page."""

    files: tuple[IndexFile, ...] = ()
    passed_over: int = 0
    """Entries that say nothing usable."""


class _Entry(Struct, frozen=True, rename="kebab"):
    filename: str
    url: str
    hashes: dict[str, str] = {}
    requires_python: str | None = None
    yanked: bool | str = False
    upload_time: str | None = None
    size: int | None = None
    core_metadata: bool | dict[str, str] | None = None
    dist_info_metadata: bool | dict[str, str] | None = None
    data_dist_info_metadata: bool | dict[str, str] | None = None


class _Meta(Struct, frozen=True):
    version: str = msgspec.field(name="api-version", default="1.0")


class _Page(Struct, frozen=True):
    files: list[_Entry]
    meta: _Meta = _Meta()


class _Lenient(Struct, frozen=True):
    files: list[msgspec.Raw]
    meta: _Meta = _Meta()


def parse_page(data: bytes, *, content_type: str, url: str, index: str, project: str | None) -> Page:
    """Parse a page, JSON or HTML by its content type.

    Args:
        data: the body.
        content_type: as the server has it, without parameters.
        url: where it came from, which links are relative to.
        index: what the files are to name as theirs.
        project: normalised; ``None`` for a page with links to files of any.

    Raises:
        PageError: it is neither.
    """
    if content_type in (JSON, "application/json", "application/vnd.pypi.simple.latest+json"):
        entries = _json_entries(data, url)
    elif content_type.endswith("html") or not content_type or content_type == "application/xhtml+xml":
        base, entries = _html_entries(data, url)
        url = base or url
    else:
        raise PageError(f"{shown(url)}: {printable(content_type)[:60]} (expected JSON or HTML of a package index)")
    if len(entries) > MOST_FILES:
        raise PageError(f"{shown(url)}: {len(entries)} files (expected at most {MOST_FILES})")
    files = [file for entry in entries if entry and (file := _file(entry, url, index, project))]
    return Page(files=tuple(files), passed_over=len(entries) - len(files))


def _json_entries(data: bytes, url: str) -> list[_Entry | None]:
    try:
        page = msgspec.json.decode(data, type=_Page)
        entries: list[_Entry | None] = list(page.files)
        version = page.meta.version
    except msgspec.ValidationError:
        try:
            lenient = msgspec.json.decode(data, type=_Lenient)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PageError(
                f"{shown(url)}: not the page of a project (expected its files, as PEP 691 has them)"
            ) from error
        entries, version = [_one_entry(raw) for raw in lenient.files], lenient.meta.version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PageError(f"{shown(url)}: not JSON (expected the page of a project)") from error
    if version.partition(".")[0] != "1":
        raise PageError(f"{shown(url)}: version {printable(version)[:20]} of the API (expected 1)")
    return entries


def _one_entry(raw: msgspec.Raw) -> _Entry | None:
    try:
        return msgspec.json.decode(raw, type=_Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class _Links(HTMLParser):
    """The links of a page; the first ``<base>``."""

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.links: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "base" and self.base is None:
            self.base = found.get("href")
        elif tag == "a" and "href" in found and len(self.links) <= MOST_FILES:
            self.links.append(found)


def _html_entries(data: bytes, url: str) -> tuple[str | None, list[_Entry | None]]:
    parser = _Links()
    try:
        parser.feed(data.decode("utf-8", "replace"))
        parser.close()
    except (AssertionError, ValueError, RecursionError) as error:  # what html.parser raises for some broken markup
        raise PageError(f"{shown(url)}: not HTML (expected the page of a project)") from error
    base = _resolved(parser.base, url) if parser.base else None
    return base, [_html_entry(link) for link in parser.links]


def _html_entry(link: Mapping[str, str]) -> _Entry | None:
    try:
        href, fragment = urldefrag(link["href"].strip())
        filename = unquote(urlsplit(href).path.rpartition("/")[2])
    except ValueError:
        return None
    name, equals, value = fragment.partition("&")[0].partition("=")
    return _Entry(
        filename=filename,
        url=href,
        hashes={name: value} if equals else {},
        requires_python=link.get("data-requires-python"),
        yanked=link.get("data-yanked", False),
        core_metadata="data-core-metadata" in link or "data-dist-info-metadata" in link,
    )


def _file(entry: _Entry, url: str, index: str, project: str | None) -> IndexFile | None:
    name = entry.filename
    owner = project if project is not None else ""
    if not is_distribution_file(name) or (project is not None and version_in(name, project) is None):
        return None
    place = _resolved(entry.url, url)
    if place is None:
        return None
    metadata = entry.core_metadata or entry.dist_info_metadata or entry.data_dist_info_metadata
    return IndexFile(
        filename=name,
        project=owner,
        url=place,
        index=index,
        hashes=_hashes(entry.hashes.items()),
        requires_python=_text(entry.requires_python),
        yanked=None if entry.yanked is False else _text("" if entry.yanked is True else entry.yanked),
        upload_time=entry.upload_time if entry.upload_time and _TIME.fullmatch(entry.upload_time) else None,
        size=entry.size if entry.size is not None and 0 <= entry.size < 1 << 50 else None,
        core_metadata=bool(metadata) or isinstance(metadata, dict),
    )


def _hashes(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    found = (f"{name}={value.lower()}" for name, value in pairs)
    return tuple(sorted(each for each in found if _HASH.fullmatch(each)))


def _text(text: str | None) -> str | None:
    return None if text is None else printable(text[:_LONGEST])


def _resolved(link: str, url: str) -> str | None:
    """Where a link leads, without user, password and fragment; ``None`` where it may not lead.

    A page from the network may not name files of this machine.
    """
    try:
        if not link.startswith("https://") or "#" in link:
            link = urldefrag(urljoin(url, link)).url
        parts = urlsplit(link)
        if "@" in parts.netloc:
            link = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        port_is_known = parts.port is None or parts.port > 0
    except ValueError:
        return None
    local = parts.scheme == "file" and not parts.netloc and url.startswith("file:")
    remote = parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_known
    return link if (local or remote) and _URL.fullmatch(link) else None
