"""Trees over folders of this machine, for tests that search them or check what is read."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from envsync.catalog import interpreters, libc
from envsync.files import READ_LIMIT, HostTree

_KEPT = re.compile("|".join(f"(?:{pattern})" for pattern in (*interpreters.PATTERNS, *libc.PATTERNS)))


class KeptFiles(HostTree):
    """Refuses to read what no catalog's PATTERNS names: of an image such bytes would not be kept."""

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        found = self.stat(path)
        if found is not None and found.kind == "file":
            assert _KEPT.fullmatch(str(found.path)), f"{found.path} is read, but no pattern keeps its bytes"
        return super().read(path, limit=limit)


class SearchedFolder(KeptFiles):
    """This machine's files under their real names, of which only those in one folder are found by searching."""

    def __init__(self, folder: Path, root: str = "/") -> None:
        super().__init__(root)
        self._folder = folder
        self._prefix = root.rstrip("/")

    def search(self, pattern: str) -> tuple[PurePosixPath, ...]:
        found = []
        for folder, folders, files in os.walk(self._folder):
            links = [name for name in folders if Path(folder, name).is_symlink()]
            for name in files + links:
                path = str(Path(folder, name)).removeprefix(self._prefix)
                if re.fullmatch(pattern, name):
                    found.append(PurePosixPath(path))
        return tuple(sorted(found))


def root_tree(root: Path) -> SearchedFolder:
    """A whole small root file system in a folder of this machine; its links must be relative."""
    return SearchedFolder(root, str(root))


def write(root: Path, path: str, data: bytes | str = b"", mode: int = 0o644) -> Path:
    """Make a file, and its folders, under ``root``."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    file.chmod(mode)
    return file
