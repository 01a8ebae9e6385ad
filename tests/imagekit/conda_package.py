"""Conda packages made by hand, byte for byte the same each time, in both of conda's formats.

Spec: https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import zstandard

PLACEHOLDER = ("/home/conda/feedstock_root/build_artifacts/demo_1700000000000/_h_env" + 30 * "_placehold")[:255]
"""What stands in a package's files where the prefix is to be written: as long as conda-build makes it."""

MADE = 1_700_000_000
"""When all of the packages were built (seconds)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file of a package, or a symbolic link; a file with :data:`PLACEHOLDER` in it gets the prefix written in."""

    data: bytes = b""
    link: str = ""
    executable: bool = False

    @property
    def file_mode(self) -> Literal["text", "binary"] | None:
        """How the prefix is written in; ``None``: not at all."""
        if PLACEHOLDER.encode() not in self.data:
            return None
        return "binary" if b"\0" in self.data else "text"


def script(text: str) -> Entry:
    return Entry(data=text.encode(), executable=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """What a package holds, and what its ``info/index.json`` says."""

    name: str
    version: str
    build: str
    build_number: int = 0
    subdir: str = "linux-64"
    noarch: Literal["python", "generic"] | None = None
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    entry_points: tuple[str, ...] = ()
    """Of ``noarch: python``: ``tabulate = tabulate:_main``."""
    site_packages: str = ""
    """Of an interpreter: ``lib/python3.9/site-packages``."""
    files: Mapping[str, Entry] = field(default_factory=dict)
    format: Literal[".conda", ".tar.bz2"] = ".conda"

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def file_name(self) -> str:
        return self.stem + self.format


def build_package(package: Package) -> bytes:
    """The package's file."""
    info = _info(package)
    if package.format == ".tar.bz2":
        return bz2.compress(_tar({**info, **package.files}), 1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        metadata = json.dumps({"conda_pkg_format_version": 2}).encode()
        for name, data in (
            ("metadata.json", metadata),
            (f"pkg-{package.stem}.tar.zst", _zstd(_tar(package.files))),
            (f"info-{package.stem}.tar.zst", _zstd(_tar(info))),
        ):
            archive.writestr(zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20)), data)
    return out.getvalue()


def write_package(package: Package, channel: Path) -> Path:
    """Put the package into the folder of a channel."""
    path = channel / package.subdir / package.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build_package(package))
    return path


def from_wheel(wheel: Path, build: str, **more: Any) -> Package:
    """A ``noarch: python`` package of what a pure wheel holds, as conda-build makes it of a ``pip install``."""
    name, version = wheel.name.split("-")[:2]
    files: dict[str, Entry] = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                files[f"site-packages/{member.filename}"] = Entry(data=archive.read(member))
    (record,) = (path for path in files if path.endswith(".dist-info/RECORD"))
    installer = record.replace("RECORD", "INSTALLER")
    files[installer] = Entry(data=b"conda")
    line = f"{installer.removeprefix('site-packages/')},,\n".encode()
    files[record] = Entry(data=line + files[record].data)
    package = {"name": name.lower(), "version": version, "depends": ("python >=3.6",)} | more
    return Package(build=build, subdir="noarch", noarch="python", files=files, **package)


def _info(package: Package) -> dict[str, Entry]:
    index: dict[str, Any] = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": package.build_number,
        "subdir": package.subdir,
        "arch": None,
        "platform": None,
        "depends": list(package.depends),
        "constrains": list(package.constrains),
        "license": "MIT",
        "timestamp": MADE * 1000,
    }
    if package.noarch is None:
        system, _, machine = package.subdir.partition("-")
        index |= {"platform": system, "arch": {"64": "x86_64"}.get(machine, machine)}
    else:
        index["noarch"] = package.noarch
    if package.site_packages:
        index["python_site_packages_path"] = package.site_packages
    prefixed = [(path, entry) for path, entry in sorted(package.files.items()) if entry.file_mode]
    info = {
        "index.json": _json(index),
        "about.json": _json({"summary": f"{package.name}, made for tests", "license": "MIT"}),
        "files": _lines(sorted(package.files)),
        "paths.json": _json({"paths": list(_paths(package)), "paths_version": 1}),
    }
    if prefixed:
        info["has_prefix"] = _lines(f'"{PLACEHOLDER}" "{entry.file_mode}" "{path}"' for path, entry in prefixed)
    if package.noarch == "python":
        noarch = {"type": "python", "entry_points": list(package.entry_points)}
        info["link.json"] = _json({"noarch": noarch, "package_metadata_version": 1})
    return {f"info/{name}": Entry(data=data) for name, data in info.items()}


def _paths(package: Package) -> Iterable[dict[str, Any]]:
    for path, entry in sorted(package.files.items()):
        if entry.link:
            # As conda-build does it: of what the link leads to.
            target = package.files.get(str(Path(path).parent / entry.link), Entry())
            yield {"_path": path, "path_type": "softlink", **_hash(target.data)}
            continue
        row = {"_path": path, "path_type": "hardlink", **_hash(entry.data)}
        if entry.file_mode:
            row |= {"file_mode": entry.file_mode, "prefix_placeholder": PLACEHOLDER}
        yield row


def _hash(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _tar(files: Mapping[str, Entry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, entry in sorted(files.items()):
            header = tarfile.TarInfo(path)
            header.mtime, header.mode = MADE, 0o755 if entry.executable else 0o644
            if entry.link:
                header.type, header.linkname = tarfile.SYMTYPE, entry.link
            header.size = len(entry.data)
            tar.addfile(header, io.BytesIO(entry.data))
    return out.getvalue()


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)
