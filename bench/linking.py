"""``python -m bench.linking RECORDS PREFIX TARGET CACHE URL``: what ``rattler.install`` alone takes for an environment.

As envsync calls it: packages from the same cache, linked into one folder as if it were another; nothing is looked at
afterwards. ``URL`` is where packages are fetched from that the cache has not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import rattler
from rattler.networking.middleware import MirrorMiddleware
from rattler.package import BuildString

BASE = "https://conda.example.org/pkgs"


def link(listed: str, prefix: str, target: str, cache: str, url: str) -> None:
    rows: list[dict[str, Any]] = json.loads(Path(listed).read_bytes())
    asyncio.run(
        rattler.install(
            [_record(row) for row in rows],
            prefix,
            installed_packages=[],
            cache_dir=Path(cache),
            client=rattler.Client([MirrorMiddleware({BASE: [url]})]),
            show_progress=False,
            execute_link_scripts=False,
            alternative_target_prefix=target,
        )
    )


def _record(row: dict[str, Any]) -> rattler.RepoDataRecord:
    record = rattler.PackageRecord(
        row["name"],
        row["version"],
        BuildString(row["build"]),
        row.get("build_number", 0),
        row["subdir"],
        noarch=row.get("noarch"),
        depends=row.get("depends", []),
        constrains=row.get("constrains", []),
        sha256=bytes.fromhex(row["sha256"]),
        md5=bytes.fromhex(row["md5"]),
        size=row["size"],
    )
    return rattler.RepoDataRecord(record, row["url"].rpartition("/")[2], row["url"], row["channel"])


if __name__ == "__main__":
    link(*sys.argv[1:])
    os._exit(0)  # else the interpreter may end while a thread of rattler's still lets it go: it aborts then
