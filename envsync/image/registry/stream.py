"""The bytes of a layer as they arrive; a connection that breaks off is taken up where it was.

https://www.rfc-editor.org/rfc/rfc9110#section-14
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from envsync.errors import CorruptImageError, RegistryError
from envsync.http.urls import host, shown
from envsync.image.manifest import Descriptor
from envsync.image.registry.client import Client
from envsync.image.registry.problems import UnreachableError
from envsync.image.registry.transport import Answer
from envsync.redaction import printable

_RESUMES = 5
"""In a row, which may bring less than :data:`_PROGRESS` together."""
_PROGRESS = 1 << 20
_MIB = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_PUSH_AGAIN = "The image in the registry is damaged: push it again."


def chunks(client: Client, descriptor: Descriptor, place: str) -> Generator[memoryview, None, None]:
    """All bytes of a blob, in chunks of about a MiB.

    Args:
        client: where to get it.
        descriptor: its digest, which is not verified here, and its size, which is.
        place: names it in messages.

    Raises:
        RegistryError: it cannot be had, or the connection breaks off again and again.
        CorruptImageError: it is longer or shorter than ``descriptor`` says.
    """
    position, mark, resumes = 0, 0, 0
    while True:
        answer = client.blob(descriptor.digest, position)
        try:
            for chunk in _received(answer, descriptor, position, place):
                position += len(chunk)
                yield chunk
        except UnreachableError as error:
            progress = position - mark >= _PROGRESS
            if progress:
                resumes, mark = 0, position
            if resumes == _RESUMES:
                raise RegistryError(
                    f"{place}: {error.reason}, again and again: {position} of {descriptor.size} bytes came",
                    hint="Try again, or where the network is better: docker save, and docker-archive:FILE here.",
                ) from error
            resumes += 1
            if not progress:
                client.patience.pause(resumes)
        else:
            return
        finally:
            answer.close()


def _received(answer: Answer, descriptor: Descriptor, start: int, place: str) -> Iterator[memoryview]:
    """The bytes from ``start`` to the end of the blob."""
    begin, end = _range(answer, descriptor, start, place)
    _check_length(answer, descriptor, begin, end, place)
    position = begin
    while position < end or answer.length is None:
        data = memoryview(answer.receive(_MIB))
        if not data:
            break
        skipped = max(0, start - position)
        position += len(data)
        if position > end:
            raise _wrong_length(answer, descriptor, f"more than {descriptor.size}", place)
        if len(data) > skipped:
            yield data[skipped:]
    if position < end and answer.delimited:
        raise _wrong_length(answer, descriptor, str(position), place)
    if position < descriptor.size:
        raise UnreachableError(place, f"the connection to {host(answer.url)} ended early")


def _range(answer: Answer, descriptor: Descriptor, start: int, place: str) -> tuple[int, int]:
    """Which bytes an answer brings: from the first to before the second number."""
    where = f"{place}: {shown(answer.url)}"
    if answer.status == 416:
        raise CorruptImageError(
            f"{where}: no bytes after the first {start} (expected {descriptor.size}, {descriptor.digest})",
            hint=_PUSH_AGAIN,
        )
    if answer.status == 200:
        return 0, descriptor.size
    found = _CONTENT_RANGE.fullmatch((answer.header("Content-Range") or "").strip().lower())
    if found is not None:
        first, last, total = int(found[1]), int(found[2]), found[3]
        if first == start <= last < descriptor.size and total in ("*", str(descriptor.size)):
            return first, last + 1
    said = printable(answer.header("Content-Range") or "none")[:80]
    raise RegistryError(f"{where}: another range than was asked for: {said} (expected bytes {start}-)")


def _check_length(answer: Answer, descriptor: Descriptor, begin: int, end: int, place: str) -> None:
    if answer.length is not None and answer.length != end - begin:
        raise _wrong_length(answer, descriptor, str(begin + answer.length), place)


def _wrong_length(answer: Answer, descriptor: Descriptor, found: str, place: str) -> CorruptImageError:
    return CorruptImageError(
        f"{place}: {shown(answer.url)}: {found} bytes (expected {descriptor.size}, {descriptor.digest})",
        hint=_PUSH_AGAIN,
    )
