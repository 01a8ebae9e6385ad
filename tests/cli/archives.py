"""Image archives with this machine's interpreter and whatever distributions a test wants; no engine, no index."""

from __future__ import annotations

from pathlib import Path

from tests.imagekit.archive import ImageSpec, write_docker_archive
from tests.imagekit.demo import interpreter_files, site_packages, system_files
from tests.imagekit.layer import File

TAG = "acme/job:1"
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def installed(name: str, version: str, *, metadata: str = "", **files: str) -> list[File]:
    """The metadata of one distribution; its modules are not there, so that no RECORD says that they were."""
    info = f"{site_packages()}/{name.replace('-', '_')}-{version}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "INSTALLER": "pip\n",
        **files,
    }
    return [File(path=f"{info}/{file}", data=text.encode()) for file, text in texts.items()]


def write_archive(out: Path, *distributions: list[File], tag: str | None = TAG, **spec: object) -> Path:
    """A ``docker save`` file: the system, the interpreter, and a layer with the distributions."""
    layers = [list(system_files()), list(interpreter_files()), [file for files in distributions for file in files]]
    write_docker_archive(out, ImageSpec(layers=layers, tags=[tag] if tag else [], env=ENV, **spec))
    return out
