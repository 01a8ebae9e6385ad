"""Pushing the images of an archive into a registry, by plain HTTP: neither an engine nor skopeo is needed.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import tarfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import quote, urlsplit

from tests.imagekit.layer import CHUNK, Compression, compress
from tests.imagekit.machine import KitError, cache_folder, locked

MediaTypes = Literal["docker", "oci"]

_TYPES = {
    "docker": {
        "index": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifest": "application/vnd.docker.distribution.manifest.v2+json",
        "config": "application/vnd.docker.container.image.v1+json",
        "none": "application/vnd.docker.image.rootfs.diff.tar",
        "gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "zstd": "application/vnd.docker.image.rootfs.diff.tar.zstd",
    },
    "oci": {
        "index": "application/vnd.oci.image.index.v1+json",
        "manifest": "application/vnd.oci.image.manifest.v1+json",
        "config": "application/vnd.oci.image.config.v1+json",
        "none": "application/vnd.oci.image.layer.v1.tar",
        "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
        "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    },
}
_TIMEOUT = 120
_DAY = 24 * 3600
_CACHED = 1 << 20  # bytes of a layer from which on compressing it takes longer than looking it up


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """What is in the registry now."""

    digest: str
    """Of what the tags name: an index, or the one manifest."""
    manifests: tuple[str, ...]
    """Digests, one an image of the archive."""


def push(
    archive: Path,
    address: str,
    repository: str,
    *tags: str,
    compression: Compression = "gzip",
    media_types: MediaTypes = "docker",
    index: bool = False,
    lowest: int | None = None,
    authorization: str | None = None,
) -> Pushed:
    """Push all images of a ``docker save`` archive, whichever engine or :mod:`tests.imagekit.archive` wrote it.

    Args:
        archive: several images in it become one index, with a manifest for each platform.
        address: ``127.0.0.1:PORT``.
        repository: its name there; what the archive calls its images does not matter.
        tags: without any, only the digest leads to it.
        compression: of the layers.
        media_types: of all documents and layers.
        index: whether one image gets an index, too.
        lowest: only so many layers, counted from the lowest (negative: all but so many).
        authorization: the header for every request.

    Raises:
        KitError: the registry refuses.
    """
    place = Repository(address, repository, authorization)
    types = _TYPES[media_types]
    with tarfile.open(archive) as tar:
        images = json.loads(_member(tar, "manifest.json").read())
        indexed = index or len(images) != 1
        own = () if indexed else tags
        entries = [_push_image(place, tar, image, own, compression, types, lowest) for image in images]
    manifests = tuple(entry["digest"] for entry in entries)
    if not indexed:
        return Pushed(digest=manifests[0], manifests=manifests)
    document = {"schemaVersion": 2, "mediaType": types["index"], "manifests": entries}
    return Pushed(digest=place.put_manifest(document, types["index"], *tags)["digest"], manifests=manifests)


class Repository:
    """One repository, written blob by blob; for images that :func:`push` would not make.

    Every method raises :exc:`KitError` where the registry refuses.
    """

    def __init__(self, address: str, name: str, authorization: str | None = None) -> None:
        self._address = address
        self._name = name
        self._headers = {"Authorization": authorization} if authorization else {}

    def put_blob(self, source: bytes | IO[bytes]) -> dict[str, Any]:
        """Upload a blob unless it is there; digest and size, as a descriptor has them."""
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        digest, size = _hashed(stream)
        stream.seek(0)
        blobs = f"/v2/{self._name}/blobs"
        if self._request("HEAD", f"{blobs}/{digest}", allowed=(200, 404))[0] == 404:
            _, headers, _ = self._request("POST", f"{blobs}/uploads/", allowed=(202,))
            place = urlsplit(headers["Location"])
            target = f"{place.path}?{place.query}{'&' if place.query else ''}digest={quote(digest)}"
            sent = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            self._request("PUT", target, body=stream, headers=sent, allowed=(201,))
        return {"digest": digest, "size": size}

    def put_manifest(self, document: bytes | Mapping[str, Any], media_type: str, *tags: str) -> dict[str, Any]:
        """Upload a manifest or an index, under each tag or else by its digest; its descriptor."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest, size = _hashed(io.BytesIO(data))
        for reference in tags or (digest,):
            path = f"/v2/{self._name}/manifests/{reference}"
            self._request("PUT", path, body=data, headers={"Content-Type": media_type}, allowed=(201,))
        return {"mediaType": media_type, "digest": digest, "size": size}

    def manifest(self, reference: str) -> bytes:
        """The bytes of a manifest or an index, by tag or digest."""
        accepted = ", ".join(types[kind] for types in _TYPES.values() for kind in ("index", "manifest"))
        path = f"/v2/{self._name}/manifests/{reference}"
        return self._request("GET", path, headers={"Accept": accepted}, allowed=(200,))[2]

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        allowed: Sequence[int],
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT, blocksize=CHUNK)
        try:
            connection.request(method, path, body, {**self._headers, **(headers or {})})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise KitError(f"{method} http://{self._address}{path}: {error}") from error
        finally:
            connection.close()
        if answer.status not in allowed:
            told = data.decode(errors="replace")
            raise KitError(f"{method} http://{self._address}{path}: status {answer.status}\n{told}")
        return answer.status, answer.headers, data


# --- one image ---------------------------------------------------------------------------------------


def _push_image(
    place: Repository,
    tar: tarfile.TarFile,
    image: Mapping[str, Any],
    tags: Sequence[str],
    compression: Compression,
    types: Mapping[str, str],
    lowest: int | None,
) -> dict[str, Any]:
    """Push an image of the archive's ``manifest.json``; its entry in an index."""
    layers = [
        {"mediaType": types[compression], **_push_layer(place, _member(tar, name), compression)}
        for name in image["Layers"][:lowest]
    ]
    stored = _member(tar, image["Config"]).read()
    config = json.loads(stored)
    if lowest is not None:
        config["rootfs"]["diff_ids"] = config["rootfs"]["diff_ids"][:lowest]
        config.pop("history", None)  # has an entry for each layer and more
        stored = json.dumps(config).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": types["manifest"],
        "config": {"mediaType": types["config"], **place.put_blob(stored)},
        "layers": layers,
    }
    platform = {key: config[key] for key in ("os", "architecture", "variant", "os.version") if config.get(key)}
    return {**place.put_manifest(document, types["manifest"], *tags), "platform": platform}


def _push_layer(place: Repository, plain: IO[bytes], compression: Compression) -> dict[str, Any]:
    if compression == "none":
        return place.put_blob(plain)
    digest, size = _hashed(plain)
    plain.seek(0)
    with ExitStack() as stack:
        if size < _CACHED:
            packed: IO[bytes] = io.BytesIO()
            compress(plain, packed, compression)
            packed.seek(0)
        else:
            packed = stack.enter_context(_compressed(digest, plain, compression).open("rb"))
        return place.put_blob(packed)


def _compressed(digest: str, plain: IO[bytes], compression: Compression) -> Path:
    """The file of a compressed layer: made now, or kept from an earlier time, for a day after its last use."""
    folder = cache_folder() / "blobs"
    folder.mkdir(exist_ok=True)
    path = folder / f"{digest.partition(':')[2]}.{compression}"
    with locked(f"blob-{path.name}"):
        if not path.exists():
            unfinished = path.with_name(f"{path.name}.partial")
            with unfinished.open("wb") as out:
                compress(plain, out, compression)
            unfinished.replace(path)
        os.utime(path)
    for old in folder.iterdir():
        with suppress(FileNotFoundError):  # another process removed it first
            if old.stat().st_mtime < time.time() - _DAY:
                old.unlink()
    return path


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = tar.extractfile(name)
    if stream is None:
        raise KitError(f"{tar.name!s}: {name} is no file")
    return stream


def _hashed(stream: IO[bytes]) -> tuple[str, int]:
    hasher, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        hasher.update(chunk)
        size += len(chunk)
    return f"sha256:{hasher.hexdigest()}", size
