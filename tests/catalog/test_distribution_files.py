from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.distribution_files import FILES, LIMIT, PATTERNS, collect
from envsync.files import FileInfo, FileReadError, HostTree
from envsync.model import Skipped
from envsync.reference import Digest
from tests.catalog.installed import dist_info, egg_info

ROOT = PurePosixPath("/")


class LayeredTree:
    """A tree of one layer, and with one file that nobody may read."""

    layer = Digest("sha256:" + "a" * 64)

    def __init__(self, root: Path, forbidden: str = "") -> None:
        self._host = HostTree(str(root))
        self._forbidden = forbidden

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        info = self._host.stat(path)
        if info is None:
            return None
        return FileInfo(path=info.path, kind=info.kind, size=info.size, mode=info.mode, layer=self.layer)

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        return self._host.readlink(path)

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        return self._host.list(path)

    def read(self, path: PurePosixPath, *, limit: int = LIMIT) -> bytes:
        if path.name == self._forbidden:
            raise FileReadError(f"{path}: cannot be read: Permission denied")
        return self._host.read(path, limit=limit)


def test_only_known_files_are_read_and_the_layer_is_told(tmp_path: Path) -> None:
    dist_info(tmp_path / "s", "a-1", "Name: a\n", INSTALLER="pip", LICENSE="x" * 1000)
    (found,), skipped = collect(LayeredTree(tmp_path), [ROOT / "s"])
    assert found.files == {"METADATA": b"Metadata-Version: 2.1\nName: a\n", "INSTALLER": b"pip"}
    assert found.path == ROOT / "s/a-1.dist-info"
    assert found.layer == LayeredTree.layer
    assert found.record is None
    assert skipped == ()


def test_one_file_that_cannot_be_read_does_not_hide_the_distribution(tmp_path: Path) -> None:
    dist_info(tmp_path / "s", "a-1", "Name: a\n", RECORD="a,,")
    (found,), skipped = collect(LayeredTree(tmp_path, "RECORD"), [ROOT / "s"])
    assert found.record is None
    assert set(found.files) == {"METADATA"}
    path = "/s/a-1.dist-info/RECORD"
    assert skipped == (Skipped(subject="RECORD", place=path, reason=f"{path}: cannot be read: Permission denied"),)


def test_a_file_larger_than_any_honest_one_is_not_read(tmp_path: Path) -> None:
    dist_info(tmp_path / "s", "a-1", b"Name: a\n" + b"x" * LIMIT)
    (found,), skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert found.files == {}
    assert skipped[0].reason == f"/s/a-1.dist-info/METADATA: larger than {LIMIT} bytes"


def test_eggs_on_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "s/a-1-py3.7.egg/EGG-INFO"
    folder.mkdir(parents=True)
    (folder / "PKG-INFO").write_bytes(b"Name: a\n")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("EGG-INFO/PKG-INFO", b"Name: b\n")
        archive.writestr("EGG-INFO/requires.txt", b"c\n")
    (tmp_path / "s/b-1-py3.7.egg").write_bytes(stream.getvalue())
    (tmp_path / "s/broken-1-py3.7.egg").write_bytes(b"PK")
    eggs = [ROOT / "s" / name for name in ("a-1-py3.7.egg", "b-1-py3.7.egg", "broken-1-py3.7.egg", "none.egg")]
    found, skipped = collect(HostTree(str(tmp_path)), [ROOT / "s", *eggs])
    assert [(raw.filename, raw.files) for raw in found] == [
        ("a-1-py3.7.egg", {"PKG-INFO": b"Name: a\n"}),
        ("b-1-py3.7.egg", {"PKG-INFO": b"Name: b\n", "requires.txt": b"c\n"}),
    ]
    assert [note.reason for note in skipped] == ["not a zipped egg, or a damaged one"]


def test_files_and_empty_folders(tmp_path: Path) -> None:
    egg_info(tmp_path / "s", "lone-1-py3.7", "Name: lone\n", lone=True)
    (tmp_path / "s/empty-1.dist-info").mkdir()
    (tmp_path / "s/file-1.dist-info").write_text("Name: file")
    (tmp_path / "s/gone-1.dist-info").symlink_to("nowhere")
    found, skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert [(raw.path.name, raw.empty, set(raw.files)) for raw in found] == [
        ("empty-1.dist-info", True, set()),
        ("lone-1-py3.7.egg-info", False, {"PKG-INFO"}),
    ]
    assert [(note.subject, note.reason) for note in skipped] == [
        ("file-1.dist-info", "a file (expected a folder)"),
        ("gone-1.dist-info", "leads nowhere, or to no regular file"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/p/src\n../", None),
        ("../p/src", None),
        ("", "names no folder"),
        ("/p", "leads to /p, which is not on sys.path: it cannot be imported"),
        ("/nowhere", "leads to /nowhere, which is not on sys.path: it cannot be imported"),
        ("/s", "leads to /s, which describes no such distribution: it cannot be imported"),
    ],
)
def test_an_egg_link_leads_to_a_project(tmp_path: Path, text: str, reason: str | None) -> None:
    egg_info(tmp_path / "p/src", "a_b", "Name: a_b\n")
    egg_info(tmp_path / "p/src", "other", "Name: other\n")
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a-b.egg-link").write_text(text)
    found, skipped = collect(HostTree(str(tmp_path)), [ROOT / "s", ROOT / "p/src"])
    assert [note.reason for note in skipped] == ([reason] if reason else [])
    project = {"/p/src\n../": ROOT / "p", "../p/src": ROOT / "p/src"}.get(text)
    assert [raw.editable_from for raw in found] == [project, None]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        *((f"/usr/lib/python3/dist-packages/a-1.dist-info/{name}", True) for name in (*FILES, "RECORD")),
        ("/opt/a.egg-info", True),
        ("/opt/a.egg-info/PKG-INFO", True),
        ("/opt/a.egg-link", True),
        ("/opt/a-1-py3.egg", True),
        ("/opt/a-1-py3.egg/EGG-INFO/PKG-INFO", True),
        ("/opt/a-1.dist-info/LICENSE", False),
        ("/opt/a-1.dist-info/licenses/METADATA", False),
        ("/opt/METADATA", False),
        ("/opt/a.egg-infox", False),
    ],
)
def test_patterns_keep_what_is_read(path: str, kept: bool) -> None:
    assert any(re.fullmatch(pattern, path) for pattern in PATTERNS) is kept
