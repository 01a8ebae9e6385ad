"""What uv downloads interpreters by: a list of them, and an archive made of an interpreter of this machine."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

_LEFT_OUT = ("/test/", "/__pycache__/", "site-packages/")


def offer(folder: Path, prefix: Path, **changes: object) -> str:
    """Write both into ``folder``, of an interpreter of pyenv; returns the URL of the list."""
    archive = folder / "python.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name in ("bin", "lib"):
            tar.add(prefix / name, f"python/{name}", filter=_kept)
    major, minor_number, patch = map(int, prefix.name.split("."))
    entry = {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": major,
        "minor": minor_number,
        "patch": patch,
        "prerelease": "",
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "variant": None,
        "build": "20240101",
    }
    listed = folder / "downloads.json"
    listed.write_text(json.dumps({f"cpython-{prefix.name}-linux-x86_64-gnu": {**entry, **changes}}))
    return listed.as_uri()


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    left_out = member.name.endswith(".a") or any(part in member.name for part in _LEFT_OUT)
    return None if left_out else member
