"""The catalogue joined with the locks at hand: what ``envsync images`` shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from envsync.errors import LockError
from envsync.lock.store import lock_path
from envsync.model import Source
from envsync.official.catalogue import Citation, OfficialImage, OfficialTag, Status, catalogue
from envsync.official.data import data_folder
from envsync.reference import ImageName

Place = Literal["local", "shipped"]


class LockAtHand(Struct, frozen=True, kw_only=True, tag_field="state", tag="readable"):
    """A lock directory and where its facts are from."""

    place: Place
    path: str
    source: Source


class DamagedLock(Struct, frozen=True, kw_only=True, tag_field="state", tag="damaged"):
    """A lock directory that cannot be read."""

    place: Place
    path: str
    problem: str
    hint: str | None = None


class ImageRow(Struct, frozen=True, kw_only=True):
    """One tag of the catalogue; ``None`` means that no source says."""

    reference: str
    repository: str
    tag: str
    description: str
    kind: Literal["pip", "conda"]
    python: str | None
    python_note: str | None
    base_os: str | None
    base_os_note: str | None
    user: str | None
    user_note: str | None
    status: Status | None
    status_note: str | None
    moving: bool | None
    sources: tuple[Citation, ...]
    lock: LockAtHand | DamagedLock | None


def rows(
    lock_roots: Sequence[Path],
    read_source: Callable[[Path], Source | None],
    *,
    images: Sequence[OfficialImage] | None = None,
    shipped: Path | None = None,
) -> tuple[ImageRow, ...]:
    """One row for each tag of the catalogue.

    Args:
        lock_roots: folders of lock directories; of several locks of one tag that of the first root counts.
        read_source: the source of the snapshot in a lock directory; ``None`` where there is no lock.
        images: the catalogue; envsync's own by default.
        shipped: which of the roots came with envsync; :func:`data_folder` by default.

    Raises:
        CatalogueError: the catalogue is damaged. (A damaged lock becomes a :class:`DamagedLock`.)
    """
    shipped = (shipped or data_folder("lockfiles")).resolve()
    roots: list[tuple[Path, Place]] = [
        (root, "shipped" if root.resolve() == shipped else "local") for root in lock_roots
    ]
    return tuple(
        _row(image, tag, _lock(image.name(tag), roots, read_source))
        for image in (catalogue() if images is None else images)
        for tag in image.tags
    )


def _row(image: OfficialImage, tag: OfficialTag, lock: LockAtHand | DamagedLock | None) -> ImageRow:
    return ImageRow(
        reference=f"{image.repository}:{tag.tag}",
        repository=image.repository,
        tag=tag.tag,
        description=image.description,
        kind=image.kind,
        python=tag.python,
        python_note=tag.python_note,
        base_os=tag.base_os,
        base_os_note=tag.base_os_note,
        user=tag.user,
        user_note=tag.user_note,
        status=tag.status,
        status_note=tag.status_note,
        moving=tag.moving,
        sources=tag.sources,
        lock=lock,
    )


def _lock(
    name: ImageName, roots: Sequence[tuple[Path, Place]], read_source: Callable[[Path], Source | None]
) -> LockAtHand | DamagedLock | None:
    for root, place in roots:
        path = lock_path(root, name)
        try:
            source = read_source(path)
        except LockError as error:
            return DamagedLock(place=place, path=str(path), problem=error.message, hint=error.hint)
        if source is not None:
            return LockAtHand(place=place, path=str(path), source=source)
    return None
