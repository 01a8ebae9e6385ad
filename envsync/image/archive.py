"""Images in tar archives: what ``docker save`` writes, and tars of OCI layouts. Nothing is unpacked.

https://github.com/moby/docker-image-spec/blob/main/spec.md (``manifest.json``)
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from posixpath import dirname, normpath
from typing import IO, NoReturn

from envsync.errors import CorruptImageError, EnvsyncError, ImageError
from envsync.image.blob import Blob, BlobSource, OpenFile, StoredLayer
from envsync.image.compression import decompress, detect, looks_like
from envsync.image.manifest import (
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    DockerEntry,
    check_layer_count,
    parse_config,
    parse_docker_manifest,
)
from envsync.image.oci import read_layout
from envsync.image.protocol import ConfigFile, Image
from envsync.image.selection import (
    check_platform,
    choose_platform,
    default_platforms,
    full_name,
    listed,
    same_image_name,
)
from envsync.image.stored import StoredImage
from envsync.image.tar import TarEntry, TarReader
from envsync.image.tarheader import BLOCK, FieldError, parse_fields
from envsync.redaction import printable
from envsync.reference import ArchiveFile, Digest, Platform

_MEMBER_LIMIT = 200_000
_HOPS = 40
_PLATFORM_LIMIT = 50
_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.json)?")
_BLOB_PATH = re.compile(r"blobs/sha256/([0-9a-f]{64})")


class _Archive:
    """A :class:`envsync.image.stored.BlobStore` of the members of a tar archive."""

    def __init__(self, file: OpenFile) -> None:
        """Read the list of members.

        Raises:
            ImageError: no archive, or compressed in a way that is not supported.
            CorruptImageError: truncated or malformed.
        """
        self.place = file.place
        self._file = file
        self.members: dict[str, TarEntry] = {}
        whole = Blob(file=file, start=0, size=file.size)
        head = whole.read_at(0, min(file.size, 65536))
        if not file.size or not (head[257:262] == b"ustar" or _is_header(head)):
            raise ImageError(
                f"{self.place}: not an image archive: it looks like {looks_like(head)}"
                " (expected a tar made by docker save, podman save, skopeo or buildx)"
            )
        reader = TarReader(BlobSource(whole), where=self.place)
        for name, entry in reader.entries():
            if len(self.members) >= _MEMBER_LIMIT:
                raise ImageError(f"{self.place}: more than {_MEMBER_LIMIT} members", hint=_EXPORTED)
            self.members[normpath(name).lstrip("/")] = entry
        self.ended = reader.ended

    def find(self, path: str) -> Blob | None:
        """See :meth:`envsync.image.stored.BlobStore.find`. Links are followed within the archive."""
        for _ in range(_HOPS):
            entry = self.members.get(path)
            if entry is None:
                return None
            match entry.kind:
                case "file" if entry.sparse is None:
                    return Blob(file=self._file, start=entry.offset, size=entry.size)
                case "symlink":
                    path = normpath(f"{dirname(path)}/{entry.link}").lstrip("/")
                case "hardlink":
                    path = normpath(entry.link).lstrip("/")
                case _:
                    return None
        return None

    def close(self) -> None:
        """See :meth:`envsync.image.stored.BlobStore.close`."""
        self._file.close()


_EXPORTED = "It looks like a file system, as docker export writes it: use docker save instead."


def _is_header(head: bytes) -> bool:
    """Whether a v7 archive begins here, which has no magic: by its checksum. Also an empty archive."""
    try:
        return len(head) >= BLOCK and (parse_fields(memoryview(head)[:BLOCK]) is not None or len(head) >= 2 * BLOCK)
    except FieldError:
        return False


def open_archive(reference: ArchiveFile, platform: Platform | None) -> Image:
    """Open one image of an archive; the archive itself may be compressed with gzip or zstd.

    Raises:
        ImageError: no such file, name or platform; no image archive; several images and no name.
        CorruptImageError: truncated, malformed, or with a wrong digest.
    """
    if os.path.isdir(reference.path):  # noqa: PTH112 - pathlib raises for a name too long
        raise ImageError(f"{reference.path}: a folder (expected a file)", hint=f"For a layout: oci:{reference.path}")
    file = _uncompressed(OpenFile.open(reference.path))
    try:
        archive = _Archive(file)
        if reference.format == "oci-archive":
            return read_layout(archive, reference.name, platform)
        return _read_docker(archive, reference.name, platform)
    except EnvsyncError:
        file.close()
        raise


def open_saved(stream: IO[bytes]) -> Image:
    """Open the one image in what an engine gave as ``docker save``, in a file that has no name.

    ``stream`` is flushed and seekable, and stays open as long as the image is used.

    Raises:
        ImageError: it holds no image, or several.
        CorruptImageError: truncated, malformed, or with a wrong digest.
    """
    return _read_docker(_Archive(OpenFile(stream, "docker save")), None, None)


def _uncompressed(file: OpenFile) -> OpenFile:
    """``file`` itself, or an unlinked temporary file with its plain bytes."""
    try:
        whole = Blob(file=file, start=0, size=file.size)
        compression = detect(whole.read_at(0, min(8, file.size)), where=file.place)
        if compression == "none":
            return file
        plain = tempfile.TemporaryFile(prefix="envsync-", buffering=0)  # noqa: SIM115 - closed by OpenFile
    except EnvsyncError:
        file.close()
        raise
    try:
        for chunk in decompress(whole.chunks(), compression, where=file.place):
            plain.write(chunk)
    except EnvsyncError:
        plain.close()
        raise
    except OSError as error:
        plain.close()
        raise ImageError(
            f"{file.place}: cannot be decompressed into {tempfile.gettempdir()}: {error.strerror}",
            hint="Set TMPDIR to a folder with more room, or decompress the archive yourself.",
        ) from error
    finally:
        file.close()
    return OpenFile(plain, file.place)


def _read_docker(archive: _Archive, name: str | None, platform: Platform | None) -> StoredImage:
    where = f"{archive.place}: manifest.json"
    manifest = archive.find("manifest.json")
    if manifest is None:
        _refuse(archive)
    entries = parse_docker_manifest(manifest.read_verified(None, limit=MANIFEST_LIMIT, where=where), where=where)
    chosen = _choose_name(entries, name, archive.place)
    if len(chosen) > _PLATFORM_LIMIT:
        raise CorruptImageError(
            f"{where}: {len(chosen)} images of one name (expected at most {_PLATFORM_LIMIT}, one a platform)"
        )
    entry = chosen[0]
    if len(chosen) > 1:
        platforms = [(_read_config(archive, each).platform, each) for each in chosen]
        entry = choose_platform(platforms, platform, where=archive.place, defaults=default_platforms())
    config = _read_config(archive, entry)
    check_platform(platform, config.platform, where=archive.place)
    layers = entry.layers or []
    check_layer_count(config, len(layers), where=archive.place)
    return StoredImage(
        name=_name_of(entry, name),
        digest=None,
        config=config,
        layers=tuple(
            _open_layer(archive, path, diff_id, f"{archive.place}: layer {number} of {len(layers)}")
            for number, (path, diff_id) in enumerate(zip(layers, config.diff_ids, strict=True), 1)
        ),
        release=archive.close,
    )


def _refuse(archive: _Archive) -> NoReturn:
    hint = None
    if archive.find("index.json") is not None:
        hint = f"It is an OCI layout: use oci-archive:{archive.place}"
    elif archive.find("repositories") is not None:
        hint = "It was made by a Docker older than 1.10: load it into a current one and save it again."
    elif not archive.ended:
        raise CorruptImageError(
            f"{archive.place}: truncated: no manifest.json, and no mark of the archive's end",
            hint="Save or copy the image again.",
        )
    elif not {"etc", "usr", "bin"}.isdisjoint(name.partition("/")[0] for name in archive.members):
        hint = _EXPORTED
    raise ImageError(f"{archive.place}: no manifest.json (expected what docker save writes)", hint=hint)


def _choose_name(entries: Sequence[DockerEntry], name: str | None, where: str) -> list[DockerEntry]:
    """The entries that a name means: more than one only where they are one image for several platforms."""
    if not entries:
        raise ImageError(f"{where}: holds no image")
    labels = listed(label for entry in entries for label in entry.repo_tags or [_image_id(entry)])
    hint = "Name one of these after a colon."
    if name is not None:
        chosen = [entry for entry in entries if _is_called(entry, name)]
        if not chosen:
            raise ImageError(f"{where}: no image named {name!r} (at hand: {labels})", hint=hint)
        return chosen
    if len({tuple(entry.repo_tags or [_image_id(entry)]) for entry in entries}) > 1:
        raise ImageError(f"{where}: holds several images (at hand: {labels})", hint=hint)
    return list(entries)


def _image_id(entry: DockerEntry) -> str:
    found = _NAMED_BY_DIGEST.fullmatch(entry.config)
    return found[1][:12] if found else entry.config


def _is_called(entry: DockerEntry, name: str) -> bool:
    if any(same_image_name(name, tag) for tag in entry.repo_tags or ()):
        return True
    found = _NAMED_BY_DIGEST.fullmatch(entry.config)
    return found is not None and len(name) >= 12 and found[1].startswith(name.removeprefix("sha256:"))


def _name_of(entry: DockerEntry, asked: str | None) -> str | None:
    tags = entry.repo_tags or []
    chosen = [tag for tag in tags if asked is not None and same_image_name(asked, tag)] or tags
    return next((full for full in map(full_name, chosen) if full), None)


def _read_config(archive: _Archive, entry: DockerEntry) -> ConfigFile:
    where = f"{archive.place}: config {printable(entry.config)}"
    blob = archive.find(normpath(entry.config))
    if blob is None:
        raise CorruptImageError(f"{where}: missing")
    found = _NAMED_BY_DIGEST.fullmatch(entry.config)
    digest = Digest(f"sha256:{found[1]}") if found else None
    return parse_config(blob.read_verified(digest, limit=CONFIG_LIMIT, where=where), where=where)


def _open_layer(archive: _Archive, path: str, diff_id: Digest, place: str) -> StoredLayer:
    blob = archive.find(normpath(path))
    if blob is None:
        raise CorruptImageError(f"{place}: {printable(path)} is missing")
    found = _BLOB_PATH.fullmatch(path)
    digest = Digest(f"sha256:{found[1]}") if found else None
    return StoredLayer(diff_id=diff_id, digest=digest, blob=blob, place=place)
