from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.bounds import Allowance
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


@pytest.mark.parametrize(
    ("name", "limit"),
    [("WHEEL", 65536), ("direct_url.json", 65536), ("INSTALLER", 4096), ("entry_points.txt", 1048576)],
)
def test_each_kind_of_file_has_a_size_that_no_honest_one_comes_near(name: str, limit: int, tmp_path: Path) -> None:
    folder = dist_info(tmp_path / "s", "a-1", "Name: a\n")
    (folder / name).write_bytes(b"x" * limit)
    (found,), skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert (len(found.files[name]), skipped) == (limit, ())
    (folder / name).write_bytes(b"x" * (limit + 1))
    (found,), skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert name not in found.files
    assert skipped[0].reason == f"/s/a-1.dist-info/{name}: larger than {limit} bytes"


def test_a_record_is_hashed_up_to_a_size(tmp_path: Path) -> None:
    folder = dist_info(tmp_path / "s", "a-1", "Name: a\n", RECORD="a,,")
    (found,), _ = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert found.record == "sha256:" + hashlib.sha256(b"a,,").hexdigest()
    with (folder / "RECORD").open("wb") as stream:
        stream.truncate(32 * 1024 * 1024 + 1)
    (found,), skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert found.record is None
    assert skipped[0].reason == "/s/a-1.dist-info/RECORD: larger than 33554432 bytes"


def test_of_metadata_only_the_headers_are_kept(tmp_path: Path) -> None:
    dist_info(tmp_path / "s", "a-1", "Name: a\n\nA description.\n")
    (found,), _ = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert found.files == {"METADATA": b"Metadata-Version: 2.1\nName: a\n\n"}


def test_what_goes_beyond_the_allowance_is_counted(tmp_path: Path) -> None:
    for name in "abcd":
        dist_info(tmp_path / "s", f"{name}-1", f"Name: {name}\n")
    found, skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"], Allowance(distributions=3, metadata=70))
    assert [(raw.filename, list(raw.files)) for raw in found] == [
        ("a-1.dist-info", ["METADATA"]),
        ("b-1.dist-info", ["METADATA"]),
        ("c-1.dist-info", []),
    ]
    assert skipped == (
        Skipped(
            subject="METADATA",
            place="/s/c-1.dist-info/METADATA",
            reason="all metadata together is more than any honest image has: left out",
        ),
        Skipped(
            subject="distributions",
            place="sys.path",
            reason="1 more of them than any honest image has: they are left out",
        ),
    )


@pytest.mark.parametrize("data", [b"\xff\n", b".\n\xff\n", b"a\0b\n", b"/" + b"a" * 5000])
def test_a_link_to_what_is_no_path_leads_nowhere(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a.egg-link").write_bytes(data)
    found, skipped = collect(HostTree(str(tmp_path)), [ROOT / "s"])
    assert found == ()
    assert skipped == (Skipped(subject="a.egg-link", place="/s/a.egg-link", reason="names no folder"),)


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
