"""``envsync images`` as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from envsync.model import ImageSource, ListSource, LocalSource, Source
from envsync.official.rows import DamagedLock, ImageRow, LockAtHand
from envsync.redaction import printable

_COLUMNS = ("TAG", "PYTHON", "BASE OS", "USER", "STATUS", "LOCK")
_UNKNOWN = "-"
_LEGEND = "* not certain, or not exact; envsync images --json has the notes and the sources"
_NO_LOCK = "No lock of these is at hand. Make one: envsync pull IMAGE"


def render_images_json(rows: Sequence[ImageRow]) -> str:
    """A JSON object: ``schema`` (1) and ``images``, one object a row; what no source says is ``null``."""
    encoded = msgspec.json.encode({"schema": 1, "images": list(rows)}, enc_hook=str)
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def render_images(rows: Sequence[ImageRow], *, width: int = 80, others: Sequence[tuple[str, Source]] = ()) -> str:
    """Aligned columns without colour, one line a tag, then the locks at hand.

    Args:
        rows: of :func:`envsync.official.rows.rows`.
        width: at which the text about locks is wrapped, in characters.
        others: directories and sources of further locks.
    """
    cells = [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *cells, strict=True)]
    lines = [_line(_COLUMNS, widths)]
    for (repository, kind), group in groupby(zip(rows, cells, strict=True), key=lambda pair: _heading(pair[0])):
        lines.append(f"{repository} ({kind})")
        lines += [_line(row_cells, widths) for _, row_cells in group]
    if any("*" in cell for row_cells in cells for cell in row_cells):
        lines += ["", *_wrapped(_LEGEND, width, "")]
    details = [line for row in rows if row.lock is not None for line in _lock_lines(row, row.lock, width)]
    lines += ["", *(["Locks at hand"] if details else [_NO_LOCK]), *details]
    if others:
        lines += ["", "Locks of other images"]
        lines += [line for path, source in others for line in _other_lines(path, source, width)]
    return "\n".join(lines) + "\n"


def _other_lines(path: str, source: Source, width: int) -> Iterator[str]:
    yield from _wrapped(printable(path), width, "  ")
    if isinstance(source, ImageSource):
        digest = (source.digest or source.config_digest).short
        text = f"{source.reference}, {digest}, {source.method}, pulled {source.pulled_at[:10]}"
        yield from _wrapped(printable(text), width, "    ")


def _heading(row: ImageRow) -> tuple[str, str]:
    return row.repository, row.kind


def _cells(row: ImageRow) -> tuple[str, ...]:
    return (
        row.tag,
        _marked(row.python, row.python_note),
        _marked(row.base_os, row.base_os_note),
        _marked(row.user, row.user_note),
        ", ".join(filter(None, (row.status, "moving" if row.moving else None))) or _UNKNOWN,
        _lock_word(row.lock),
    )


def _marked(value: str | None, note: str | None) -> str:
    if not value:
        return _UNKNOWN
    return value + ("*" if note else "")


def _lock_word(lock: LockAtHand | DamagedLock | None) -> str:
    if lock is None:
        return _UNKNOWN
    if isinstance(lock, DamagedLock):
        return "damaged"
    match lock.source:
        case ImageSource():
            return "image"
        case ListSource():
            return "list"
        case LocalSource():
            return "local"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _lock_lines(row: ImageRow, lock: LockAtHand | DamagedLock, width: int) -> Iterator[str]:
    place = "came with envsync" if lock.place == "shipped" else "local"
    yield f"  {row.reference} ({place})"
    for sentence in _sentences(lock):
        yield from _wrapped(printable(sentence), width, "    ")


def _sentences(lock: LockAtHand | DamagedLock) -> Iterator[str]:
    if isinstance(lock, DamagedLock):
        yield f"Damaged: {lock.problem}"
        if lock.hint:
            yield lock.hint
        return
    match lock.source:
        case ImageSource() as source:
            digest = source.digest or source.config_digest
            what = "image" if source.digest else "image ID"
            yield f"From {what} {digest.short}, pulled {source.pulled_at}, method {source.method}."
        case ListSource() as source:
            yield f"From a published list, not from an image. Date of the list: {source.date}."
            yield f"{source.completeness[:1].upper()}{source.completeness[1:]}."
            if source.doubts:
                yield f"Doubtful: {', '.join(f'{doubt.name} {doubt.value}' for doubt in source.doubts)}."
        case LocalSource() as source:
            yield f"From the environment {source.path} on this machine."


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """Lines of at most ``width`` characters; a longer word (a path) stays whole, so that it can be copied."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
