"""Snapshots made from lists of packages that somebody published. No image was seen, and they say so."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import InvalidVersion, Version

from envsync.channels import channel_name
from envsync.model import CondaEnvironment, Distribution, Interpreter, ListSource, Snapshot
from envsync.names import normalized
from envsync.official.catalogue import CatalogueError, OfficialImage, OfficialTag, PublishedList, catalogue
from envsync.official.conda_list import conda_packages
from envsync.official.data import data_folder
from envsync.redaction import printable
from envsync.reference import Platform

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def published_snapshots(folder: Path | None = None) -> tuple[Snapshot, ...]:
    """One snapshot for each tag of the catalogue that has a published list.

    Raises:
        CatalogueError: see :func:`snapshot_from_list`.
    """
    return tuple(
        snapshot_from_list(image, tag, folder=folder)
        for image in catalogue(folder)
        for tag in image.tags
        if tag.published is not None
    )


def snapshot_from_list(image: OfficialImage, tag: OfficialTag, *, folder: Path | None = None) -> Snapshot:
    """What a tag's published list tells: the version of Python, and distributions or conda packages.

    Args:
        image: an image of the catalogue.
        tag: one of its tags.
        folder: the catalogue's folder, which has the lists in ``published``; envsync's own by default.

    Raises:
        CatalogueError: the tag has no list or no Python, or the list is damaged or lacks a doubtful value.
    """
    reference = f"{image.repository}:{tag.tag}"
    published = tag.published
    version = tag.python or (published.python if published is not None else None)
    if published is None or version is None:
        lack = "published list" if published is None else "version of Python"
        raise CatalogueError(f"{reference}: the catalogue has no {lack} of it", hint=f"envsync pull {reference}")
    lists = (folder or data_folder("images")) / "published"
    distributions, conda = _contents(published, lists)
    return Snapshot(
        source=ListSource(
            reference=reference,
            url=published.url,
            date=published.date,
            completeness=published.completeness,
            doubts=published.doubts,
            notes=published.notes,
        ),
        platform=Platform.parse(published.platform) if published.platform is not None else None,
        interpreters=(Interpreter(version=version, distributions=distributions),),
        conda=conda,
    )


def _contents(published: PublishedList, lists: Path) -> tuple[tuple[Distribution, ...], tuple[CondaEnvironment, ...]]:
    """What is in a list: distributions, or a conda environment."""
    path = lists / published.file
    text = _text(path)
    if published.records is None:
        distributions = parse_list(text, str(path))
        _check_doubts(published, {(d.name, d.version) for d in distributions}, str(path))
        return distributions, ()
    records = lists / published.records
    packages = conda_packages(text, str(path), _text(records), str(records))
    _check_doubts(published, {(p.name, p.version) for p in packages}, str(path))
    # Whoever made the list gave channels no order: that of the packages, which is one channel in all of them.
    channels = tuple(dict.fromkeys(channel_name(package.channel) for package in packages))
    return (), (CondaEnvironment(channels=channels, packages=packages),)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise CatalogueError(f"{path}: cannot be read: {reason}") from error


def parse_list(text: str, where: str) -> tuple[Distribution, ...]:
    """Parse ``name==version`` lines; empty lines and lines that begin with ``#`` are skipped.

    Names follow https://packaging.python.org/en/latest/specifications/name-normalization/, versions
    https://packaging.python.org/en/latest/specifications/version-specifiers/. Sorted by normalised name.

    Raises:
        CatalogueError: names each line that is something else or repeats a name; or there is none at all.
    """
    found: dict[str, Distribution] = {}
    problems = []
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, _, version = entry.partition("==")
        if not (_NAME.fullmatch(name) and _is_version(version)):
            problems.append(f"{where}, line {number}: {printable(entry)[:80]!r} (expected name==version)")
            continue
        key = normalized(name)
        if key in found:
            problems.append(f"{where}, line {number}: {name} is there already, as {found[key].name}")
        found.setdefault(key, Distribution(name=name, version=version))
    if problems:
        raise CatalogueError("\n".join(problems))
    if not found:
        raise CatalogueError(f"{where}: no distribution in it (expected lines of name==version)")
    return tuple(found[key] for key in sorted(found))


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return text == text.strip()


def _check_doubts(published: PublishedList, listed: set[tuple[str, str]], where: str) -> None:
    """A doubt about a value that the list does not have would be a slip of the catalogue."""
    for doubt in published.doubts:
        if (doubt.name, doubt.value) not in listed:
            raise CatalogueError(f"{where}: {doubt.name}=={doubt.value} is marked as doubtful and not in the list")
