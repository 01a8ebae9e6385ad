"""Wheels and sdists made on the fly, and a package index of them on the loopback device."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

BACKEND = """
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
{before}

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(directory, config_settings=None, metadata_directory=None):
    {during}
    data = {wheel!r}
    pathlib.Path(directory, {filename!r}).write_bytes(data)
    return {filename!r}
"""
"""A PEP 517 build backend that needs nothing: it writes a wheel that is inside it."""


def wheel(
    name: str,
    version: str,
    files: Mapping[str, str] | None = None,
    *,
    scripts: Mapping[str, str] | None = None,
    data_scripts: Mapping[str, str] | None = None,
    tag: str = "py3-none-any",
) -> tuple[str, bytes]:
    """The file name and bytes of a wheel; ``scripts`` are console entry points, ``data_scripts`` plain ones."""
    stem = f"{name.replace('-', '_')}-{version}"
    contents = dict(files or {f"{name.replace('-', '_')}.py": f"version = {version!r}\n"})
    contents |= {f"{stem}.data/scripts/{script}": text for script, text in (data_scripts or {}).items()}
    contents[f"{stem}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{stem}.dist-info/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if scripts:
        lines = "".join(f"{script} = {target}\n" for script, target in scripts.items())
        contents[f"{stem}.dist-info/entry_points.txt"] = f"[console_scripts]\n{lines}"
    rows = [f"{path},sha256={_digest(text.encode())},{len(text.encode())}" for path, text in contents.items()]
    contents[f"{stem}.dist-info/RECORD"] = "\n".join([*rows, f"{stem}.dist-info/RECORD,,", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in contents.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return f"{stem}-{tag}.whl", buffer.getvalue()


def project(name: str, version: str, *, before: str = "", during: str = "pass") -> dict[str, str]:
    """The source files of a project; ``before`` and ``during`` are statements of its build."""
    filename, data = wheel(name, version)
    backend = BACKEND.format(before=before, during=during, wheel=data, filename=filename)
    pyproject = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return {
        "pyproject.toml": f'{pyproject}\n[project]\nname = "{name}"\nversion = "{version}"\n',
        "backend.py": backend,
        "PKG-INFO": metadata,
    }


def sdist(name: str, version: str, *, before: str = "", during: str = "pass") -> tuple[str, bytes]:
    """The file name and bytes of an sdist; see :func:`project`."""
    stem = f"{name.replace('-', '_')}-{version}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in project(name, version, before=before, during=during).items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server has
        pass


class Index:
    """A PEP 503 index in a folder: ``simple/NAME/``, with the files beside their page."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self.url = f"{address}/simple/"

    def add(self, *files: tuple[str, bytes]) -> None:
        for filename, data in files:
            name = filename.partition("-")[0].replace("_", "-").lower()
            place = self.folder / "simple" / name
            place.mkdir(parents=True, exist_ok=True)
            (place / filename).write_bytes(data)
            links = [
                f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>'
                for path in sorted(place.iterdir())
                if path.name != "index.html"
            ]
            (place / "index.html").write_text("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>")


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; yields the address without a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
