"""What the user's package indexes have: files of pinned versions, members of wheels, whole files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from envsync.cache import Cache
from envsync.errors import PackageIndexError
from envsync.http.urls import shown
from envsync.index.access import IndexSettings
from envsync.index.answers import Listed, Pin, Unanswered
from envsync.index.credentials import Credentials
from envsync.index.download import fetch_file, hash_of
from envsync.index.kept import Kept
from envsync.index.page import IndexFile
from envsync.index.pages import Listing, Pages
from envsync.index.reading import read_members
from envsync.index.threads import concurrently
from envsync.index.transport import Timeouts, Transport
from envsync.names import is_distribution_name, normalized
from envsync.redaction import printable

MOST_VERSIONS = 500
"""That are told of one project: the newest."""


class Stats(Struct, frozen=True, kw_only=True):
    """What went over the network."""

    requests: int
    received: int
    """Bytes of bodies."""


class _Found(Struct):
    """What was learnt of one project."""

    listings: list[Listing]
    problems: list[str]


class Indexes:
    """The indexes of the user's configuration; a context, whose end closes all connections."""

    def __init__(
        self,
        settings: IndexSettings,
        *,
        cache: Cache | None = None,
        offline: bool = False,
        on_problem: Callable[[str], None] = lambda _line: None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
    ) -> None:
        """``on_problem`` is told, in one line each, what keeps an index or a login from being used."""
        self.settings = settings
        self._kept = Kept(cache) if cache is not None else None
        self._offline = offline
        self._on_problem = on_problem
        self._told: set[str] = set()
        self._lock = Lock()
        self._transport = Transport(settings, Credentials(settings, self._tell), timeouts)
        self._pages = Pages(self._transport, self._kept, offline=offline)

    def __enter__(self) -> Indexes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections; once it returns, nothing is written to the cache."""
        if self._kept is not None:
            self._kept.close()
        self._transport.close()

    @property
    def stats(self) -> Stats:
        """What went over the network until now."""
        return Stats(requests=self._transport.requests, received=self._transport.received)

    def find(self, pins: Iterable[Pin]) -> dict[Pin, Listed | Unanswered]:
        """What the indexes have of each; where they do not answer, that is part of the result.

        Raises:
            UsageError: a proxy, or certificates, that the environment names cannot be used.
        """
        wanted = list(dict.fromkeys(pins))
        asked = list(dict.fromkeys(normalized(pin.name) for pin in wanted if is_distribution_name(pin.name)))
        _ = self._links  # once, before there are threads
        found = dict(zip(asked, concurrently(self._of_project, asked), strict=True))
        return {pin: self._answer(pin, found.get(normalized(pin.name))) for pin in wanted}

    def members(self, file: IndexFile, wanted: Callable[[str], bool]) -> dict[str, bytes]:
        """The members of a wheel whose names are wanted, of which as little as possible is fetched.

        They are the server's word: only of a whole file can the hash be verified.

        Raises:
            PackageIndexError: it cannot be had, is damaged, or made to do harm.
        """
        return read_members(file, wanted, self._transport, self._kept, offline=self._offline)

    def many_members(
        self, wanted: Mapping[IndexFile, Callable[[str], bool]]
    ) -> dict[IndexFile, dict[str, bytes] | PackageIndexError]:
        """:meth:`members` of several wheels at once; what cannot be had is a value too."""

        def one(file: IndexFile) -> dict[str, bytes] | PackageIndexError:
            try:
                return self.members(file, wanted[file])
            except PackageIndexError as error:
                return error

        return dict(zip(wanted, concurrently(one, wanted), strict=True))

    def download(self, file: IndexFile, folder: Path) -> Path:
        """Put a whole file into a folder, once its hash is right, and return its path.

        Raises:
            PackageIndexError: it cannot be had or written, or is not what the index tells.
        """
        return fetch_file(file, folder, self._transport, offline=self._offline)

    @cached_property
    def _links(self) -> tuple[list[dict[str, Listing]], list[str]]:
        listings, problems = [], []
        for place in self.settings.find_links:
            try:
                listings.append(self._pages.of_links(place))
            except PackageIndexError as error:
                problems.append(error.message)
                self._tell(error.message)
        return listings, problems

    def _of_project(self, project: str) -> _Found:
        links, problems = self._links
        found = _Found([each[project] for each in links if project in each], list(problems))
        for index in () if self.settings.no_index else self.settings.indexes:
            try:
                listing = self._pages.of_project(index.url, project)
            except PackageIndexError as error:
                found.problems.append(error.message)
                self._tell(error.message)
                if self.settings.first_index_only:
                    break  # what counts more might have it: what counts less must not take its place
                continue
            if listing.known:
                found.listings.append(listing)
                if self.settings.first_index_only:
                    break
        return found

    def _answer(self, pin: Pin, found: _Found | None) -> Listed | Unanswered:
        if found is None:
            return Unanswered(reason=f"{printable(pin.name)[:100]}: not a name that an index can have", absent=True)
        if not found.listings:
            places = ", ".join(map(shown, self.settings.places)) or "no index is configured"
            reason = "; ".join(found.problems) or f"not on {places}" if self.settings.places else places
            return Unanswered(reason=reason, absent=not found.problems)
        project = normalized(pin.name)
        files: dict[tuple[str, str | None], IndexFile] = {}
        for listing in found.listings:
            for file in map(_with_hash, listing.of_version(project, pin.version)):
                files.setdefault((file.filename, file.sha256), file)
        spellings = set().union(*(listing.spellings(project) for listing in found.listings))
        mine = {file.version for file in files.values()}
        return Listed(
            files=tuple(files.values()), other_versions=_sorted(spellings - mine), unanswered=tuple(found.problems)
        )

    def _tell(self, line: str) -> None:
        with self._lock:
            new = line not in self._told
            self._told.add(line)
        if new:
            self._on_problem(line)


def _with_hash(file: IndexFile) -> IndexFile:
    """Files of this machine come without one, as they lie in a folder."""
    if file.hashes or not file.url.startswith("file:"):
        return file
    try:
        return replace(file, hashes=(hash_of(Path(unquote(urlsplit(file.url).path)), "sha256"),))
    except OSError:
        return file


def _sorted(versions: Iterable[str]) -> tuple[str, ...]:
    from packaging.version import InvalidVersion, Version

    found: dict[Version, str] = {}
    for text in sorted(versions):
        try:
            found.setdefault(Version(text), text)
        except (InvalidVersion, ValueError):
            continue
    return tuple(found[version] for version in sorted(found)[-MOST_VERSIONS:])
