"""An image as large as a full Anaconda, of the published records: as many packages, records and files, but empty ones.

``python -m tests.imagekit.anaconda`` makes it by hand and prints where it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envsync.official import data_folder
from tests.imagekit.archive import ImageSpec, write_docker_archive
from tests.imagekit.layer import Entry, File, Link
from tests.imagekit.machine import cache_folder, locked

TAG = "acme/anaconda:2019.03"
PREFIX = "/opt/conda"
FILES = 137_000
"""Of all packages together, byte code included; records of them take 57 MB."""

_SITE = "lib/python3.7/site-packages"
_PROGRAM = b"\x7fELF\0\0\0\x003.7.3\0".ljust(12 << 20, b"\0")
"""All that a reader looks for in an interpreter, in the size of one."""


def published() -> list[dict[str, str]]:
    """The rows of the published table of records: ``name``, ``version``, ``build``, ``md5`` …"""
    (table,) = (data_folder("images") / "published").glob("anaconda3-2019.03*.records.tsv")
    lines = [line for line in table.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


def anaconda_archive() -> Path:
    """The image as ``docker save`` writes it; made once."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + repr(published()).encode()).hexdigest()
    path = cache_folder() / f"anaconda-{digest[:12]}.tar"
    with locked("anaconda"):
        if not path.exists():
            staging = path.with_suffix(f".{secrets.token_hex(4)}")
            environment = {"PATH": f"{PREFIX}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
            layers = [list(_system()), list(_prefix())]
            write_docker_archive(staging, ImageSpec(layers=layers, tags=[TAG], env=environment))
            staging.rename(path)
    return path


def _system() -> Iterator[Entry]:
    yield File(path="etc/os-release", data=b'ID=debian\nVERSION_ID="9"\nPRETTY_NAME="Debian GNU/Linux 9 (stretch)"\n')
    yield File(path="lib/x86_64-linux-gnu/libc.so.6", data=b"\x7fELF\0GNU C Library (Debian GLIBC 2.24) stable\0")


def _prefix() -> Iterator[Entry]:
    prefix = PREFIX.lstrip("/")
    rows = published()
    for row, count in zip(rows, _shares([int(row["size"]) ** 0.5 for row in rows], FILES), strict=True):
        files = dict(_files(row, count))
        for path, data in files.items():
            yield File(path=f"{prefix}/{path}", data=data, mode=0o755 if path.startswith("bin/") else 0o644)
        record = json.dumps(_record(row, files), indent=2, sort_keys=True).encode()
        yield File(path=f"{prefix}/conda-meta/{row['name']}-{row['version']}-{row['build']}.json", data=record)
    yield Link(path=f"{prefix}/bin/python", target="python3.7")
    history = "==> 2019-03-27 10:00:00 <==\n# update specs: ['anaconda=2019.03']\n"
    yield File(path=f"{prefix}/conda-meta/history", data=history.encode())


def _shares(weights: list[float], total: int) -> list[int]:
    """Whole numbers in these proportions, at least 5 each, that add up to ``total``."""
    shares = [max(5, int(weight * total / sum(weights))) for weight in weights]
    largest = shares.index(max(shares))
    shares[largest] += total - sum(shares)
    return shares


def _files(row: dict[str, str], count: int) -> Iterator[tuple[str, bytes]]:
    """The files of a package: of one that needs Python modules, byte code and metadata; else headers."""
    name, version = row["name"], row["version"]
    module = name.replace("-", "_")
    given: dict[str, bytes] = {}
    if name == "python":
        given = {"bin/python3.7": _PROGRAM, "lib/python3.7/os.py": b""}
    elif name[0] != "_" and any(spec.split()[0] == "python" for spec in _depends(row)):
        info = f"{_SITE}/{module}-{version}.dist-info"
        given = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
            f"{info}/RECORD": f"{module}/__init__.py,,\n".encode(),
            f"{info}/INSTALLER": b"conda\n",
        }
    yield from given.items()
    for number in range(count - len(given)):
        if name == "python":
            yield f"lib/python3.7/part_{number % 40}/module_{number:05}.py", b""
        elif given:
            folder = f"{_SITE}/{module}/subpackage_{number % 30}"
            half = f"module_{number // 2:05}"
            yield (f"{folder}/__pycache__/{half}.cpython-37.pyc" if number % 2 else f"{folder}/{half}.py"), b""
        else:
            yield f"include/{module}/part_{number % 30}/header_{number:05}.hpp", b""


def _depends(row: dict[str, str]) -> list[str]:
    return [spec for spec in (row["depends"] or "").split("; ") if spec]


def _record(row: dict[str, str], files: dict[str, bytes]) -> dict[str, Any]:
    """What conda 4.6 wrote."""
    paths = []
    for path, data in files.items():
        digest = hashlib.sha256(data or path.encode()).hexdigest()
        entry = {"_path": path, "path_type": "hardlink", "sha256": digest, "sha256_in_prefix": digest}
        paths.append({**entry, "size_in_bytes": len(data) or 1234})
    source = f"{PREFIX}/pkgs/{row['name']}-{row['version']}-{row['build']}"
    return {
        "arch": "x86_64",
        "build": row["build"],
        "build_number": int(row["build_number"]),
        "channel": row["channel"],
        "constrains": [],
        "depends": _depends(row),
        "extracted_package_dir": source,
        "files": list(files),
        "fn": row["file"],
        "license": row["license"],
        "link": {"source": source, "type": 1},
        "md5": row["md5"],
        "name": row["name"],
        "package_tarball_full_path": f"{source}.tar.bz2",
        "paths_data": {"paths": paths, "paths_version": 1},
        "platform": "linux",
        "size": int(row["size"]),
        "subdir": "linux-64",
        "timestamp": int(row["timestamp_ms"] or 0),
        "url": f"{row['channel']}/{row['file']}",
        "version": row["version"],
    }


if __name__ == "__main__":
    sys.stdout.write(f"{anaconda_archive()}\n")
