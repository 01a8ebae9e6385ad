"""Stands in for conda: answers what conda-lock asks, ``create --dry-run --json``, by rattler's solver.

It shows that conda-lock understands what envsync writes for it; what a real client makes of conda-lock's own
command line is conda-lock's business.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import rattler
from rattler.package import BuildString


def main() -> int:
    """Answer one call, which is logged where ``$STAND_IN_LOG`` says."""
    words = sys.argv[1:]
    with Path(os.environ["STAND_IN_LOG"]).open("a", encoding="utf-8") as log:
        log.write(json.dumps({"words": words, "subdir": os.environ.get("CONDA_SUBDIR")}) + "\n")
    if words == ["--version"]:
        sys.stdout.write("conda 24.1.0\n")
        return 0
    if words[:1] != ["create"] or os.environ.get("STAND_IN_FAILS"):
        sys.stderr.write("PackagesNotFoundError: nothing fits\n")
        return 1
    options = words[words.index("--json") + 1 :]
    channels = [options[at + 1] for at, word in enumerate(options) if word in ("--channel", "-c")]
    at_end = max(at for at, word in enumerate(options) if word.startswith("-"))
    takes_value = options[at_end] in ("--channel", "-c")
    specs = options[at_end + 1 + takes_value :]
    json.dump({"success": True, "actions": {"LINK": [], "FETCH": solve(channels, specs)}}, sys.stdout)
    sys.stdout.flush()
    time.sleep(0.05)  # as in envsync.solve.repodata
    return 0


def solve(channels: list[str], specs: list[str]) -> list[dict[str, object]]:
    """Records as conda prints them."""
    machine = [("__osx", "11.0"), ("__unix", "0")]
    records = asyncio.run(
        rattler.solve(
            [channel for channel in channels if channel.startswith("http")],  # another one has virtual packages
            [rattler.MatchSpec(spec) for spec in specs],  # of conda's own form, which is not strict
            platforms=["osx-arm64", "noarch"],
            virtual_packages=[
                rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), BuildString("0"))
                for name, version in machine
            ],
        )
    )
    return [
        {
            "name": one.name.normalized,
            "version": str(one.version),
            "url": os.environ.get("STAND_IN_URL", one.url),
            "fn": one.file_name,
            "depends": one.depends,
            "md5": one.md5.hex() if one.md5 else "",
            "sha256": one.sha256.hex() if one.sha256 else None,
        }
        for one in records
    ]


if __name__ == "__main__":
    sys.exit(main())
