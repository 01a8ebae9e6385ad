"""An image in a registry: what its tag stands for, its manifest and config, and its layers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from msgspec import Struct

from envsync.errors import EnvsyncError
from envsync.image.manifest import (
    CONFIG_LIMIT,
    Descriptor,
    Index,
    Manifest,
    check_readable,
    parse_config,
    parse_manifest,
)
from envsync.image.protocol import ConfigFile
from envsync.image.registry.access import Access, KnownBlobs
from envsync.image.registry.client import Client, Document
from envsync.image.registry.credentials import Logins
from envsync.image.registry.retry import Clock
from envsync.image.registry.stream import chunks
from envsync.image.selection import choose_manifest, default_platforms, named_layers, read_config, read_manifest
from envsync.reference import Digest, ImageName, Platform


class RegistryLayer(Struct, frozen=True, kw_only=True):
    """A layer that is received each time it is opened; implements :class:`envsync.image.protocol.Layer`."""

    client: Client
    descriptor: Descriptor
    diff_id: Digest
    place: str

    @property
    def digest(self) -> Digest:
        """See :attr:`envsync.image.protocol.Layer.digest`."""
        return self.descriptor.digest

    @property
    def size(self) -> int:
        """See :attr:`envsync.image.protocol.Layer.size`."""
        return self.descriptor.size

    @contextmanager
    def open(self) -> Iterator[Iterator[memoryview]]:
        """See :meth:`envsync.image.protocol.Layer.open`. Its connection is given up at the end, whatever was read.

        Raises:
            RegistryError: it cannot be had, or the connection breaks off again and again.
        """
        with closing(chunks(self.client, self.descriptor, self.place)) as received:
            yield received

    def __str__(self) -> str:
        return self.place


class RegistryImage(Struct, frozen=True, kw_only=True):
    """Implements :class:`envsync.image.protocol.Image`; its layers can be opened from several threads at once."""

    name: str
    digest: Digest
    """Of what the tag stands for: the index where it is one, as engines record it."""
    config: ConfigFile
    layers: tuple[RegistryLayer, ...]
    client: Client

    def stop(self) -> None:
        """See :meth:`envsync.image.protocol.Image.stop`."""
        self.client.stop()

    def close(self) -> None:
        """See :meth:`envsync.image.protocol.Image.close`."""
        self.client.close()


class _Documents:
    """Manifests and configs, known or from the registry: a :class:`envsync.image.selection.Documents`."""

    def __init__(self, client: Client, known: KnownBlobs | None, place: str) -> None:
        self.place = place
        self._client = client
        self._known = known

    def top(self, name: ImageName) -> Document:
        """What a name stands for."""
        reference = name.digest or name.tag or "latest"
        digest = name.digest
        if digest is None and self._known is not None:
            digest = self._client.digest_of(reference)
        data = None if digest is None else self._remembered(digest)
        if digest is not None and data is not None:
            return Document(digest=digest, data=data)
        document = self._client.manifest(reference)
        self._remember(document.digest, document.data)
        return document

    def holds(self, descriptor: Descriptor) -> bool:
        """See :meth:`envsync.image.selection.Documents.holds`."""
        return True

    def manifest(self, descriptor: Descriptor) -> Manifest | Index:
        """See :meth:`envsync.image.selection.Documents.manifest`."""
        where = f"{self.place}: manifest {descriptor.digest.short}"
        data = self._remembered(descriptor.digest, descriptor.size)
        if data is None:
            data = self._client.manifest(descriptor.digest, size=descriptor.size).data
            self._remember(descriptor.digest, data)
        return parse_manifest(data, where=where)

    def config(self, descriptor: Descriptor) -> ConfigFile:
        """See :meth:`envsync.image.selection.Documents.config`."""
        data = self._remembered(descriptor.digest, descriptor.size)
        if data is None:
            data = self._client.small_blob(descriptor.digest, descriptor.size, limit=CONFIG_LIMIT)
            self._remember(descriptor.digest, data)
        return parse_config(data, where=f"{self.place}: config {descriptor.digest.short}")

    def _remembered(self, digest: Digest, size: int | None = None) -> bytes | None:
        """What is known, if it is what it should be; damaged, it is as good as not known."""
        data = self._known.get(digest) if self._known is not None else None
        if data is None or size not in (None, len(data)):
            return None
        return data if hashlib.new(digest.algorithm, data).hexdigest() == digest.hex else None

    def _remember(self, digest: Digest, data: bytes) -> None:
        if self._known is not None:
            self._known.put(digest, data)


def open_image(
    name: ImageName,
    platform: Platform | None,
    access: Access,
    *,
    known: KnownBlobs | None,
    say: Callable[[str], None],
    defaults: tuple[Platform, ...] | None = None,
    clock: Clock | None = None,
    logins: Logins | None = None,
) -> RegistryImage:
    """See :func:`envsync.image.registry.open_registry`.

    Args:
        name: see there.
        platform: see there.
        access: see there.
        known: see there.
        say: see there.
        defaults: the platforms to take where none was asked for, the first that there is.
        clock: time.
        logins: where the login for a registry comes from.
    """
    client = Client(name, access, say=say, clock=clock or Clock(), logins=logins or Logins())
    try:
        return _open(name, platform, client, known, say, defaults or default_platforms())
    except EnvsyncError:
        client.close()
        raise


def _open(
    name: ImageName,
    platform: Platform | None,
    client: Client,
    known: KnownBlobs | None,
    say: Callable[[str], None],
    defaults: tuple[Platform, ...],
) -> RegistryImage:
    where = str(name)
    documents = _Documents(client, known, where)
    top = documents.top(name)
    document = parse_manifest(top.data, where=where)
    several = isinstance(document, Index)
    if isinstance(document, Index):
        document = read_manifest(documents, choose_manifest(documents, document.manifests, platform, defaults))
    config = read_config(documents, document, platform)
    if several and platform is None and not defaults[0].accepts(config.platform):
        say(f"{where}: no image for {defaults[0]}: reading that for {config.platform}")
    place = f"{name.registry}/{name.repository}"
    return RegistryImage(
        name=where,
        digest=top.digest,
        config=config,
        layers=tuple(
            _layer(client, descriptor, diff_id, layer)
            for descriptor, diff_id, layer in named_layers(document, config, place)
        ),
        client=client,
    )


def _layer(client: Client, descriptor: Descriptor, diff_id: Digest, place: str) -> RegistryLayer:
    check_readable(descriptor, held=False, where=place)
    return RegistryLayer(client=client, descriptor=descriptor, diff_id=diff_id, place=place)
