"""Sdists as the index has them, not built: ``pip download`` would run each one's build for its metadata."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urldefrag, urljoin
from urllib.request import Request, urlopen

from tests.imagekit.machine import KitError, cache_folder, locked
from tests.imagekit.wheels import pip

_JSON = "application/vnd.pypi.simple.v1+json"
_ENDINGS = (".tar.gz", ".zip", ".tar.bz2")


def fetch_sdists(requirements: Sequence[str]) -> Path:
    """A folder with exactly the sdists of ``name==version``; its name tells which they are.

    Raises:
        KitError: the index cannot be reached, lacks one, or sends other bytes than it promised.
    """
    key = hashlib.sha256("\n".join(sorted(requirements)).encode()).hexdigest()[:16]
    folder = cache_folder() / "sdists" / key
    with locked(f"sdists-{key}"):
        if not folder.exists():
            staging = folder.with_name(f"{key}-{secrets.token_hex(4)}")
            staging.mkdir(parents=True)
            try:
                for requirement in requirements:
                    _fetch(requirement, staging)
                staging.rename(folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    return folder


def _fetch(requirement: str, folder: Path) -> None:
    name, _, version = requirement.partition("==")
    page_url = urljoin(index_url() + "/", re.sub(r"[-_.]+", "-", name).lower() + "/")
    page = json.loads(_read(page_url, accept=_JSON))
    stem = re.compile(re.sub(r"[-_.]+", "[-_.]+", name) + "-" + re.escape(version), re.IGNORECASE)
    for file in page["files"]:
        filename = file["filename"]
        ending = next((ending for ending in _ENDINGS if filename.endswith(ending)), None)
        if ending is None or not stem.fullmatch(filename.removesuffix(ending)):
            continue
        data = _read(urldefrag(urljoin(page_url, file["url"])).url)
        if hashlib.sha256(data).hexdigest() != file["hashes"]["sha256"]:
            raise KitError(f"{filename}: not the bytes that the index names")
        (folder / filename).write_bytes(data)
        return
    raise KitError(f"{requirement}: the index has no sdist")


def index_url() -> str:
    """Where pip looks first, as the user configured it."""
    named = os.environ.get("PIP_INDEX_URL")
    if named is None:
        listed = dict(line.split("=", 1) for line in pip("config", "list").splitlines() if "=" in line)
        named = listed.get("global.index-url", "'https://pypi.org/simple'").strip("'")
    return named.rstrip("/")


def _read(url: str, accept: str = "*/*") -> bytes:
    try:
        with urlopen(Request(url, headers={"Accept": accept}), timeout=300) as answer:
            data: bytes = answer.read()
    except OSError as error:
        raise KitError(f"{url}: {error}") from error
    return data
