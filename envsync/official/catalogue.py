"""The catalogue of official images: ``images/*.toml``, one file a repository.

A fact that no source gives is absent, and every fact that is there has a source. TOML: https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from envsync.errors import EnvsyncError, ReferenceSyntaxError
from envsync.model import Doubt
from envsync.official.data import data_folder
from envsync.reference import ImageName

Fact = Literal["kind", "description", "tag", "python", "base_os", "user", "status", "moving"]
Status = Literal["current", "deprecated", "gone"]
Text = Annotated[str, Meta(min_length=1)]
Url = Annotated[str, Meta(pattern=r"^https?://[!-~]+$")]

_IMAGE_FACTS: tuple[Fact, ...] = ("kind", "description")
_TAG_FACTS: tuple[Fact, ...] = ("tag", "python", "base_os", "user", "status", "moving")


class CatalogueError(EnvsyncError):
    """A file of the catalogue, or a published list, that is damaged."""


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all parts of the catalogue."""


class Citation(Entry, frozen=True, kw_only=True):
    """What one source says, and which facts rest on it."""

    facts: Annotated[tuple[Fact, ...], Meta(min_length=1)]
    url: Url
    date: Text
    """As far as the source tells: ``2019-12-24``, or words such as ``undated``."""
    says: Text


class PublishedList(Entry, frozen=True, kw_only=True):
    """A complete list of distributions that somebody published for a tag."""

    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.txt$")]
    """Its name in the folder ``published``."""
    records: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.tsv$")] | None = None
    """Of conda packages: the table beside it with their channels, hashes and dependencies."""
    python: Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$")] | None = None
    """Where the list tells, and no source says it of the tag."""
    platform: Annotated[str, Meta(pattern=r"^linux/[a-z0-9]+$")] | None = None
    """``linux/amd64``: what the list is for, where it is not for all."""
    url: Url
    date: Text
    completeness: Text
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[Text, ...] = ()


class OfficialTag(Entry, frozen=True, kw_only=True):
    """One tag. ``None``: no source says. A note: how far to trust it, or why there is none."""

    tag: Text
    python: Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$")] | None = None
    """``3.9.2``; ``3.9`` where no more is known."""
    python_note: Text | None = None
    base_os: Text | None = None
    """``Debian 10``."""
    base_os_note: Text | None = None
    user: Text | None = None
    """A name; ``not root`` where the name is not known."""
    user_note: Text | None = None
    status: Status | None = None
    """By the publisher's word; ``gone``: it cannot be pulled any more."""
    status_note: Text | None = None
    moving: bool | None = None
    """Whether the tag is pointed at newer images."""
    sources: Annotated[tuple[Citation, ...], Meta(min_length=1)]
    published: PublishedList | None = None


class OfficialImage(Entry, frozen=True, kw_only=True):
    """One repository."""

    repository: Text
    description: Text
    kind: Literal["pip", "conda"]
    sources: Annotated[tuple[Citation, ...], Meta(min_length=1)]
    tags: Annotated[tuple[OfficialTag, ...], Meta(min_length=1)]

    def name(self, tag: OfficialTag) -> ImageName:
        """The image that ``tag`` names."""
        return ImageName.parse(f"{self.repository}:{tag.tag}")


def catalogue(folder: Path | None = None) -> tuple[OfficialImage, ...]:
    """All images of the catalogue, by repository; tags in the order of their file.

    Args:
        folder: where the TOML files are; envsync's own by default.

    Raises:
        CatalogueError: names the file and the key path.
        MissingDataError: envsync's own folder is not there.
    """
    folder = folder or data_folder("images")
    images = []
    for path in sorted(folder.glob("*.toml")):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CatalogueError(f"{path}: cannot be read: {error.strerror}") from error
        image = parse_image(data, str(path))
        if path.stem != image.repository.rpartition("/")[2]:
            raise CatalogueError(f"{path}: repository: {image.repository!r} (expected one that ends in {path.stem!r})")
        images.append(image)
    for repository in _repeated(image.repository for image in images):
        raise CatalogueError(f"{folder}: repository {repository!r} is in more than one file")
    return tuple(sorted(images, key=lambda image: image.repository))


def parse_image(data: bytes, where: str) -> OfficialImage:
    """Parse one file of the catalogue; ``where`` names it in errors.

    Raises:
        CatalogueError: no TOML, or a key (named) that is wrong, missing, unknown or without a source.
    """
    try:
        image = msgspec.toml.decode(data, type=OfficialImage)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$")
        key = at.rstrip("`").lstrip(".")
        raise CatalogueError(f"{where}: {key}: {what}" if key else f"{where}: {what}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogueError(f"{where}: not TOML: {error}") from error
    if problems := list(_problems(image)):
        raise CatalogueError("\n".join(f"{where}: {problem}" for problem in problems))
    return image


def _problems(image: OfficialImage) -> Iterator[str]:
    yield from _unsupported("", image.sources, _IMAGE_FACTS, _IMAGE_FACTS)
    for tag in _repeated(entry.tag for entry in image.tags):
        yield f"tags: {tag!r} is there more than once"
    for index, entry in enumerate(image.tags):
        at = f"tags[{index}]"
        try:
            image.name(entry)
        except ReferenceSyntaxError as error:
            yield f"{at}.tag: {error.message}"
        if entry.published is not None and (entry.published.records is not None) != (image.kind == "conda"):
            yield f"{at}.published.records: belongs to the list of a conda image, and to no other"
        stated = tuple(fact for fact in _TAG_FACTS if getattr(entry, fact) is not None)
        yield from _unsupported(f"{at}.", entry.sources, stated, _TAG_FACTS)


def _unsupported(
    at: str, sources: Iterable[Citation], stated: Iterable[Fact], allowed: tuple[Fact, ...]
) -> Iterator[str]:
    """Facts without a source, and sources of facts that are not stated."""
    supported = set()
    for index, citation in enumerate(sources):
        for fact in citation.facts:
            supported.add(fact)
            if fact not in allowed:
                expected = ", ".join(allowed)
                yield f"{at}sources[{index}].facts: {fact!r} is no fact of this (expected one of {expected})"
            elif fact not in stated:
                yield f"{at}sources[{index}].facts: {fact!r} has no value here"
    for fact in stated:
        if fact not in supported:
            yield f"{at}{fact}: no source names it in its facts"


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, times in Counter(values).items() if times > 1]
