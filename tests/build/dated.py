"""A package index that tells when its files were uploaded: https://peps.python.org/pep-0700/."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.image.registry_client.server import serving
from tests.imagekit.index_server import ServedIndex


class DatedIndex:
    """An index that is being served."""

    def __init__(self, index: ServedIndex, address: str) -> None:
        self._index = index
        self.url = f"{address}/simple/"

    def add(self, made: tuple[str, bytes], uploaded: str | None) -> None:
        """Add a file, uploaded at midnight UTC of a day; ``None``: that is not told."""
        project = made[0].partition("-")[0].replace("_", "-").lower()
        told = {} if uploaded is None else {"upload_time": f"{uploaded}T00:00:00.000000Z"}
        self._index.add(project, made, **told)


def legacy_sdist(name: str, version: str, setup: str, files: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """An sdist of before PEP 517: a ``setup.py`` and no word of what it needs."""
    stem = f"{name}-{version}"
    metadata = f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in {"setup.py": setup, "PKG-INFO": metadata, **(files or {})}.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", buffer.getvalue()


@contextmanager
def dated_index() -> Iterator[DatedIndex]:
    """Serve an index as long as the block lasts."""
    index = ServedIndex(cache_control="no-cache")  # it changes while it is served
    with serving(index) as server:
        yield DatedIndex(index, server.url)
