"""The demo's archive is a real image of this machine's interpreter."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from tests.imagekit import demo

pytestmark = pytest.mark.network
REQUESTED = ("click", "requests")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The contents of each layer's files, lowest first."""
    out = tmp_path_factory.mktemp("demo") / "demo.tar"
    demo.write_demo(out, requested=REQUESTED)
    found = []
    with tarfile.open(out) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        assert manifest[0]["RepoTags"] == ["demo/py-task:1"]
        for path in manifest[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(path)) as layer:
                found.append({m.name: (layer.extractfile(m) or io.BytesIO()).read() for m in layer if m.isfile()})
    return found


def test_the_interpreter_is_this_one(layers: list[dict[str, bytes]]) -> None:
    executable = f"{demo.prefix()}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    assert layers[1][executable] == demo.base_executable().read_bytes()
    assert any(path.endswith("/os.py") for path in layers[1])
    assert not any("/test/" in path or "__pycache__" in path or "-packages/" in path for path in layers[1])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an os-release and shows its C library")
def test_the_system_is_this_one(layers: list[dict[str, bytes]]) -> None:
    names = {PurePosixPath(path).name for path in layers[0]}
    assert "os-release" in names
    assert any(name.startswith(("libc.so", "libc-", "ld-musl")) for name in names)


def test_every_record_fits_its_files(layers: list[dict[str, bytes]]) -> None:
    for files in layers[2:]:
        records = [path for path in files if path.endswith(".dist-info/RECORD")]
        assert records
        for record in records:
            site = PurePosixPath(record).parents[1]
            for name, digest, size in csv.reader(files[record].decode().splitlines()):
                data = files[_joined(site, name)]
                assert not size or int(size) == len(data), name
                sha256 = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert digest in {"", f"sha256={sha256}"}, name


def _joined(folder: PurePosixPath, name: str) -> str:
    """``name`` seen from ``folder``, without ``..``."""
    parts: list[str] = []
    for part in (folder / name).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def test_metadata_says_how_it_was_installed(layers: list[dict[str, bytes]]) -> None:
    site = demo.site_packages()
    requested = {path.split("/")[-2].split("-")[0] for path in layers[2] if path.endswith("/REQUESTED")}
    assert requested == set(REQUESTED)
    assert layers[2][f"{site}/requests-2.32.3.dist-info/INSTALLER"] == b"pip\n"
    script = layers[2]["usr/local/bin/normalizer"].splitlines()[0].decode()
    assert script == f"#!/{demo.prefix()}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"


def test_the_last_layer_upgrades_one(layers: list[dict[str, bytes]]) -> None:
    site = demo.site_packages()
    assert f"{site}/urllib3-1.26.20.dist-info/METADATA" in layers[2]
    assert f"{site}/.wh.urllib3-1.26.20.dist-info" in layers[3]
    assert f"{site}/urllib3/.wh..wh..opq" in layers[3]
    assert f"{site}/urllib3-2.3.0.dist-info/METADATA" in layers[3]


def test_elsewhere_than_on_linux_only_wheels_for_any_platform_are_taken(tmp_path: Path) -> None:
    demo.install(tmp_path / "root", ["charset-normalizer"], ["charset-normalizer==3.4.1"], pure=True)
    [tags] = (tmp_path / "root").rglob("charset_normalizer-*.dist-info/WHEEL")
    assert "Tag: py3-none-any" in tags.read_text()
