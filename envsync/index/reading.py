"""Members of wheels that are elsewhere, of which only a few pieces are fetched."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from envsync.errors import PackageIndexError
from envsync.http.urls import shown
from envsync.index.kept import Kept
from envsync.index.page import IndexFile
from envsync.index.transport import Answer, Transport
from envsync.index.wheel_tail import Member, Span, WheelError, directory_span, parse_directory, unpack
from envsync.redaction import printable

LARGEST_WHOLE = 64 << 20
"""Bytes of a wheel that is fetched whole, because its server gives no pieces."""

TAIL = 64 << 10
_BEFORE = 48 << 10
"""Bytes before the directory, at least, that come with it: dist-info is mostly the last of a wheel."""
_GAP = 32 << 10
"""Bytes between two pieces that are fetched along, rather than asked for twice."""
_TOGETHER = 64 << 20
"""Bytes of all members that are read of one wheel."""
_KIND = "member-1"
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class _Source(Protocol):
    """Bytes of a wheel, wherever it is."""

    total: int

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""


class _Kept(Struct, array_like=True):
    names: list[str]
    members: dict[str, bytes]


def read_members(
    file: IndexFile, wanted: Callable[[str], bool], transport: Transport, cache: Kept | None, *, offline: bool
) -> dict[str, bytes]:
    """The members of a wheel whose names are wanted.

    Raises:
        PackageIndexError: it cannot be had, is damaged, or made to do harm.
    """
    key = _key(file) if cache is not None else None
    kept = _known(cache, key)
    if kept is not None:
        names = [name for name in kept.names if wanted(name)]
        if all(name in kept.members for name in names):
            return {name: kept.members[name] for name in names}
    if offline and not file.url.startswith("file:"):
        raise PackageIndexError(f"{file.filename}: not asked for: without the network, and it was not read before")
    source = _open(file, transport)
    members = _directory(source, file.filename)
    found = _contents(source, [member for member in members if wanted(member.name)], file.filename)
    if cache is not None and key is not None:
        every = {**(kept.members if kept else {}), **found}
        entry = _Kept([member.name for member in members], every)
        cache.put(_KIND, key, zlib.compress(msgspec.msgpack.encode(entry), 1))
    return found


def _key(file: IndexFile) -> str | None:
    """Of the place too: of pieces no hash is verified, and no index answers for the files of another."""
    if file.sha256 is None or file.url.startswith("file:"):
        return None
    return hashlib.sha256(f"{file.sha256}\n{urlsplit(file.url)._replace(query='').geturl()}".encode()).hexdigest()


def _known(cache: Kept | None, key: str | None) -> _Kept | None:
    data = cache.get(_KIND, key) if cache is not None and key is not None else None
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=_Kept)
    except (msgspec.MsgspecError, zlib.error):
        return None


def _directory(source: _Source, where: str) -> tuple[Member, ...]:
    tail = source.read(Span(max(0, source.total - TAIL), source.total))
    span = directory_span(tail, source.total, where)
    if span.start < source.total - len(tail):
        # RECORD has a line for each member, so it is long where the directory is: some six tenths of it, when packed.
        before = max(_BEFORE, (span.end - span.start) * 3 // 4)
        source.read(Span(max(0, span.start - before), source.total - len(tail)))
    return parse_directory(source.read(span), span, where)


def _contents(source: _Source, members: list[Member], where: str) -> dict[str, bytes]:
    if sum(member.size for member in members) > _TOGETHER:
        raise WheelError(f"{where}: more than {_TOGETHER} bytes in the members that are read")
    if sum(member.span.end - member.span.start for member in members) > 2 * _TOGETHER:  # they may lie about their size
        raise WheelError(f"{where}: more than {2 * _TOGETHER} packed bytes in the members that are read")
    found: dict[str, bytes] = {}
    group: list[Member] = []
    end = 0
    for member in [*sorted(members, key=lambda each: each.span.start), None]:
        if group and (member is None or member.span.start > end + _GAP):
            source.read(Span(group[0].span.start, end))
            for each in group:
                found[each.name] = unpack(each, source.read(each.span), where)
            group = []
        if member is not None:
            group.append(member)
            end = max(end, member.span.end) if len(group) > 1 else member.span.end
    return {member.name: found[member.name] for member in members}


class _Whole:
    """A wheel in memory."""

    def __init__(self, data: bytes) -> None:
        self.total = len(data)
        self._data = data

    def read(self, span: Span) -> bytes:
        return self._data[span.start : span.end]


class _Local:
    """A wheel on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.total = path.stat().st_size
        except OSError as error:
            raise PackageIndexError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error

    def read(self, span: Span) -> bytes:
        try:
            with self._path.open("rb") as stream:
                stream.seek(span.start)
                return stream.read(span.end - span.start)
        except OSError as error:
            raise PackageIndexError(f"{printable(str(self._path))}: cannot be read: {error.strerror}") from error


class _Pieces:
    """A wheel of which pieces are fetched, each once."""

    def __init__(self, file: IndexFile, transport: Transport, total: int, etag: str, tail: bytes) -> None:
        self.total = total
        self._file = file
        self._transport = transport
        self._etag = etag
        self._pieces: list[tuple[int, bytes]] = [(total - len(tail), tail)]

    def read(self, span: Span) -> bytes:
        span = Span(max(0, span.start), min(span.end, self.total))
        position, parts = span.start, []
        while position < span.end:
            piece = next((p for p in self._pieces if p[0] <= position < p[0] + len(p[1])), None)
            if piece is None:
                later = [start for start, _ in self._pieces if position < start < span.end]
                piece = (position, self._fetch(Span(position, min([span.end, *later]))))
                self._pieces.append(piece)
            start, data = piece
            parts.append(data[position - start : span.end - start])
            position = min(span.end, start + len(data))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fetch(self, span: Span) -> bytes:
        def receive(answer: Answer) -> bytes:
            found = _piece(answer, self._file)
            same = not (self._etag and answer.header("ETag") and answer.header("ETag") != self._etag)
            if found is None or found != (span, self.total) or not same:
                raise PackageIndexError(f"{shown(self._file.url)}: gives other bytes than it was asked for")
            return _exactly(answer, span, self._file)

        return self._transport.get(self._file.url, {"Range": f"bytes={span.start}-{span.end - 1}"}, receive)


def _open(file: IndexFile, transport: Transport) -> _Source:
    if file.url.startswith("file:"):
        return _Local(Path(unquote(urlsplit(file.url).path)))
    if file.size is not None and file.size <= TAIL:
        return _whole(file, transport)
    wanted = f"bytes={file.size - TAIL}-{file.size - 1}" if file.size else f"bytes=-{TAIL}"

    def receive(answer: Answer) -> _Source | None:
        if answer.status == 416 or (answer.status >= 400 and answer.status not in (401, 403, 404, 410)):
            return None
        piece = _piece(answer, file)
        if piece is None:
            return _Whole(_checked(answer.load(LARGEST_WHOLE), file))
        span, total = piece
        if span.end != total or span.end - span.start > TAIL:
            raise PackageIndexError(f"{shown(file.url)}: gives other bytes than it was asked for")
        return _Pieces(file, transport, total, answer.header("ETag"), _exactly(answer, span, file))

    # Some servers know no ranges counted from the end, or none beyond the beginning of a short file.
    return transport.get(file.url, {"Range": wanted}, receive) or _whole(file, transport)


def _piece(answer: Answer, file: IndexFile) -> tuple[Span, int] | None:
    """Which piece of how many bytes an answer is; ``None`` for the whole file."""
    if answer.status == 200:
        return None
    if answer.status != 206:
        raise PackageIndexError(f"{shown(file.url)}: answers {answer.status}")
    found = _RANGE.fullmatch(answer.header("Content-Range").strip())
    if found is None or not int(found[1]) <= int(found[2]) < int(found[3]):
        raise PackageIndexError(f"{shown(file.url)}: does not say which bytes it gives")
    return Span(int(found[1]), int(found[2]) + 1), int(found[3])


def _exactly(answer: Answer, span: Span, file: IndexFile) -> bytes:
    data = answer.load(span.end - span.start)
    if len(data) != span.end - span.start:
        raise PackageIndexError(f"{shown(file.url)}: gives fewer bytes than it says")
    return data


def _whole(file: IndexFile, transport: Transport) -> _Source:
    def receive(answer: Answer) -> bytes:
        if answer.status != 200:
            raise PackageIndexError(f"{shown(file.url)}: answers {answer.status}")
        return _checked(answer.load(LARGEST_WHOLE), file)

    return _Whole(transport.get(file.url, {}, receive))


def _checked(data: bytes, file: IndexFile) -> bytes:
    if file.sha256 is not None and hashlib.sha256(data).hexdigest() != file.sha256:
        raise PackageIndexError(f"{shown(file.url)}: its SHA-256 is not the one that the index tells")
    return data
