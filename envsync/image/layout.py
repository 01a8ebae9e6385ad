"""Images in an OCI image layout folder."""

from __future__ import annotations

import os
from pathlib import Path

from envsync.errors import EnvsyncError, ImageError
from envsync.image.blob import Blob, OpenFile
from envsync.image.oci import read_layout
from envsync.image.protocol import Image
from envsync.reference import LayoutFolder, Platform


class _Folder:
    """A :class:`envsync.image.stored.BlobStore` of files."""

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._files: dict[str, OpenFile] = {}

    def find(self, path: str) -> Blob | None:
        """See :meth:`envsync.image.stored.BlobStore.find`."""
        if path not in self._files:
            if not (self._path / path).exists():
                return None
            self._files[path] = OpenFile.open(self._path / path)
        file = self._files[path]
        return Blob(file=file, start=0, size=file.size)

    def close(self) -> None:
        """See :meth:`envsync.image.stored.BlobStore.close`."""
        for file in self._files.values():
            file.close()


def open_layout(reference: LayoutFolder, platform: Platform | None) -> Image:
    """Open one image of an OCI layout folder.

    Raises:
        ImageError: there is no such folder, tag or platform, or several images and no tag.
        CorruptImageError: a file is missing, malformed or has a wrong digest.
    """
    path = reference.path
    # pathlib raises for a name too long, or in a folder that may not be looked into.
    if os.path.isfile(path):  # noqa: PTH113
        raise ImageError(f"{path}: a file (expected a folder)", hint=f"For a tar of a layout: oci-archive:{path}")
    if not os.path.isdir(path):  # noqa: PTH112
        raise ImageError(f"{path}: no such folder")
    store = _Folder(path)
    try:
        return read_layout(store, reference.tag, platform)
    except EnvsyncError:
        store.close()
        raise
